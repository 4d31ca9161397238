//! What one frame says, held against the truth.

use rejoinder_protocol::{
    Ack, ClientFrameType, ErrorCode, ErrorFrame, HistoryPage, Object, PAGE_BYTES_MAX,
    PAGE_CHANGES_MAX, Page, RESET_MESSAGES, Reset, ServerFrame, Since, ThreadId, ThreadSummary,
    UserId, encode,
};

use crate::checks::wire::Session;
use crate::invariant::Invariant;
use crate::truth::{Key, ThreadTruth, Truth, Wrong};

pub(super) fn check(
    truth: &Truth,
    session: &mut Session,
    user_id: &UserId,
    frame: &ServerFrame,
) -> Result<(), Wrong> {
    match frame {
        ServerFrame::Ack(ack) => check_ack(truth, user_id, ack),
        ServerFrame::Cancelled(cancelled) => {
            let name = (
                cancelled.thread_id.clone(),
                user_id.clone(),
                cancelled.client_msg_id,
            );
            match truth.keys.get(&name) {
                Some(Key::Void) => Ok(()),
                other => Err((Invariant::DiscardsAreTrue, format!("the key is {other:?}"))),
            }
        }
        ServerFrame::Error(error) => check_error(truth, user_id, error),
        ServerFrame::Change(change) => {
            let told = session.threads.entry(change.thread_id.clone()).or_default();
            let thread = known(truth, &change.thread_id)?;
            let revision = change.revision.get();
            if told.last.is_none_or(|last| revision != last + 1) {
                let detail = format!("after {:?}", told.last);
                return Err((Invariant::ToldWithoutHole, detail));
            }
            told.last = Some(revision);
            if thread.changes.get(revision as usize - 1) != Some(&change.object) {
                return Err((
                    Invariant::ReadsAreWhole,
                    "not what was committed".to_owned(),
                ));
            }
            check_reader(thread, user_id, revision)
        }
        ServerFrame::Live(live) => {
            let told = session.threads.entry(live.thread_id.clone()).or_default();
            let revision = live.revision.get();
            // Without a page between: the client stands where it asked from.
            let is_asked = |since: &Since| match since {
                Since::Cursor(cursor) => cursor.revision.get() == revision,
                Since::Message(_) => true,
                Since::Nothing => false,
            };
            if told.last != Some(revision) {
                let Some(asked) = told.asked.iter().position(is_asked) else {
                    return Err((Invariant::ToldWithoutHole, format!("after {:?}", told.last)));
                };
                told.asked.drain(..=asked);
            }
            told.last = Some(revision);
            Ok(())
        }
        ServerFrame::Page(page) => check_page(truth, session, user_id, page),
        ServerFrame::Reset(reset) => check_reset(truth, session, user_id, reset),
        ServerFrame::History(page) => check_history(truth, user_id, page),
        ServerFrame::Thread(summary) => check_summary(truth, user_id, summary),
        ServerFrame::Inbox(page) => {
            let stranger = page.threads.iter().find(|one| {
                let thread = truth.threads.get(&one.thread_id);
                thread.is_none_or(|thread| !thread.is_member_at(user_id, one.revision.get()))
            });
            match stranger {
                Some(one) => Err((
                    Invariant::OnlyMembersRead,
                    format!("{} in it", one.thread_id),
                )),
                None => Ok(()),
            }
        }
        ServerFrame::Removed(removed) => {
            let thread = truth.threads.get(&removed.thread_id);
            let stays = thread.and_then(|thread| thread.stays.get(user_id));
            let was_removed = stays.is_none_or(|all| all.iter().any(|(_, left)| left.is_some()));
            if was_removed {
                return Ok(());
            }
            Err((Invariant::OnlyMembersRead, "takes part".to_owned()))
        }
        _ => Ok(()),
    }
}

fn known<'a>(truth: &'a Truth, thread_id: &ThreadId) -> Result<&'a ThreadTruth, Wrong> {
    let thread = truth.threads.get(thread_id);
    thread.ok_or((
        Invariant::ReadsAreWhole,
        "the thread does not exist".to_owned(),
    ))
}

/// Nothing of a revision may be told to somebody who did not take part then. The removal itself is
/// told by `removed` alone.
fn check_reader(thread: &ThreadTruth, user_id: &UserId, revision: u64) -> Result<(), Wrong> {
    if thread.is_member_at(user_id, revision) {
        return Ok(());
    }
    Err((
        Invariant::OnlyMembersRead,
        format!("did not take part at {revision}"),
    ))
}

fn check_ack(truth: &Truth, user_id: &UserId, ack: &Ack) -> Result<(), Wrong> {
    let name = (ack.thread_id.clone(), user_id.clone(), ack.client_msg_id);
    let Some(Key::Stored { ack: first, .. }) = truth.keys.get(&name) else {
        return Err((Invariant::AckedIsStored, "nothing is stored".to_owned()));
    };
    let given = Ack {
        duplicate: false,
        ..ack.clone()
    };
    if given != *first {
        return Err((Invariant::AcksAreTrue, format!("the first was {first:?}")));
    }
    let thread = known(truth, &ack.thread_id)?;
    let message = thread.messages.get(ack.sequence_number.get() as usize - 1);
    match message {
        Some(message) if message.server_msg_id != ack.server_msg_id => {
            Err((Invariant::AcksAreTrue, format!("there is {message:?}")))
        }
        Some(message) if message.sender_id != *user_id => Err((
            Invariant::SenderIsUser,
            format!("the sender is {}", message.sender_id),
        )),
        Some(_) => Ok(()),
        None => Err((
            Invariant::AckedIsStored,
            "there is no such place".to_owned(),
        )),
    }
}

fn check_error(truth: &Truth, user_id: &UserId, error: &ErrorFrame) -> Result<(), Wrong> {
    let Some(reference) = &error.reference else {
        return Ok(());
    };
    let (Some(thread_id), Some(key), ClientFrameType::Send) = (
        &reference.thread_id,
        reference.client_msg_id,
        reference.frame_type,
    ) else {
        return Ok(());
    };
    let name = (thread_id.clone(), user_id.clone(), key);
    let is_true = match (error.code, truth.keys.get(&name)) {
        (ErrorCode::IdConflict, Some(Key::Stored { .. })) | (ErrorCode::Gone, Some(Key::Void)) => {
            true
        }
        (ErrorCode::IdConflict | ErrorCode::Gone, _) => false,
        _ => true,
    };
    if is_true {
        return Ok(());
    }
    let detail = format!("the key is {:?}", truth.keys.get(&name));
    Err((Invariant::ConflictsAreTrue, detail))
}

fn check_page(
    truth: &Truth,
    session: &mut Session,
    user_id: &UserId,
    page: &Page,
) -> Result<(), Wrong> {
    let thread = known(truth, &page.thread_id)?;
    let told = session.threads.entry(page.thread_id.clone()).or_default();
    let (from, to) = (page.from_revision.get(), page.to_revision.get());
    let head = page.head_revision.get();
    let asked = told.asked.iter().position(|since| match since {
        Since::Cursor(cursor) => {
            cursor.revision.get() == from && session.epoch.as_ref() == Some(&cursor.epoch)
        }
        Since::Message(_) => true,
        _ => false,
    });
    // A gateway that is not sure where a client stands may repeat a little, never leave out.
    if told.last.is_none_or(|last| from > last) {
        let Some(asked) = asked else {
            return Err((Invariant::ToldWithoutHole, format!("after {:?}", told.last)));
        };
        told.asked.drain(..=asked);
    }
    told.last = Some(to);
    if page.changes != thread.page(from, to, head) {
        let expected = thread.page(from, to, head);
        return Err((
            Invariant::ReadsAreWhole,
            format!("the store holds {expected:?}"),
        ));
    }
    let bytes: usize = page.changes.iter().map(|object| encode(object).len()).sum();
    let is_long =
        page.changes.len() > 1 && (page.changes.len() > PAGE_CHANGES_MAX || bytes > PAGE_BYTES_MAX);
    let stands_still = page.more && to <= from;
    if is_long || stands_still || to > head || (!page.more && to != head) {
        let detail = format!("{} changes, {bytes} bytes", page.changes.len());
        return Err((Invariant::PagesAreBounded, detail));
    }
    check_reader(thread, user_id, head)
}

fn check_reset(
    truth: &Truth,
    session: &mut Session,
    user_id: &UserId,
    reset: &Reset,
) -> Result<(), Wrong> {
    let thread = known(truth, &reset.thread_id)?;
    let head = reset.head_revision.get();
    let told = session.threads.entry(reset.thread_id.clone()).or_default();
    told.last = Some(head);
    let answered = reset.answers.clone().map_or(Since::Nothing, Since::Cursor);
    if let Some(asked) = told.asked.iter().position(|since| *since == answered) {
        told.asked.drain(..=asked);
    }
    let given: Vec<_> = reset
        .window
        .iter()
        .filter_map(|object| match object {
            Object::Message(message) => Some(message.clone()),
            _ => None,
        })
        .collect();
    let (expected, people) = thread.window(RESET_MESSAGES as u64, head);
    let is_tail = expected.ends_with(&given) && (given.len() == expected.len() || reset.has_older);
    let given_people = reset.window.len() - given.len();
    let is_older_told = reset.has_older == (thread.messages_at(head) > given.len() as u64);
    if !is_tail || given_people != people.len() || !is_older_told {
        let detail = format!("the store holds {expected:?}");
        return Err((Invariant::ReadsAreWhole, detail));
    }
    check_reader(thread, user_id, head)
}

fn check_history(truth: &Truth, user_id: &UserId, page: &HistoryPage) -> Result<(), Wrong> {
    let thread = known(truth, &page.thread_id)?;
    let as_of = page.as_of.get();
    // A client that knew another history may ask from above the newest message.
    let above = thread.messages_at(as_of) + 1;
    let mut below = page.before_sequence_number.get().min(above);
    for message in page.messages.iter().rev() {
        below -= 1;
        if thread.message_at(below, as_of) != Some(message) {
            let expected = thread.message_at(below, as_of);
            return Err((
                Invariant::ReadsAreWhole,
                format!("the store holds {expected:?}"),
            ));
        }
    }
    if !page.has_older && below > 1 && thread.messages_at(as_of) > 0 {
        return Err((
            Invariant::ReadsAreWhole,
            format!("it says that nothing is below {below}"),
        ));
    }
    check_reader(thread, user_id, as_of)
}

fn check_summary(truth: &Truth, user_id: &UserId, summary: &ThreadSummary) -> Result<(), Wrong> {
    let thread = known(truth, &summary.thread_id)?;
    let revision = summary.revision.get();
    if summary.sequence_number.get() != thread.messages_at(revision) {
        let newest = thread.messages_at(revision);
        return Err((
            Invariant::ReadsAreWhole,
            format!("the newest message is {newest}"),
        ));
    }
    check_reader(thread, user_id, revision)
}
