//! What a client shows and has stored: the end of each thread, as the database has it.

use rejoinder::engine::{Delivery, Row};
use rejoinder_protocol::{Message, ThreadId};

use crate::records::{Records, Stored};
use crate::view::{Kept, Shown, View};

static NOTHING_SHOWN: Shown = Shown {
    rows: Vec::new(),
    has_older: false,
};
static NOTHING_KEPT: Kept = Kept {
    revision: 0,
    messages: Vec::new(),
};

pub(super) fn check(records: &Records, view: &View, wrong: &mut Vec<String>) {
    let client = format!("client {} of {}", view.device, view.user_id);
    for row in &view.waiting {
        wrong.push(format!("{client} still has {:?} in its outbox", row.body));
    }
    for thread_id in &view.due {
        let messages = messages(records, thread_id);
        let shown = view.threads.get(thread_id).unwrap_or(&NOTHING_SHOWN);
        if let Some(what) = differs(&shown.rows, messages, is_shown_as, |row| &row.body) {
            wrong.push(format!("{client} shows {thread_id} wrongly: {what}"));
        }
        check_older(&client, thread_id, shown, messages.len(), wrong);
    }
    for thread_id in &view.due {
        let kept = view.kept.get(thread_id).unwrap_or(&NOTHING_KEPT);
        check_kept(&client, records, thread_id, kept, wrong);
    }
}

fn messages<'a>(records: &'a Records, thread_id: &ThreadId) -> &'a [Stored] {
    records.messages.get(thread_id).map_or(&[], Vec::as_slice)
}

fn check_older(
    client: &str,
    thread_id: &ThreadId,
    shown: &Shown,
    all: usize,
    wrong: &mut Vec<String>,
) {
    let has_all = shown.rows.len() >= all;
    if shown.has_older == has_all {
        wrong.push(format!(
            "{client} shows {} of {all} messages of {thread_id}, and has_older is {}",
            shown.rows.len(),
            shown.has_older
        ));
    }
}

fn check_kept(
    client: &str,
    records: &Records,
    thread_id: &ThreadId,
    kept: &Kept,
    wrong: &mut Vec<String>,
) {
    let head = records.heads.get(thread_id).copied().unwrap_or_default();
    if kept.revision != head.revision {
        wrong.push(format!(
            "{client} has stored {thread_id} up to revision {} of {}",
            kept.revision, head.revision
        ));
    }
    let messages = messages(records, thread_id);
    let differs = differs(&kept.messages, messages, is_stored_as, |message| {
        &message.body
    });
    if let Some(what) = differs {
        wrong.push(format!("{client} has stored {thread_id} wrongly: {what}"));
    }
}

/// Says where a client's list is not the end of the database's.
fn differs<T>(
    own: &[T],
    all: &[Stored],
    is_same: fn(&T, &Stored) -> bool,
    body: fn(&T) -> &String,
) -> Option<String> {
    let Some(from) = all.len().checked_sub(own.len()) else {
        return Some(format!("{} messages, there are {}", own.len(), all.len()));
    };
    if own.is_empty() && !all.is_empty() {
        return Some(format!("nothing, there are {}", all.len()));
    }
    let due = all.get(from..).unwrap_or_default();
    let mut pairs = own.iter().zip(due);
    let (own, due) = pairs.find(|(own, due)| !is_same(own, due))?;
    Some(format!(
        "{:?} where {:?} at {} is due",
        body(own),
        due.body,
        due.sequence_number
    ))
}

fn is_shown_as(row: &Row, stored: &Stored) -> bool {
    row.sequence_number.map(|place| place.get()) == Some(stored.sequence_number)
        && row.server_msg_id.as_ref().map(|id| id.as_str()) == Some(stored.server_msg_id.as_str())
        && row.client_msg_id == stored.client_msg_id
        && row.sender_id == stored.sender_id
        && row.body == stored.body
        && row.delivery == Delivery::Sent
        && !row.is_deleted
}

fn is_stored_as(message: &Message, stored: &Stored) -> bool {
    message.sequence_number.get() == stored.sequence_number
        && message.revision.get() == stored.revision
        && message.server_msg_id.as_str() == stored.server_msg_id
        && message.client_msg_id == stored.client_msg_id
        && message.sender_id == stored.sender_id
        && message.body == stored.body
        && !message.deleted
}
