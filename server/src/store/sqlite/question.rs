//! Reads, each in one transaction that also checks that the user may.

use rejoinder_protocol::{
    CATCH_UP_CHANGES_MAX, Cursor, Epoch, HistoryPage, InboxPage, Message, Object, PAGE_BYTES_MAX,
    PAGE_CHANGES_MAX, Page, Preview, RESET_MESSAGES, Reset, Revision, SequenceNumber, Since,
    ThreadId, ThreadSummary, UserId, encode,
};
use rusqlite::{Connection, params};

use super::{rows, schema};
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
        Read::History {
            user_id, thread_id, ..
        }
        | Read::Page {
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
            let (messages, has_older) =
                messages_below(connection, thread_id, *before, clamp(*limit))?;
            Ok(Content::History(HistoryPage {
                thread_id: thread_id.clone(),
                before_sequence_number: *before,
                epoch: epoch.clone(),
                as_of: thread.head.revision,
                messages,
                has_older,
            }))
        }
        Read::Page {
            since, to_revision, ..
        } => match start(connection, epoch, thread_id, thread, since)? {
            Start::After(from) => {
                let to = to_revision.unwrap_or(thread.head.revision);
                let page = page(connection, thread_id, thread, from, to)?;
                Ok(Content::Page(page, thread.active()))
            }
            Start::Reset(answers) => {
                let reset = reset(connection, epoch, thread_id, thread, answers)?;
                Ok(Content::Reset(reset, thread.active()))
            }
        },
        Read::Inbox { .. } | Read::Summary { .. } => {
            summary(connection, thread_id, thread).map(Content::Summary)
        }
    }
}

fn clamp(limit: u32) -> usize {
    usize::try_from(limit).map_or(PAGE_CHANGES_MAX, |limit| limit.clamp(1, PAGE_CHANGES_MAX))
}

enum Start {
    After(Revision),
    /// The reader cannot continue from the cursor it named, if it named one.
    Reset(Option<Cursor>),
}

/// Decides where a reader continues. The head is the store's own, never what anybody remembers.
fn start(
    connection: &Connection,
    epoch: &Epoch,
    thread_id: &ThreadId,
    thread: &ThreadState,
    since: &Since,
) -> rusqlite::Result<Start> {
    let head = thread.head.revision;
    #[cfg(feature = "mutants")]
    let since = &match since {
        Since::Cursor(cursor) if rejoinder_mutants::planted!(EpochIgnored) => {
            Since::Cursor(Cursor {
                epoch: epoch.clone(),
                ..cursor.clone()
            })
        }
        Since::Cursor(_) | Since::Message(_) | Since::Nothing => since.clone(),
    };
    let (from, answers) = match since {
        Since::Nothing => return Ok(Start::Reset(None)),
        Since::Cursor(cursor) if cursor.epoch != *epoch => {
            return Ok(Start::Reset(Some(cursor.clone())));
        }
        Since::Cursor(cursor) => (cursor.revision, Some(cursor.clone())),
        // A tombstone still has its row. The revision is that of the key, the original one: an edit
        // raises the message's own, and would hide what changed before it.
        Since::Message(id) => match rows::message_by_id(connection, thread_id, id)? {
            None => return Ok(Start::Reset(None)),
            Some(message) => {
                let revision = message.revision;
                let name = (thread_id.clone(), message.sender_id, message.client_msg_id);
                match rows::key(connection, &name)? {
                    Some(Key::Stored(stored)) => (stored.revision, None),
                    Some(Key::Void) | None => (revision, None),
                }
            }
        },
    };
    if from > head || head.changes_since(from) > CATCH_UP_CHANGES_MAX {
        return Ok(Start::Reset(answers));
    }
    Ok(Start::After(from))
}

/// Reads the objects whose last change lies in `(from, to]`, as many as fit.
fn page(
    connection: &Connection,
    thread_id: &ThreadId,
    thread: &ThreadState,
    from: Revision,
    to: Revision,
) -> rusqlite::Result<Page> {
    let head_revision = thread.head.revision;
    let to = to.min(head_revision).max(from);
    let mut participants: Vec<_> = thread
        .participants
        .iter()
        .filter(|one| one.revision > from && one.revision <= to)
        .cloned()
        .collect();
    participants.sort_by_key(|one| std::cmp::Reverse(one.revision));
    let sql = format!(
        "SELECT {} FROM messages WHERE thread_id = ?1 AND revision > ?2 AND revision <= ?3 \
         ORDER BY revision",
        rows::MESSAGE_COLUMNS
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let bounds = params![thread_id.as_str(), rows::integer(from), rows::integer(to)];
    let mut messages = statement.query_map(bounds, rows::message)?;
    let mut message = messages.next().transpose()?;
    let (mut changes, mut bytes) = (Vec::new(), 0);
    let mut more = false;
    loop {
        // Both lists rise by revision; take the lower of their heads.
        let participant_first = match (&message, participants.last()) {
            (Some(message), Some(one)) => one.revision < message.revision,
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (None, None) => break,
        };
        let object = if participant_first {
            participants.pop().map(Object::Participant)
        } else {
            let next = messages.next().transpose()?;
            std::mem::replace(&mut message, next).map(Object::Message)
        };
        let Some(object) = object else { break };
        bytes += encode(&object).len();
        if !changes.is_empty() && (changes.len() >= PAGE_CHANGES_MAX || bytes > PAGE_BYTES_MAX) {
            more = true;
            break;
        }
        changes.push(object);
    }
    #[cfg(feature = "mutants")]
    let more = more && !rejoinder_mutants::planted!(CutPageSaysComplete);
    let last = changes.last().and_then(Object::revision).unwrap_or(to);
    Ok(Page {
        thread_id: thread_id.clone(),
        from_revision: from,
        to_revision: if more { last } else { to },
        head_revision,
        changes,
        more,
    })
}

fn reset(
    connection: &Connection,
    epoch: &Epoch,
    thread_id: &ThreadId,
    thread: &ThreadState,
    answers: Option<Cursor>,
) -> rusqlite::Result<Reset> {
    let above = thread.head.sequence_number.next();
    let (messages, has_older) = messages_below(connection, thread_id, above, RESET_MESSAGES)?;
    let mut window: Vec<_> = messages.into_iter().map(Object::Message).collect();
    window.extend(thread.participants.iter().cloned().map(Object::Participant));
    Ok(Reset {
        thread_id: thread_id.clone(),
        epoch: epoch.clone(),
        head_revision: thread.head.revision,
        window,
        has_older,
        answers,
    })
}

/// Reads the newest messages below a place, by rising place, and whether older ones exist.
fn messages_below(
    connection: &Connection,
    thread_id: &ThreadId,
    before: SequenceNumber,
    limit: usize,
) -> rusqlite::Result<(Vec<Message>, bool)> {
    let sql = format!(
        "SELECT {} FROM messages WHERE thread_id = ?1 AND sequence_number < ?2 \
         ORDER BY sequence_number DESC",
        rows::MESSAGE_COLUMNS
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let bounds = params![thread_id.as_str(), rows::integer(before)];
    let rows = statement.query_map(bounds, rows::message)?;
    let (mut messages, mut bytes, mut has_older) = (Vec::new(), 0, false);
    for message in rows {
        let message = message?;
        bytes += encode(&message).len();
        if !messages.is_empty() && (messages.len() >= limit || bytes > PAGE_BYTES_MAX) {
            has_older = true;
            break;
        }
        messages.push(message);
    }
    messages.reverse();
    Ok((messages, has_older))
}

fn summary(
    connection: &Connection,
    thread_id: &ThreadId,
    thread: &ThreadState,
) -> rusqlite::Result<ThreadSummary> {
    let above = thread.head.sequence_number.next();
    let (newest, _) = messages_below(connection, thread_id, above, 1)?;
    Ok(ThreadSummary {
        thread_id: thread_id.clone(),
        participants: thread.active(),
        revision: thread.head.revision,
        sequence_number: thread.head.sequence_number,
        preview: newest.first().and_then(Preview::of),
    })
}

/// Reads a page of a user's threads, by the moment of their last change, falling.
///
/// The opaque `next` is that moment and the thread's id, which tells equal moments apart.
fn inbox(
    connection: &Connection,
    user_id: &UserId,
    limit: u32,
    before: Option<&str>,
) -> rusqlite::Result<Content> {
    let (moment, last) = match before.map(|text| text.split_once('/')) {
        None => (i64::MAX, String::new()),
        Some(Some((moment, thread_id))) => match moment.parse::<i64>() {
            Ok(moment) => (moment, thread_id.to_owned()),
            Err(_) => return Ok(Content::Invalid),
        },
        Some(None) => return Ok(Content::Invalid),
    };
    let mut statement = connection.prepare_cached(
        "SELECT heads.thread_id, heads.changed_at FROM participants JOIN heads USING (thread_id) \
         WHERE user_id = ?1 AND left_at IS NULL AND (changed_at < ?2 \
         OR (changed_at = ?2 AND thread_id > ?3)) ORDER BY changed_at DESC, thread_id",
    )?;
    let found = statement.query_map(params![user_id.as_str(), moment, last], |row| {
        Ok((rows::parsed::<ThreadId>(row, 0)?, row.get::<_, i64>(1)?))
    })?;
    let (mut threads, mut bytes): (Vec<ThreadSummary>, _) = (Vec::new(), 0);
    let (mut position, mut next) = (None, None);
    for found in found {
        let (thread_id, changed_at) = found?;
        let Some(thread) = rows::thread(connection, &thread_id)? else {
            continue;
        };
        let summary = summary(connection, &thread_id, &thread)?;
        bytes += encode(&summary).len();
        if !threads.is_empty() && (threads.len() >= clamp(limit) || bytes > PAGE_BYTES_MAX) {
            next = position;
            break;
        }
        threads.push(summary);
        position = Some(format!("{changed_at}/{thread_id}"));
    }
    Ok(Content::Inbox(InboxPage { threads, next }))
}
