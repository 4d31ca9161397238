//! What a transaction of the browser's database does with what it read.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rejoinder_protocol::{
    ClientMsgId, Epoch, ErrorCode, Message, Participant, Revision, SequenceNumber, ThreadId,
};

use super::load::load_outbox;
use super::record::{
    CursorRecord, EntryRecord, OrderNumber, SCHEMA_LEVEL, bucket_of, from_bytes, merge_message,
    to_bytes,
};

/// One atomic change of the browser's database.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Write {
    /// Add a message to the outbox. Answered by [`Answer::Enqueued`].
    Enqueue(EntryRecord),
    /// Before the first transmit: check that the row exists and set `attempted`. Answered by
    /// [`Answer::Attempted`].
    MarkAttempted {
        /// The row.
        client_msg_id: ClientMsgId,
    },
    /// Delete a row that was never attempted, or store the wish to cancel it. Answered by
    /// [`Answer::Deleted`], [`Answer::MaybeSent`] or [`Answer::Absent`].
    Discard {
        /// The row.
        client_msg_id: ClientMsgId,
    },
    /// Store, or forget, that a message was refused for good.
    SetFailed {
        /// The row.
        client_msg_id: ClientMsgId,
        /// Why; `None` if the user tries again.
        code: Option<ErrorCode>,
    },
    /// Delete rows whose fate is known.
    DeleteEntries {
        /// The rows.
        client_msg_ids: Vec<ClientMsgId>,
    },
    /// Changes in `(from, to]`, merged into what is stored.
    Advance {
        /// The thread.
        thread_id: ThreadId,
        /// The history that the numbers belong to.
        epoch: Epoch,
        /// The count that the engine loaded or wrote.
        reset_count: u64,
        /// The engine's cursor before.
        from: Revision,
        /// The engine's cursor after.
        to: Revision,
        /// The messages that changed.
        messages: Vec<Message>,
        /// The participants that changed.
        participants: Vec<Participant>,
        /// Own messages that are now stored as confirmed.
        settled: Vec<ClientMsgId>,
    },
    /// Messages right below the oldest stored one.
    History {
        /// The thread.
        thread_id: ThreadId,
        /// The history that the numbers belong to.
        epoch: Epoch,
        /// The count that the engine loaded or wrote.
        reset_count: u64,
        /// The head when the gateway read them.
        as_of: Revision,
        /// By rising place.
        messages: Vec<Message>,
    },
    /// Everything stored of the thread is replaced.
    Reset {
        /// The thread.
        thread_id: ThreadId,
        /// What the engine believes is stored; `None` if nothing.
        expected: Option<(Epoch, u64)>,
        /// The new history.
        epoch: Epoch,
        /// The new cursor.
        head: Revision,
        /// By rising place.
        messages: Vec<Message>,
        /// Everybody.
        participants: Vec<Participant>,
        /// Own messages that are now stored as confirmed, or lie below the window.
        settled: Vec<ClientMsgId>,
    },
    /// The user is no longer part of the thread.
    RemoveThread {
        /// The thread.
        thread_id: ThreadId,
        /// Own messages that were acknowledged.
        settled: Vec<ClientMsgId>,
    },
}

/// What a transaction has to read before it can decide.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Needs {
    /// All rows of the outbox, with their keys.
    pub outbox: bool,
    /// This thread's cursor and participants.
    pub thread: Option<ThreadId>,
    /// These buckets of the thread.
    pub buckets: Vec<u64>,
    /// Whether the write must survive a power loss. What the gateway also has need not.
    pub strict: bool,
}

/// What the transaction read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Found {
    /// The outbox, by rising key.
    pub outbox: Vec<(u64, Vec<u8>)>,
    /// The thread's cursor.
    pub cursor: Option<Vec<u8>>,
    /// The thread's participants.
    pub participants: Option<Vec<u8>>,
    /// The buckets that exist among those asked for.
    pub buckets: Vec<(u64, Vec<u8>)>,
}

/// What the transaction writes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Changes {
    /// A row to add to the outbox; its new key belongs into the answer to the engine.
    pub outbox_add: Option<Vec<u8>>,
    /// Rows to replace.
    pub outbox_put: Vec<(u64, Vec<u8>)>,
    /// Rows to delete.
    pub outbox_delete: Vec<u64>,
    /// The thread that the rest is about.
    pub thread: Option<ThreadId>,
    /// Whether cursor, participants and all buckets of the thread are deleted first.
    pub clear_thread: bool,
    /// The cursor to put.
    pub cursor: Option<Vec<u8>>,
    /// The participants to put.
    pub participants: Option<Vec<u8>>,
    /// The buckets to put.
    pub buckets: Vec<(u64, Vec<u8>)>,
    /// What to tell the engine once the transaction is complete.
    pub answer: Answer,
}

/// What a committed write tells the engine.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Answer {
    /// Nothing but that it is stored.
    #[default]
    Done,
    /// The message is in the outbox; these rows of its thread were sent before it.
    Enqueued {
        /// Rows of a smaller order number.
        earlier: Vec<(OrderNumber, EntryRecord)>,
    },
    /// `attempted` is set, if the row is there; these rows of its thread come before it.
    Attempted {
        /// Whether the row exists and nobody wants to cancel it.
        present: bool,
        /// Rows of a smaller order number.
        earlier: Vec<(OrderNumber, EntryRecord)>,
    },
    /// The row was never attempted and is gone.
    Deleted,
    /// The row was attempted; the wish to cancel it is stored.
    MaybeSent,
    /// No such row.
    Absent,
}

/// What is stored is not what the engine believed; nothing was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refused;

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
        Write::Enqueue(_)
        | Write::MarkAttempted { .. }
        | Write::Discard { .. }
        | Write::SetFailed { .. }
        | Write::DeleteEntries { .. } => Needs {
            outbox: true,
            strict: true,
            ..Needs::default()
        },
        Write::Advance {
            thread_id,
            messages,
            settled,
            ..
        } => Needs {
            outbox: !settled.is_empty(),
            thread: Some(thread_id.clone()),
            buckets: buckets(messages),
            strict: false,
        },
        Write::History {
            thread_id,
            messages,
            ..
        } => Needs {
            outbox: false,
            thread: Some(thread_id.clone()),
            buckets: buckets(messages),
            strict: false,
        },
        Write::Reset {
            thread_id, settled, ..
        }
        | Write::RemoveThread { thread_id, settled } => Needs {
            outbox: !settled.is_empty(),
            thread: Some(thread_id.clone()),
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
        Write::Enqueue(entry) => Ok(enqueue(entry, found)),
        Write::MarkAttempted { client_msg_id } => Ok(mark_attempted(*client_msg_id, found)),
        Write::Discard { client_msg_id } => Ok(discard(*client_msg_id, found)),
        Write::SetFailed {
            client_msg_id,
            code,
        } => Ok(set_failed(*client_msg_id, *code, found)),
        Write::DeleteEntries { client_msg_ids } => Ok(Changes {
            outbox_delete: keys_of(client_msg_ids, found),
            ..Changes::default()
        }),
        Write::Advance { .. } => advance(write, found),
        Write::History { .. } => history(write, found),
        Write::Reset { .. } => reset(write, found),
        Write::RemoveThread { thread_id, settled } => Ok(Changes {
            outbox_delete: keys_of(settled, found),
            thread: Some(thread_id.clone()),
            clear_thread: true,
            ..Changes::default()
        }),
    }
}

fn keys_of(client_msg_ids: &[ClientMsgId], found: &Found) -> Vec<u64> {
    let (entries, _) = load_outbox(&found.outbox);
    entries
        .into_iter()
        .filter(|(_, entry)| client_msg_ids.contains(&entry.client_msg_id))
        .map(|(order, _)| order.0)
        .collect()
}

fn find(client_msg_id: ClientMsgId, found: &Found) -> Option<(OrderNumber, EntryRecord)> {
    let (entries, _) = load_outbox(&found.outbox);
    entries
        .into_iter()
        .find(|(_, entry)| entry.client_msg_id == client_msg_id)
}

fn earlier(
    thread_id: &ThreadId,
    before: Option<OrderNumber>,
    found: &Found,
) -> Vec<(OrderNumber, EntryRecord)> {
    let (mut entries, _) = load_outbox(&found.outbox);
    entries.retain(|(order, entry)| {
        entry.thread_id == *thread_id && before.is_none_or(|limit| *order < limit)
    });
    entries
}

fn enqueue(entry: &EntryRecord, found: &Found) -> Changes {
    Changes {
        outbox_add: Some(to_bytes(entry)),
        answer: Answer::Enqueued {
            earlier: earlier(&entry.thread_id, None, found),
        },
        ..Changes::default()
    }
}

fn mark_attempted(client_msg_id: ClientMsgId, found: &Found) -> Changes {
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
    let earlier = earlier(&entry.thread_id, Some(order), found);
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

fn discard(client_msg_id: ClientMsgId, found: &Found) -> Changes {
    match find(client_msg_id, found) {
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

fn set_failed(client_msg_id: ClientMsgId, code: Option<ErrorCode>, found: &Found) -> Changes {
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

fn advance(write: &Write, found: &Found) -> Result<Changes, Refused> {
    let Write::Advance {
        thread_id,
        epoch,
        reset_count,
        from,
        to,
        messages,
        participants,
        settled,
    } = write
    else {
        return Err(Refused);
    };
    let mut cursor = stored_cursor(found).ok_or(Refused)?;
    // A stored cursor below `from` would leave a hole: that of a write that never arrived.
    if cursor.epoch != *epoch || cursor.reset_count != *reset_count || cursor.revision < *from {
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
    Ok(Changes {
        outbox_delete: keys_of(settled, found),
        thread: Some(thread_id.clone()),
        cursor: Some(to_bytes(&cursor)),
        participants: merged_participants(participants, found),
        buckets: merged_buckets(&kept, found).ok_or(Refused)?,
        ..Changes::default()
    })
}

fn history(write: &Write, found: &Found) -> Result<Changes, Refused> {
    let Write::History {
        thread_id,
        epoch,
        reset_count,
        as_of,
        messages,
    } = write
    else {
        return Err(Refused);
    };
    let mut cursor = stored_cursor(found).ok_or(Refused)?;
    let (Some(first), Some(last)) = (messages.first(), messages.last()) else {
        return Ok(Changes::default());
    };
    let abuts = last.sequence_number.next() == cursor.oldest;
    if cursor.epoch != *epoch
        || cursor.reset_count != *reset_count
        || !abuts
        || cursor.skipped_revision > *as_of
    {
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

fn reset(write: &Write, found: &Found) -> Result<Changes, Refused> {
    let Write::Reset {
        thread_id,
        expected,
        epoch,
        head,
        messages,
        participants,
        settled,
    } = write
    else {
        return Err(Refused);
    };
    let stored = stored_cursor(found);
    if let Some(stored) = &stored {
        let believed = expected.as_ref();
        let same = believed
            .is_some_and(|(epoch, count)| stored.epoch == *epoch && stored.reset_count == *count);
        // Another engine may already be further in the same history.
        if !same || (stored.epoch == *epoch && *head < stored.revision) {
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
        skipped_revision: Revision::ZERO,
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
