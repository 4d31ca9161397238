//! What users wrote: stored once as they wrote it, in their order, or taken back.

use std::collections::BTreeMap;

use rejoinder::engine::{DiscardOutcome, SendResult};

use crate::ledger::Sent;
use crate::records::{Key, Records, Stored};

pub(super) fn check(records: &Records, sent: &[Sent], wrong: &mut Vec<String>) {
    let mut stored: BTreeMap<Key, &Stored> = BTreeMap::new();
    for (thread_id, messages) in &records.messages {
        for one in messages {
            stored.insert(
                (thread_id.clone(), one.sender_id.clone(), one.client_msg_id),
                one,
            );
        }
    }
    let mut last_places = BTreeMap::new();
    for one in sent {
        let found = stored.remove(&key(one));
        check_fate(one, found, records, wrong);
        let Some(found) = found.filter(|_| !one.is_discarded) else {
            continue;
        };
        let place = found.sequence_number;
        let last = last_places.insert((one.device, &one.thread_id), (place, &one.body));
        if let Some((last, earlier)) = last.filter(|(last, _)| *last > place) {
            wrong.push(format!(
                "reordered: client {} wrote {earlier:?} before {:?}, and they are at {last} and \
                 {place} of {}",
                one.device, one.body, one.thread_id
            ));
        }
    }
    for ((thread_id, ..), one) in stored {
        wrong.push(format!(
            "nobody wrote {:?} at {} of {thread_id}",
            one.body, one.sequence_number
        ));
    }
}

fn key(sent: &Sent) -> Key {
    (
        sent.thread_id.clone(),
        sent.user_id.clone(),
        sent.client_msg_id,
    )
}

fn check_fate(one: &Sent, found: Option<&Stored>, records: &Records, wrong: &mut Vec<String>) {
    let body = &one.body;
    if let Some(found) = found.filter(|found| found.body != *body) {
        wrong.push(format!("{body:?} is stored as {:?}", found.body));
    }
    let is_cancelled = records.cancelled.contains(&key(one));
    if is_cancelled && !one.is_discarded {
        wrong.push(format!(
            "lost: {body:?} was cancelled, and nobody took it back"
        ));
    }
    match (&one.answer, found) {
        (Some(SendResult::Refused { code }), Some(_)) => {
            wrong.push(format!("{body:?} was refused as {code:?}, and is stored"));
        }
        (Some(SendResult::Refused { .. }), None) => {}
        (None, _) if !one.is_orphan => wrong.push(format!("{body:?} was never answered")),
        (_, None) if !one.is_orphan && !one.is_discarded => {
            wrong.push(format!(
                "lost: {body:?} of client {} in {}",
                one.device, one.thread_id
            ));
        }
        (_, _) => {}
    }
    match (one.outcome, found) {
        (Some(outcome @ (DiscardOutcome::Discarded | DiscardOutcome::Cancelled)), Some(_)) => {
            wrong.push(format!("{body:?} was {outcome:?}, and is stored"));
        }
        (Some(DiscardOutcome::Sent), None) => {
            wrong.push(format!("lost: {body:?} was called sent"));
        }
        (Some(_) | None, _) => {}
    }
}
