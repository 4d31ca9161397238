//! Whatever stands in the browser's database: another version wrote it, or the disk lost a part.
//! The client lives with it, and what it cannot read stays where it is.

use rejoinder::engine::stored::{CursorRecord, EntryRecord, bucket_of, load_outbox};
use rejoinder_protocol::{ErrorCode, Message, Object, Participant, ThreadId, encode};
use rejoinder_simulation::world::disk::{Disk, Place};
use serde::Serialize;

use crate::choices::Choices;
use crate::engine;
use crate::script::{bobs_key, from_bob, participants, rev, seq};
use crate::story::storage::Storage;
use crate::story::thread;

/// Opens a database that the bytes describe, and lets its tab live on.
pub fn run(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut rows = Vec::new();
    for _ in 0..choices.below(10) {
        rows.push(row(&mut choices));
    }
    let storage = Storage::of(Disk::holding(rows));
    let unreadable = unreadable(&storage);
    // Damaged rows may say of two messages that they are one, or stand in any order.
    engine::live(choices, storage.clone(), |_| {});
    let left = storage.outbox_rows();
    for order in unreadable {
        let is_there = left.iter().any(|(one, _)| *one == order);
        assert!(is_there, "row {order} could not be read, and is gone");
    }
}

fn unreadable(storage: &Storage) -> Vec<u64> {
    let rows = storage.outbox_rows().into_iter();
    let unreadable = rows.filter(|row| load_outbox(std::slice::from_ref(row)).1 > 0);
    unreadable.map(|(order, _)| order).collect()
}

fn row(choices: &mut Choices<'_>) -> (Place, Vec<u8>) {
    let thread_id = thread();
    match choices.below(8) {
        0..3 => {
            let place = Place::Outbox(choices.below(20));
            let entry = entry(choices, thread_id);
            (place, damaged(choices, &entry))
        }
        3..5 => {
            let cursor = cursor(choices);
            (Place::Cursor(thread_id), damaged(choices, &cursor))
        }
        5 => {
            let people: Vec<Participant> = participants()
                .into_iter()
                .filter_map(|object| match object {
                    Object::Participant(one) => Some(one),
                    Object::Message(_) | Object::Unknown => None,
                })
                .collect();
            (Place::Participants(thread_id), damaged(choices, &people))
        }
        _ => {
            let first = choices.below(200);
            let messages = messages(choices, first);
            let right = bucket_of(seq(first));
            let bucket = if choices.one_in(4) {
                choices.below(4)
            } else {
                right
            };
            (
                Place::Bucket(thread_id, bucket),
                damaged(choices, &messages),
            )
        }
    }
}

/// As it was written, or what became of it.
fn damaged(choices: &mut Choices<'_>, record: &impl Serialize) -> Vec<u8> {
    let mut bytes = encode(record).into_bytes();
    let at = usize::try_from(choices.below(bytes.len() as u64)).unwrap();
    match choices.below(8) {
        0 => return choices.bytes(300).to_vec(),
        1 => bytes.truncate(at),
        2 => bytes[at] = u8::try_from(choices.below(256)).unwrap(),
        _ => {}
    }
    bytes
}

fn entry(choices: &mut Choices<'_>, thread_id: ThreadId) -> EntryRecord {
    let codes = [ErrorCode::Invalid, ErrorCode::Gone, ErrorCode::Unknown];
    EntryRecord {
        thread_id,
        client_msg_id: bobs_key(100 + choices.below(6)),
        body: choices.text(8),
        attachments: Vec::new(),
        created_at: choices.number().try_into().unwrap(),
        attempted: choices.bool(),
        failed: choices.one_in(3).then(|| choices.of(&codes)),
        cancel_wanted: choices.one_in(3),
    }
}

fn cursor(choices: &mut Choices<'_>) -> CursorRecord {
    let wild = choices.one_in(4);
    let mut number = |end| {
        if wild {
            choices.number()
        } else {
            choices.below(end)
        }
    };
    let (revision, oldest) = (rev(number(40)), seq(number(200)));
    let (newest, skipped_revision) = (seq(number(200)), rev(number(40)));
    let reset_count = number(3);
    CursorRecord {
        epoch: choices.of(&["e1", "e1", "e2"]).parse().unwrap(),
        revision,
        reset_count,
        schema_level: choices.of(&[1, 1, 0, 2]),
        oldest,
        newest,
        skipped_revision,
    }
}

fn messages(choices: &mut Choices<'_>, first: u64) -> Vec<Message> {
    let mut messages = Vec::new();
    for number in first..first + choices.below(8) {
        // A hole, sometimes.
        if !choices.one_in(12) {
            messages.push(from_bob(number));
        }
    }
    messages
}
