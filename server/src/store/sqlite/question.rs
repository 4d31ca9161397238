//! Reads, each in one transaction that also checks that the user may.

use std::collections::BTreeMap;

use rejoinder_protocol::{
    Epoch, RESET_MESSAGES, Revision, SequenceNumber, Since, ThreadId, ThreadSummary, UnixMillis,
    UserId,
};
use rusqlite::{Connection, params};

use super::{rows, schema};
use crate::store::answer::{self, Newest, Position, Start};
use crate::store::plan::{Key, ThreadState};
use crate::store::{Content, Read, ReadAnswer};

/// Answers a question in one transaction.
pub(super) fn answer(connection: &Connection, read: &Read) -> rusqlite::Result<ReadAnswer> {
    let transaction = connection.unchecked_transaction()?;
    let epoch = schema::read_epoch(&transaction)?;
    let content = match read {
        Read::Inbox {
            user_id,
            limit,
            before,
        } => inbox(&transaction, user_id, *limit, before.as_deref())?,
        Read::Changed { user_ids, since } => {
            Content::Heads(changed(&transaction, user_ids, *since)?)
        }
        Read::Heads { thread_ids } => Content::Heads(heads(&transaction, thread_ids)?),
        Read::Overview { thread_id } => match rows::thread(&transaction, thread_id)? {
            Some(thread) => {
                let summary = summary(&transaction, thread_id, &thread)?;
                Content::Overview(summary, thread.left())
            }
            None => Content::NotFound,
        },
        Read::History {
            reader, thread_id, ..
        }
        | Read::Participants { reader, thread_id } => {
            match rows::thread(&transaction, thread_id)? {
                Some(thread) if reader.may_read(&thread) => {
                    of_thread(&transaction, &epoch, read, thread_id, &thread)?
                }
                Some(_) | None => Content::NotFound,
            }
        }
        Read::Page {
            user_id, thread_id, ..
        }
        | Read::Summary { user_id, thread_id } => match rows::thread(&transaction, thread_id)? {
            Some(thread) if thread.admits(user_id) => {
                of_thread(&transaction, &epoch, read, thread_id, &thread)?
            }
            // One answer for both: nobody learns which threads exist.
            Some(_) | None => Content::NotFound,
        },
    };
    Ok(ReadAnswer { epoch, content })
}

fn of_thread(
    connection: &Connection,
    epoch: &Epoch,
    read: &Read,
    thread_id: &ThreadId,
    thread: &ThreadState,
) -> rusqlite::Result<Content> {
    match read {
        Read::History { before, limit, .. } => {
            let newest = newest_below(connection, thread_id, *before, answer::clamp(*limit))?;
            let history = answer::history(epoch, thread_id, thread, *before, newest);
            Ok(Content::History(history))
        }
        Read::Page {
            since, to_revision, ..
        } => {
            let brought_by = brought_by(connection, thread_id, since)?;
            match answer::start(epoch, thread.head.revision, since, brought_by) {
                Start::After(from) => {
                    let to = answer::page_end(thread, from, *to_revision);
                    let page = page(connection, thread_id, thread, from, to)?;
                    Ok(Content::Page(page, thread.active()))
                }
                Start::Reset(answers) => {
                    let above = thread.head.sequence_number.next();
                    let newest = newest_below(connection, thread_id, above, RESET_MESSAGES)?;
                    let reset = answer::reset(epoch, thread_id, thread, newest, answers);
                    Ok(Content::Reset(reset, thread.active()))
                }
            }
        }
        Read::Participants { .. } => Ok(Content::Participants(thread.participants.clone())),
        Read::Changed { .. }
        | Read::Heads { .. }
        | Read::Inbox { .. }
        | Read::Overview { .. }
        | Read::Summary { .. } => summary(connection, thread_id, thread).map(Content::Summary),
    }
}

/// Finds the change that brought the message a reader names. A tombstone still has its row.
fn brought_by(
    connection: &Connection,
    thread_id: &ThreadId,
    since: &Since,
) -> rusqlite::Result<Option<Revision>> {
    let Since::Message(id) = since else {
        return Ok(None);
    };
    let Some(message) = rows::message_by_id(connection, thread_id, id)? else {
        return Ok(None);
    };
    let name = (thread_id.clone(), message.sender_id, message.client_msg_id);
    Ok(match rows::key(connection, &name)? {
        Some(Key::Stored(stored)) => Some(stored.revision),
        Some(Key::Void) | None => Some(message.revision),
    })
}

fn page(
    connection: &Connection,
    thread_id: &ThreadId,
    thread: &ThreadState,
    from: Revision,
    to: Revision,
) -> rusqlite::Result<rejoinder_protocol::Page> {
    let sql = format!(
        "SELECT {} FROM messages WHERE thread_id = ?1 AND revision > ?2 AND revision <= ?3 \
         ORDER BY revision",
        rows::MESSAGE_COLUMNS
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let bounds = params![thread_id.as_str(), rows::integer(from), rows::integer(to)];
    let messages = statement.query_map(bounds, rows::message)?;
    answer::page(thread_id, thread, from, to, messages)
}

/// Reads the newest messages below a place.
fn newest_below(
    connection: &Connection,
    thread_id: &ThreadId,
    before: SequenceNumber,
    limit: usize,
) -> rusqlite::Result<Newest> {
    let sql = format!(
        "SELECT {} FROM messages WHERE thread_id = ?1 AND sequence_number < ?2 \
         ORDER BY sequence_number DESC",
        rows::MESSAGE_COLUMNS
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let bounds = params![thread_id.as_str(), rows::integer(before)];
    answer::newest(statement.query_map(bounds, rows::message)?, limit)
}

fn summary(
    connection: &Connection,
    thread_id: &ThreadId,
    thread: &ThreadState,
) -> rusqlite::Result<ThreadSummary> {
    let above = thread.head.sequence_number.next();
    let newest = newest_below(connection, thread_id, above, 1)?;
    Ok(answer::summary(thread_id, thread, newest.messages.first()))
}

fn heads(
    connection: &Connection,
    thread_ids: &[ThreadId],
) -> rusqlite::Result<Vec<(ThreadId, Revision)>> {
    let mut heads = Vec::new();
    for thread_id in thread_ids {
        if let Some(thread) = rows::thread(connection, thread_id)? {
            heads.push((thread_id.clone(), thread.head.revision));
        }
    }
    Ok(heads)
}

fn changed(
    connection: &Connection,
    user_ids: &[UserId],
    since: UnixMillis,
) -> rusqlite::Result<Vec<(ThreadId, Revision)>> {
    let mut statement = connection.prepare_cached(
        "SELECT heads.thread_id, heads.revision FROM participants JOIN heads USING (thread_id) \
         WHERE user_id = ?1 AND left_at IS NULL AND changed_at >= ?2",
    )?;
    let mut changed = BTreeMap::new();
    for user_id in user_ids {
        let found = params![user_id.as_str(), rows::integer(since)];
        let found = statement.query_map(found, |row| {
            Ok((rows::parsed(row, 0)?, rows::number(row, 1)?))
        })?;
        for found in found {
            let (thread_id, revision) = found?;
            changed.insert(thread_id, revision);
        }
    }
    Ok(changed.into_iter().collect())
}

fn inbox(
    connection: &Connection,
    user_id: &UserId,
    limit: u32,
    before: Option<&str>,
) -> rusqlite::Result<Content> {
    let Some(position) = Position::parse(before) else {
        return Ok(Content::Invalid);
    };
    let mut statement = connection.prepare_cached(
        "SELECT heads.thread_id, heads.changed_at FROM participants JOIN heads USING (thread_id) \
         WHERE user_id = ?1 AND left_at IS NULL AND (changed_at < ?2 \
         OR (changed_at = ?2 AND thread_id > ?3)) ORDER BY changed_at DESC, thread_id",
    )?;
    let bounds = params![user_id.as_str(), position.moment, position.thread_id];
    let found = statement.query_map(bounds, |row| {
        let thread_id = rows::parsed::<ThreadId>(row, 0)?;
        // The transaction sees the row that it has just joined.
        let thread = rows::thread(connection, &thread_id)?.unwrap_or_default();
        Ok((row.get(1)?, summary(connection, &thread_id, &thread)?))
    })?;
    answer::inbox(found, limit).map(Content::Inbox)
}
