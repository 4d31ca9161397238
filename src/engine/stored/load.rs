//! Reading back what was stored.

use rejoinder_protocol::{Message, Participant, SequenceNumber};

use super::record::{CursorRecord, EntryRecord, OrderNumber, SCHEMA_LEVEL, bucket_of, from_bytes};

/// Buckets read at once: at least two screens, at most 192 messages.
const BUCKETS_AT_ONCE: u64 = 3;

/// A part of a stored thread.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ThreadLoad {
    /// How far it is stored; `None` if it is not stored.
    pub cursor: Option<CursorRecord>,
    /// Whether `cursor` may be continued. `false` if something could not be read, or an older
    /// client skipped what this one understands: the rows can be shown but must be loaded anew.
    pub usable: bool,
    /// Messages by rising place, without a hole, ending at the newest or right below the place
    /// asked for.
    pub messages: Vec<Message>,
    /// Everybody who takes part or took part.
    pub participants: Vec<Participant>,
}

/// Returns the buckets to read: the newest ones, or those right below `before`.
#[must_use]
pub fn buckets_to_load(cursor: Option<&[u8]>, before: Option<SequenceNumber>) -> Vec<u64> {
    let Some(cursor) = cursor.and_then(from_bytes::<CursorRecord>) else {
        return Vec::new();
    };
    let last = match before {
        None => cursor.newest,
        Some(before) => {
            SequenceNumber::try_from(before.get().saturating_sub(1)).unwrap_or_default()
        }
    };
    if last < cursor.oldest {
        return Vec::new();
    }
    let first = bucket_of(cursor.oldest);
    let last = bucket_of(last);
    (first.max((last + 1).saturating_sub(BUCKETS_AT_ONCE))..=last).collect()
}

/// Makes sense of what was read.
#[must_use]
pub fn load_thread(
    cursor: Option<&[u8]>,
    participants: Option<&[u8]>,
    buckets: &[Vec<u8>],
    before: Option<SequenceNumber>,
) -> ThreadLoad {
    let Some(cursor) = cursor.and_then(from_bytes::<CursorRecord>) else {
        return ThreadLoad::default();
    };
    let decoded_participants = participants.map_or(Some(Vec::new()), from_bytes);
    let decoded: Option<Vec<Vec<Message>>> =
        buckets.iter().map(|bytes| from_bytes(bytes)).collect();
    let mut usable =
        decoded_participants.is_some() && decoded.is_some() && cursor.schema_level >= SCHEMA_LEVEL;
    let mut messages: Vec<Message> = decoded.unwrap_or_default().into_iter().flatten().collect();
    messages.retain(|row| {
        row.sequence_number >= cursor.oldest
            && before.is_none_or(|limit| row.sequence_number < limit)
    });
    if has_hole(&messages) {
        messages.clear();
        usable = false;
    }
    ThreadLoad {
        cursor: Some(cursor),
        usable,
        messages,
        participants: decoded_participants.unwrap_or_default(),
    }
}

fn has_hole(messages: &[Message]) -> bool {
    messages.windows(2).any(|pair| match pair {
        [first, second] => first.sequence_number.next() != second.sequence_number,
        _ => false,
    })
}

/// Makes sense of the outbox; also returns how many rows could not be read. Those are left where
/// they are: a later version may understand them.
#[must_use]
pub fn load_outbox(rows: &[(u64, Vec<u8>)]) -> (Vec<(OrderNumber, EntryRecord)>, usize) {
    let entries: Vec<_> = rows
        .iter()
        .filter_map(|(order, bytes)| Some((OrderNumber(*order), from_bytes(bytes)?)))
        .collect();
    let unreadable = rows.len() - entries.len();
    (entries, unreadable)
}
