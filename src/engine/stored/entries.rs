//! What a transaction decides about rows of the outbox.

use rejoinder_protocol::{ClientMsgId, ErrorCode};

use super::record::{EntryRecord, OrderNumber, from_bytes, to_bytes};
use super::write::{Answer, Changes, Found};

/// Returns the row of a message. Only rows whose bytes hold the key are decoded: an outbox may hold
/// a thousand.
fn find(client_msg_id: ClientMsgId, found: &Found) -> Option<(OrderNumber, EntryRecord)> {
    let key = client_msg_id.to_string();
    let is_candidate =
        |bytes: &[u8]| std::str::from_utf8(bytes).is_ok_and(|text| text.contains(&key));
    found
        .outbox
        .iter()
        .filter(|(_, bytes)| is_candidate(bytes))
        .find_map(|(order, bytes)| {
            let entry: EntryRecord = from_bytes(bytes)?;
            (entry.client_msg_id == client_msg_id).then_some((OrderNumber(*order), entry))
        })
}

pub(super) fn keys_of(client_msg_ids: &[ClientMsgId], found: &Found) -> Vec<u64> {
    let rows = client_msg_ids
        .iter()
        .filter_map(|client_msg_id| find(*client_msg_id, found));
    rows.map(|(order, _)| order.0).collect()
}

/// Returns the rows after `seen` and before `before`, of all threads.
fn unseen(
    seen: OrderNumber,
    before: Option<OrderNumber>,
    found: &Found,
) -> Vec<(OrderNumber, EntryRecord)> {
    #[cfg(feature = "mutants")]
    if rejoinder_mutants::planted!(EarlierRowsUnseen) {
        return Vec::new();
    }
    let is_between = |order: u64| order > seen.0 && before.is_none_or(|before| order < before.0);
    found
        .outbox
        .iter()
        .filter(|(order, _)| is_between(*order))
        .filter_map(|(order, bytes)| Some((OrderNumber(*order), from_bytes::<EntryRecord>(bytes)?)))
        .collect()
}

pub(super) fn enqueue(entry: &EntryRecord, seen: OrderNumber, found: &Found) -> Changes {
    Changes {
        outbox_add: Some(to_bytes(entry)),
        answer: Answer::Enqueued {
            earlier: unseen(seen, None, found),
        },
        ..Changes::default()
    }
}

pub(super) fn mark_attempted(
    client_msg_id: ClientMsgId,
    seen: OrderNumber,
    found: &Found,
) -> Changes {
    let Some((order, entry)) = find(client_msg_id, found) else {
        let answer = Answer::Attempted {
            present: false,
            earlier: Vec::new(),
        };
        return Changes {
            answer,
            ..Changes::default()
        };
    };
    let earlier = unseen(seen, Some(order), found);
    let present = !entry.cancel_wanted;
    let entry = EntryRecord {
        attempted: true,
        ..entry
    };
    Changes {
        outbox_put: if present {
            vec![(order.0, to_bytes(&entry))]
        } else {
            Vec::new()
        },
        answer: Answer::Attempted { present, earlier },
        ..Changes::default()
    }
}

pub(super) fn discard(client_msg_id: ClientMsgId, found: &Found) -> Changes {
    let row = find(client_msg_id, found);
    #[cfg(feature = "mutants")]
    let row = row.map(|(order, entry)| {
        let attempted = entry.attempted && !rejoinder_mutants::planted!(DiscardForgetsAttempt);
        (order, EntryRecord { attempted, ..entry })
    });
    match row {
        None => Changes {
            answer: Answer::Absent,
            ..Changes::default()
        },
        Some((order, entry)) if entry.attempted => Changes {
            outbox_put: vec![(
                order.0,
                to_bytes(&EntryRecord {
                    cancel_wanted: true,
                    ..entry
                }),
            )],
            answer: Answer::MaybeSent,
            ..Changes::default()
        },
        Some((order, _)) => Changes {
            outbox_delete: vec![order.0],
            answer: Answer::Deleted,
            ..Changes::default()
        },
    }
}

pub(super) fn set_failed(
    client_msg_id: ClientMsgId,
    code: Option<ErrorCode>,
    found: &Found,
) -> Changes {
    let Some((order, entry)) = find(client_msg_id, found) else {
        return Changes::default();
    };
    let entry = EntryRecord {
        failed: code,
        ..entry
    };
    Changes {
        outbox_put: vec![(order.0, to_bytes(&entry))],
        ..Changes::default()
    }
}
