#![allow(clippy::wildcard_enum_match_arm, reason = "a test")]

use super::*;
use crate::engine::stored::{Answer, EntryRecord, Reset};
use rejoinder_protocol::{ClientMsgId, Epoch, Message, Revision, UnixMillis};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use uuid::Uuid;
use wasm_bindgen_test::*;

const THREAD: &str = "alice|bob";

/// A storage, and what it told.
struct Shelf {
    storage: Storage,
    told: Rc<RefCell<VecDeque<Input>>>,
}

impl Shelf {
    fn open(name: &str) -> Self {
        let told = Rc::new(RefCell::new(VecDeque::new()));
        let sink = Rc::clone(&told);
        let door = Door::new(move |input| sink.borrow_mut().push_back(input));
        Self {
            storage: Storage::new(name.into(), door),
            told,
        }
    }

    fn persist(&self, write_id: u64, write: Write) {
        self.storage.ask(Job::Persist {
            write_id: WriteId(write_id),
            write,
        });
    }

    fn load_thread(&self, before: Option<SequenceNumber>) {
        self.storage.ask(Job::LoadThread {
            thread_id: thread(),
            before,
        });
    }

    async fn next(&self) -> Input {
        for _ in 0..1_000 {
            if let Some(input) = self.told.borrow_mut().pop_front() {
                return input;
            }
            TimeoutFuture::new(5).await;
        }
        panic!("nothing was told");
    }

    async fn committed(&self, write_id: u64) -> (Answer, Option<OrderNumber>) {
        match self.next().await {
            Input::Stored {
                write_id: told,
                result: StoredResult::Committed { answer, added },
            } if told == WriteId(write_id) => (answer, added),
            other => panic!("{write_id} was not committed: {other:?}"),
        }
    }

    async fn loaded(&self) -> ThreadLoad {
        match self.next().await {
            Input::ThreadLoaded { result, .. } => result.unwrap(),
            other => panic!("not a thread: {other:?}"),
        }
    }

    async fn outbox(&self) -> Vec<(OrderNumber, EntryRecord)> {
        match self.next().await {
            Input::OutboxLoaded(Ok(load)) => load.entries,
            other => panic!("not an outbox: {other:?}"),
        }
    }
}

async fn fresh(name: &str) -> Shelf {
    Database::delete_by_name(name).unwrap().await.unwrap();
    Shelf::open(name)
}

fn thread() -> ThreadId {
    THREAD.parse().unwrap()
}

fn key(number: u64) -> ClientMsgId {
    ClientMsgId::new(Uuid::from_u64_pair(
        0x0198_c0de_0000_7000,
        (1 << 63) | number,
    ))
}

fn entry(number: u64) -> EntryRecord {
    EntryRecord {
        thread_id: thread(),
        client_msg_id: key(number),
        body: format!("message {number} \u{1F642}"),
        attachments: Vec::new(),
        created_at: UnixMillis::default(),
        attempted: false,
        failed: None,
        cancel_wanted: false,
    }
}

fn enqueue(number: u64) -> Write {
    Write::Enqueue {
        entry: entry(number),
        seen: OrderNumber(0),
    }
}

fn message(number: u64) -> Message {
    Message {
        revision: Revision::try_from(number + 2).unwrap(),
        server_msg_id: format!("m{number}").parse().unwrap(),
        client_msg_id: key(number),
        sender_id: "alice".parse().unwrap(),
        sequence_number: SequenceNumber::try_from(number).unwrap(),
        sent_at: UnixMillis::default(),
        body: "x".into(),
        attachments: Vec::new(),
        edited_at: None,
        deleted: false,
    }
}

fn reset(numbers: std::ops::RangeInclusive<u64>, expected: Option<(Epoch, u64)>) -> Write {
    Write::Reset(Reset {
        thread_id: thread(),
        expected,
        from: Revision::ZERO,
        epoch: "epoch".parse().unwrap(),
        head: Revision::try_from(numbers.end() + 2).unwrap(),
        messages: numbers.map(message).collect(),
        participants: Vec::new(),
        settled: Vec::new(),
    })
}

/// How many buckets there are of all threads.
async fn buckets(name: &str) -> usize {
    let db = Db::open(name, VERSION, lay_out).await.unwrap();
    let unit = db.read(&[BUCKETS]).unwrap();
    unit.rows(BUCKETS).await.unwrap().len()
}

fn numbers(load: &ThreadLoad) -> Vec<u64> {
    let rows = load.messages.iter();
    rows.map(|row| row.sequence_number.get()).collect()
}

#[wasm_bindgen_test]
async fn jobs_take_effect_in_order_even_while_the_database_is_being_opened() {
    let shelf = fresh("storage-order").await;
    for number in 1..=20 {
        shelf.persist(number, enqueue(number));
    }
    shelf.storage.ask(Job::LoadOutbox);
    shelf.persist(
        21,
        Write::DeleteEntries {
            client_msg_ids: vec![key(1)],
        },
    );
    shelf.storage.ask(Job::LoadOutbox);

    for number in 1..=20 {
        let (answer, added) = shelf.committed(number).await;
        assert_eq!(added, Some(OrderNumber(number)));
        assert!(
            matches!(&answer, Answer::Enqueued { earlier } if earlier.len() as u64 == number - 1)
        );
    }
    let all: Vec<_> = (1..=20).map(|n| (OrderNumber(n), entry(n))).collect();
    assert_eq!(shelf.outbox().await, all);
    shelf.committed(21).await;
    assert_eq!(shelf.outbox().await, all[1..]);
}

#[wasm_bindgen_test]
async fn what_was_asked_for_is_written_even_if_the_storage_is_dropped_at_once() {
    let shelf = fresh("storage-drop").await;
    shelf.persist(1, enqueue(1));
    shelf.persist(
        2,
        Write::MarkAttempted {
            client_msg_id: key(1),
            seen: OrderNumber(1),
        },
    );
    drop(shelf.storage);

    let shelf = Shelf::open("storage-drop");
    shelf.storage.ask(Job::LoadOutbox);
    let expected = EntryRecord {
        attempted: true,
        ..entry(1)
    };
    assert_eq!(shelf.outbox().await, [(OrderNumber(1), expected)]);
}

#[wasm_bindgen_test]
async fn a_new_storage_begins_where_the_one_before_it_has_ended() {
    let shelf = fresh("storage-again").await;
    for number in 1..=20 {
        shelf.persist(number, enqueue(number));
    }
    drop(shelf.storage);
    let shelf = Shelf::open("storage-again");
    shelf.storage.ask(Job::LoadOutbox);
    assert_eq!(shelf.outbox().await.len(), 20);

    shelf.persist(21, enqueue(21));
    shelf.storage.ask(Job::Delete);
    drop(shelf.storage);
    let shelf = Shelf::open("storage-again");
    shelf.persist(22, enqueue(22));
    shelf.committed(22).await;
    // Two at a time do not wait for each other.
    let other = Shelf::open("storage-again");
    other.storage.ask(Job::LoadOutbox);
    assert_eq!(other.outbox().await, [(OrderNumber(1), entry(22))]);
}

#[wasm_bindgen_test]
async fn a_thread_comes_back_in_parts_and_is_replaced_as_a_whole() {
    let shelf = fresh("storage-thread").await;
    shelf.load_thread(None);
    shelf.persist(1, reset(1..=300, None));
    shelf.load_thread(None);
    shelf.load_thread(SequenceNumber::try_from(129).ok());
    shelf.persist(2, reset(290..=300, None));
    shelf.persist(3, reset(290..=301, Some(("epoch".parse().unwrap(), 1))));
    shelf.load_thread(None);
    shelf.persist(
        4,
        Write::RemoveThread {
            thread_id: thread(),
            settled: Vec::new(),
        },
    );
    shelf.load_thread(None);

    assert_eq!(shelf.loaded().await, ThreadLoad::default());
    shelf.committed(1).await;
    assert_eq!(numbers(&shelf.loaded().await), Vec::from_iter(129..=300));
    assert_eq!(numbers(&shelf.loaded().await), Vec::from_iter(1..=128));
    let refused = Input::Stored {
        write_id: WriteId(2),
        result: StoredResult::Refused,
    };
    assert_eq!(shelf.next().await, refused);
    shelf.committed(3).await;
    let load = shelf.loaded().await;
    assert!(load.usable);
    assert_eq!(numbers(&load), Vec::from_iter(290..=301));
    shelf.committed(4).await;
    assert_eq!(buckets("storage-thread").await, 0);
    assert_eq!(shelf.loaded().await, ThreadLoad::default());
}

#[wasm_bindgen_test]
async fn a_lost_handle_is_replaced_once_and_the_work_done_again() {
    let shelf = fresh("storage-lost").await;
    shelf.persist(1, enqueue(1));
    shelf.committed(1).await;
    // Our handle gives way to this, as it would to another tab that logs out.
    Database::delete_by_name("storage-lost")
        .unwrap()
        .await
        .unwrap();

    shelf.persist(2, enqueue(2));
    shelf.storage.ask(Job::LoadOutbox);
    shelf.committed(2).await;
    assert_eq!(shelf.outbox().await, [(OrderNumber(1), entry(2))]);
}

#[wasm_bindgen_test]
async fn a_newer_version_is_named_and_left_alone() {
    let shelf = fresh("storage-newer").await;
    shelf.persist(1, enqueue(1));
    shelf.committed(1).await;
    let newer = Db::open("storage-newer", VERSION + 1, |_, _| Ok(()))
        .await
        .unwrap();

    shelf.persist(2, enqueue(2));
    let failed = Input::Stored {
        write_id: WriteId(2),
        result: StoredResult::Failed(StorageFailure::VersionTooNew),
    };
    assert_eq!(shelf.next().await, failed);
    assert_eq!(
        newer
            .read(&[OUTBOX])
            .unwrap()
            .rows(OUTBOX)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[wasm_bindgen_test]
async fn a_deleted_database_is_gone_and_stays_so() {
    let shelf = fresh("storage-delete").await;
    shelf.persist(1, enqueue(1));
    shelf.storage.ask(Job::Delete);
    shelf.storage.ask(Job::LoadOutbox);
    shelf.committed(1).await;
    let closed = Input::OutboxLoaded(Err(StorageFailure::Closed));
    assert_eq!(shelf.next().await, closed);

    let shelf = Shelf::open("storage-delete");
    shelf.storage.ask(Job::LoadOutbox);
    assert!(shelf.outbox().await.is_empty());
}
