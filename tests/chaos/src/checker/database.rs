//! The database by itself: numbers are dense, and nothing is there twice.

use std::collections::BTreeSet;

use rejoinder_protocol::ThreadId;

use crate::records::{Head, Records};

pub(super) fn check(records: &Records, wrong: &mut Vec<String>) {
    let mut ids = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for (thread_id, messages) in &records.messages {
        for one in messages {
            if !ids.insert(&one.server_msg_id) {
                wrong.push(format!(
                    "doubled: the id {} of {:?}",
                    one.server_msg_id, one.body
                ));
            }
            let key = (thread_id, &one.sender_id, one.client_msg_id);
            if !keys.insert(key) {
                wrong.push(format!("doubled: {:?} in {thread_id}", one.body));
            }
            let key = (thread_id.clone(), one.sender_id.clone(), one.client_msg_id);
            if records.cancelled.contains(&key) {
                wrong.push(format!(
                    "{:?} in {thread_id} is stored, and its key is void",
                    one.body
                ));
            }
        }
    }
    for (thread_id, head) in &records.heads {
        check_numbers(records, thread_id, *head, wrong);
    }
    for thread_id in records
        .messages
        .keys()
        .filter(|one| !records.heads.contains_key(*one))
    {
        wrong.push(format!("{thread_id} has messages and no head"));
    }
}

/// Places and revisions are those from 1 to the head's, each once. Nothing is edited here, so each
/// revision belongs to one message or one participant.
fn check_numbers(records: &Records, thread_id: &ThreadId, head: Head, wrong: &mut Vec<String>) {
    let messages = records.messages.get(thread_id).into_iter().flatten();
    let places = messages.clone().map(|one| one.sequence_number).collect();
    let participants = records.participants.get(thread_id).into_iter().flatten();
    let revisions = messages.map(|one| one.revision);
    let revisions = revisions.chain(participants.copied()).collect();
    for (name, mut numbers, last) in [
        ("places", places, head.sequence_number),
        ("revisions", revisions, head.revision),
    ] {
        let numbers: &mut Vec<u64> = &mut numbers;
        numbers.sort_unstable();
        if !numbers.iter().copied().eq(1..=last) {
            let odd = numbers.iter().zip(1..).find(|(found, due)| *found != due);
            wrong.push(format!(
                "the {name} of {thread_id} are not 1 to {last}: {} of them, first odd one {odd:?}",
                numbers.len()
            ));
        }
    }
}
