//! What a reader is given, from the rows that a store has found. Pure.

use rejoinder_protocol::{
    CATCH_UP_CHANGES_MAX, Cursor, Epoch, HistoryPage, InboxPage, Message, Object, PAGE_BYTES_MAX,
    PAGE_CHANGES_MAX, Page, Preview, Reset, Revision, SequenceNumber, Since, ThreadId,
    ThreadSummary, encode,
};

use super::plan::ThreadState;

/// Holds a wish for so many rows to what fits into an answer.
pub(super) fn clamp(limit: u32) -> usize {
    usize::try_from(limit).map_or(PAGE_CHANGES_MAX, |limit| limit.clamp(1, PAGE_CHANGES_MAX))
}

/// Where a reader continues.
pub(super) enum Start {
    /// After this change.
    After(Revision),
    /// It cannot continue from the cursor it named, if it named one.
    Reset(Option<Cursor>),
}

/// Decides where a reader continues. The head is the store's own, never what anybody remembers.
///
/// `brought_by` is the change that brought the message which `since` names, if there is such a one:
/// the original one, for an edit raises the message's own revision, and would hide what changed
/// before it.
pub(super) fn start(
    epoch: &Epoch,
    head: Revision,
    since: &Since,
    brought_by: Option<Revision>,
) -> Start {
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
        Since::Nothing => return Start::Reset(None),
        Since::Cursor(cursor) if cursor.epoch != *epoch => {
            return Start::Reset(Some(cursor.clone()));
        }
        Since::Cursor(cursor) => (cursor.revision, Some(cursor.clone())),
        Since::Message(_) => match brought_by {
            None => return Start::Reset(None),
            Some(revision) => (revision, None),
        },
    };
    if from > head || head.changes_since(from) > CATCH_UP_CHANGES_MAX {
        return Start::Reset(answers);
    }
    Start::After(from)
}

/// Returns the last change that a page after `from` may hold.
pub(super) fn page_end(thread: &ThreadState, from: Revision, to: Option<Revision>) -> Revision {
    let head = thread.head.revision;
    to.unwrap_or(head).min(head).max(from)
}

/// Makes the page of `(from, to]`, with as many objects as fit.
///
/// `messages` are those whose last change lies there, by rising revision.
pub(super) fn page<E>(
    thread_id: &ThreadId,
    thread: &ThreadState,
    from: Revision,
    to: Revision,
    mut messages: impl Iterator<Item = Result<Message, E>>,
) -> Result<Page, E> {
    let mut participants: Vec<_> = thread
        .participants
        .iter()
        .filter(|one| one.revision > from && one.revision <= to)
        .cloned()
        .collect();
    participants.sort_by_key(|one| std::cmp::Reverse(one.revision));
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
        head_revision: thread.head.revision,
        changes,
        more,
    })
}

/// Messages by rising place, and whether there are older ones.
pub(super) struct Newest {
    pub(super) messages: Vec<Message>,
    pub(super) has_older: bool,
}

/// Takes the first of messages that come by falling place, as many as fit.
pub(super) fn newest<E>(
    falling: impl Iterator<Item = Result<Message, E>>,
    limit: usize,
) -> Result<Newest, E> {
    let (mut messages, mut bytes, mut has_older) = (Vec::new(), 0, false);
    for message in falling {
        let message = message?;
        bytes += encode(&message).len();
        if !messages.is_empty() && (messages.len() >= limit || bytes > PAGE_BYTES_MAX) {
            has_older = true;
            break;
        }
        messages.push(message);
    }
    messages.reverse();
    Ok(Newest {
        messages,
        has_older,
    })
}

/// Makes the newest window.
pub(super) fn reset(
    epoch: &Epoch,
    thread_id: &ThreadId,
    thread: &ThreadState,
    newest: Newest,
    answers: Option<Cursor>,
) -> Reset {
    let mut window: Vec<_> = newest.messages.into_iter().map(Object::Message).collect();
    window.extend(thread.participants.iter().cloned().map(Object::Participant));
    Reset {
        thread_id: thread_id.clone(),
        epoch: epoch.clone(),
        head_revision: thread.head.revision,
        window,
        has_older: newest.has_older,
        answers,
    }
}

/// Makes a page of older messages.
pub(super) fn history(
    epoch: &Epoch,
    thread_id: &ThreadId,
    thread: &ThreadState,
    before: SequenceNumber,
    newest: Newest,
) -> HistoryPage {
    HistoryPage {
        thread_id: thread_id.clone(),
        before_sequence_number: before,
        epoch: epoch.clone(),
        as_of: thread.head.revision,
        messages: newest.messages,
        has_older: newest.has_older,
    }
}

/// Makes a thread's line in a list.
pub(super) fn summary(
    thread_id: &ThreadId,
    thread: &ThreadState,
    newest: Option<&Message>,
) -> ThreadSummary {
    ThreadSummary {
        thread_id: thread_id.clone(),
        participants: thread.active(),
        revision: thread.head.revision,
        sequence_number: thread.head.sequence_number,
        preview: newest.and_then(Preview::of),
    }
}

/// A place in a user's inbox: threads by the moment of their last change, falling, and by id where
/// the moments are equal. Its text is the opaque `next`.
pub(super) struct Position {
    pub(super) moment: i64,
    pub(super) thread_id: String,
}

impl Position {
    /// Reads the `next` of the page before; `None` if it never was one.
    pub(super) fn parse(before: Option<&str>) -> Option<Self> {
        let Some(text) = before else {
            return Some(Self {
                moment: i64::MAX,
                thread_id: String::new(),
            });
        };
        let (moment, thread_id) = text.split_once('/')?;
        Some(Self {
            moment: moment.parse().ok()?,
            thread_id: thread_id.to_owned(),
        })
    }
}

/// Makes a page of an inbox, with as many threads as fit. `found` comes in the inbox' order, each
/// with the moment of its last change.
pub(super) fn inbox<E>(
    found: impl Iterator<Item = Result<(i64, ThreadSummary), E>>,
    limit: u32,
) -> Result<InboxPage, E> {
    let (mut threads, mut bytes): (Vec<ThreadSummary>, _) = (Vec::new(), 0);
    let (mut position, mut next) = (None, None);
    for found in found {
        let (moment, summary) = found?;
        bytes += encode(&summary).len();
        if !threads.is_empty() && (threads.len() >= clamp(limit) || bytes > PAGE_BYTES_MAX) {
            next = position;
            break;
        }
        position = Some(format!("{moment}/{}", summary.thread_id));
        threads.push(summary);
    }
    Ok(InboxPage { threads, next })
}
