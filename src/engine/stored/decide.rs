//! What a transaction of the browser's database does with what it read.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rejoinder_protocol::{Message, Participant, SequenceNumber};

use super::entries::{discard, enqueue, keys_of, mark_attempted, set_failed};
use super::record::{CursorRecord, SCHEMA_LEVEL, bucket_of, from_bytes, merge_message, to_bytes};
use super::write::{Advance, Changes, Found, History, Needs, Refused, Reset, Write};

/// Names what a write has to read.
#[must_use]
pub fn needs(write: &Write) -> Needs {
    let buckets = |messages: &[Message]| {
        let mut numbers: Vec<u64> = messages
            .iter()
            .map(|message| bucket_of(message.sequence_number))
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    };
    match write {
        Write::Enqueue { .. }
        | Write::MarkAttempted { .. }
        | Write::Discard { .. }
        | Write::SetFailed { .. }
        | Write::DeleteEntries { .. } => Needs {
            outbox: true,
            strict: true,
            ..Needs::default()
        },
        Write::Advance(Advance {
            thread_id,
            messages,
            settled,
            ..
        }) => Needs {
            outbox: !settled.is_empty(),
            thread: Some(thread_id.clone()),
            buckets: buckets(messages),
            strict: false,
        },
        Write::History(History {
            thread_id,
            messages,
            ..
        }) => Needs {
            outbox: false,
            thread: Some(thread_id.clone()),
            buckets: buckets(messages),
            strict: false,
        },
        Write::Reset(Reset {
            thread_id, settled, ..
        })
        | Write::RemoveThread { thread_id, settled } => Needs {
            outbox: !settled.is_empty(),
            thread: Some(thread_id.clone()),
            // The gateway says only once that a user was removed.
            strict: matches!(write, Write::RemoveThread { .. }),
            ..Needs::default()
        },
    }
}

/// Decides what a write does with what was found.
///
/// # Errors
///
/// [`Refused`] if another engine changed the thread underneath; the engine loads it anew.
pub fn decide(write: &Write, found: &Found) -> Result<Changes, Refused> {
    match write {
        Write::Enqueue { entry, seen } => Ok(enqueue(entry, *seen, found)),
        Write::MarkAttempted {
            client_msg_id,
            seen,
        } => Ok(mark_attempted(*client_msg_id, *seen, found)),
        Write::Discard { client_msg_id } => Ok(discard(*client_msg_id, found)),
        Write::SetFailed {
            client_msg_id,
            code,
        } => Ok(set_failed(*client_msg_id, *code, found)),
        Write::DeleteEntries { client_msg_ids } => Ok(Changes {
            outbox_delete: keys_of(client_msg_ids, found),
            ..Changes::default()
        }),
        Write::Advance(write) => advance(write, found),
        Write::History(write) => history(write, found),
        Write::Reset(write) => reset(write, found),
        Write::RemoveThread { thread_id, settled } => Ok(Changes {
            outbox_delete: keys_of(settled, found),
            thread: Some(thread_id.clone()),
            clear_thread: true,
            ..Changes::default()
        }),
    }
}

fn stored_cursor(found: &Found) -> Option<CursorRecord> {
    found.cursor.as_deref().and_then(from_bytes)
}

/// Merges messages into the buckets that were read. `None` if a bucket cannot be read: writing
/// over it would lose what a later version stored.
fn merged_buckets(messages: &[Message], found: &Found) -> Option<Vec<(u64, Vec<u8>)>> {
    let mut buckets: BTreeMap<u64, Vec<Message>> = BTreeMap::new();
    for message in messages {
        let number = bucket_of(message.sequence_number);
        let rows = match buckets.entry(number) {
            Entry::Occupied(rows) => rows.into_mut(),
            Entry::Vacant(place) => {
                let stored = found.buckets.iter().find(|(key, _)| *key == number);
                place.insert(stored.map_or(Some(Vec::new()), |(_, bytes)| from_bytes(bytes))?)
            }
        };
        merge_message(rows, message);
    }
    Some(
        buckets
            .into_iter()
            .map(|(number, rows)| (number, to_bytes(&rows)))
            .collect(),
    )
}

fn merged_participants(participants: &[Participant], found: &Found) -> Option<Vec<u8>> {
    let stored: Option<Vec<Participant>> = found.participants.as_deref().and_then(from_bytes);
    let mut all = stored.unwrap_or_default();
    for participant in participants {
        match all
            .iter_mut()
            .find(|one| one.user_id == participant.user_id)
        {
            Some(one) if one.revision <= participant.revision => *one = participant.clone(),
            Some(_) => {}
            None => all.push(participant.clone()),
        }
    }
    (!participants.is_empty()).then(|| to_bytes(&all))
}

fn advance(write: &Advance, found: &Found) -> Result<Changes, Refused> {
    let Advance {
        thread_id,
        epoch,
        reset_count,
        from,
        to,
        messages,
        participants,
        settled,
    } = write;
    let mut cursor = stored_cursor(found).ok_or(Refused)?;
    // A stored cursor below `from` would leave a hole: that of a write that never arrived.
    let is_changed =
        cursor.epoch != *epoch || cursor.reset_count != *reset_count || cursor.revision < *from;
    #[cfg(feature = "mutants")]
    let is_changed = is_changed && !rejoinder_mutants::planted!(WriteNeverRefused);
    if is_changed {
        return Err(Refused);
    }
    cursor.revision = cursor.revision.max(*to);
    let (kept, skipped): (Vec<Message>, Vec<Message>) = messages
        .iter()
        .cloned()
        .partition(|message| message.sequence_number >= cursor.oldest);
    for message in &skipped {
        cursor.skipped_revision = cursor.skipped_revision.max(message.revision);
    }
    for message in &kept {
        cursor.newest = cursor.newest.max(message.sequence_number);
    }
    #[cfg(feature = "mutants")]
    let kept = match rejoinder_mutants::planted!(CursorWithoutRows) {
        true => Vec::new(),
        false => kept,
    };
    Ok(Changes {
        outbox_delete: keys_of(settled, found),
        thread: Some(thread_id.clone()),
        cursor: Some(to_bytes(&cursor)),
        participants: merged_participants(participants, found),
        buckets: merged_buckets(&kept, found).ok_or(Refused)?,
        ..Changes::default()
    })
}

fn history(write: &History, found: &Found) -> Result<Changes, Refused> {
    let History {
        thread_id,
        epoch,
        reset_count,
        as_of,
        messages,
    } = write;
    let mut cursor = stored_cursor(found).ok_or(Refused)?;
    let (Some(first), Some(last)) = (messages.first(), messages.last()) else {
        return Ok(Changes::default());
    };
    let abuts = last.sequence_number.next() == cursor.oldest;
    let is_old = cursor.skipped_revision > *as_of;
    #[cfg(feature = "mutants")]
    let is_old = is_old && !rejoinder_mutants::planted!(HistoryBelieved);
    if cursor.epoch != *epoch || cursor.reset_count != *reset_count || !abuts || is_old {
        return Err(Refused);
    }
    cursor.oldest = first.sequence_number;
    cursor.newest = cursor.newest.max(last.sequence_number);
    Ok(Changes {
        thread: Some(thread_id.clone()),
        cursor: Some(to_bytes(&cursor)),
        buckets: merged_buckets(messages, found).ok_or(Refused)?,
        ..Changes::default()
    })
}

fn reset(write: &Reset, found: &Found) -> Result<Changes, Refused> {
    let Reset {
        thread_id,
        expected,
        from,
        epoch,
        head,
        messages,
        participants,
        settled,
    } = write;
    let stored = stored_cursor(found);
    if let Some(stored) = &stored {
        let believed = expected.as_ref();
        let same = believed
            .is_some_and(|(epoch, count)| stored.epoch == *epoch && stored.reset_count == *count);
        // Another engine may be further in the same history. What is no further than our own
        // cursor was answered by this reset: the database lost it.
        let is_further = stored.revision > *head && stored.revision > *from;
        if !same || (stored.epoch == *epoch && is_further) {
            return Err(Refused);
        }
    }
    let cursor = CursorRecord {
        epoch: epoch.clone(),
        revision: *head,
        reset_count: stored.map_or(0, |stored| stored.reset_count) + 1,
        schema_level: SCHEMA_LEVEL,
        oldest: messages
            .first()
            .map_or(SequenceNumber::ZERO.next(), |row| row.sequence_number),
        newest: messages
            .last()
            .map_or(SequenceNumber::ZERO, |row| row.sequence_number),
        // Older messages that somebody read before this window may lack what it jumped over.
        skipped_revision: *head,
    };
    let empty = Found::default();
    Ok(Changes {
        outbox_delete: keys_of(settled, found),
        thread: Some(thread_id.clone()),
        clear_thread: true,
        cursor: Some(to_bytes(&cursor)),
        participants: Some(to_bytes(participants)),
        buckets: merged_buckets(messages, &empty).ok_or(Refused)?,
        ..Changes::default()
    })
}
