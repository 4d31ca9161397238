//! What a transaction of the browser's database refuses: whatever would leave a hole, mix two
//! histories, or bring back what another tab replaced.

use rejoinder::engine::StoredResult;
use rejoinder::engine::stored::{Advance, Answer, EntryRecord, History, OrderNumber, Reset, Write};
use rejoinder_protocol::Message;

use crate::script::{bobs_key, epoch, from_bob, rev};
use crate::story::storage::Storage;
use crate::story::thread;

fn reset(oldest: u64, newest: u64) -> Reset {
    Reset {
        thread_id: thread(),
        expected: None,
        from: rev(0),
        epoch: epoch(),
        head: rev(newest + 2),
        messages: (oldest..=newest).map(from_bob).collect(),
        participants: vec![],
        settled: vec![],
    }
}

fn advance(from: u64, to: u64, messages: Vec<Message>) -> Advance {
    Advance {
        thread_id: thread(),
        epoch: epoch(),
        reset_count: 1,
        from: rev(from),
        to: rev(to),
        messages,
        participants: vec![],
        settled: vec![],
    }
}

fn history(oldest: u64, newest: u64, as_of: u64) -> History {
    History {
        thread_id: thread(),
        epoch: epoch(),
        reset_count: 1,
        as_of: rev(as_of),
        messages: (oldest..=newest).map(from_bob).collect(),
    }
}

/// Messages 51 to 100 are stored, up to revision 102.
fn storage() -> Storage {
    let storage = Storage::default();
    assert!(is_taken(&storage, Write::Reset(reset(51, 100))));
    storage
}

fn is_taken(storage: &Storage, write: Write) -> bool {
    match storage.write(&write) {
        StoredResult::Committed { .. } => true,
        StoredResult::Refused => false,
        StoredResult::Failed(failure) => panic!("{failure:?}"),
    }
}

#[test]
fn a_change_must_reach_what_is_stored() {
    let storage = storage();
    let next = || vec![from_bob(103)];
    assert!(
        !is_taken(&storage, Write::Advance(advance(104, 105, next()))),
        "a hole before it"
    );
    let other = Advance {
        reset_count: 2,
        ..advance(102, 103, next())
    };
    assert!(
        !is_taken(&storage, Write::Advance(other)),
        "prepared on what another tab replaced"
    );
    let other = Advance {
        epoch: "e2".parse().unwrap(),
        ..advance(102, 103, next())
    };
    assert!(
        !is_taken(&storage, Write::Advance(other)),
        "another history"
    );
    assert!(is_taken(
        &storage,
        Write::Advance(advance(102, 103, vec![from_bob(101)]))
    ));
    assert!(
        is_taken(&storage, Write::Advance(advance(100, 103, vec![]))),
        "known is no harm"
    );
    let load = storage.load_thread(&thread(), None).unwrap();
    assert_eq!(
        load.cursor.unwrap().revision,
        rev(103),
        "a cursor never goes back"
    );
}

#[test]
fn history_must_abut_and_be_as_new_as_what_was_skipped() {
    let storage = storage();
    assert!(
        !is_taken(&storage, Write::History(history(1, 40, 102))),
        "a hole between"
    );
    let edited = Message {
        revision: rev(103),
        body: "edited".into(),
        ..from_bob(50)
    };
    assert!(is_taken(
        &storage,
        Write::Advance(advance(102, 103, vec![edited]))
    ));
    assert!(
        !is_taken(&storage, Write::History(history(1, 50, 102))),
        "it lacks the edit"
    );
    assert!(is_taken(&storage, Write::History(history(1, 50, 103))));
    assert!(
        !is_taken(&storage, Write::History(history(1, 50, 103))),
        "no longer right below"
    );
}

#[test]
fn a_reset_gives_way_to_a_tab_that_is_further() {
    let storage = storage();
    let known = || Some((epoch(), 1));
    assert!(
        !is_taken(&storage, Write::Reset(reset(1, 10))),
        "it knew of nothing stored"
    );
    let older = Reset {
        expected: known(),
        from: rev(90),
        ..reset(1, 60)
    };
    assert!(
        !is_taken(&storage, Write::Reset(older)),
        "another tab holds 102 already"
    );
    let restored = Reset {
        expected: known(),
        from: rev(102),
        ..reset(1, 60)
    };
    assert!(
        is_taken(&storage, Write::Reset(restored)),
        "the database lost what we had"
    );
    let stale = Reset {
        expected: known(),
        from: rev(62),
        ..reset(1, 99)
    };
    assert!(
        !is_taken(&storage, Write::Reset(stale)),
        "prepared before that"
    );
}

#[test]
fn a_wish_to_cancel_stops_the_message_in_every_tab() {
    let storage = Storage::default();
    let entry = EntryRecord {
        thread_id: thread(),
        client_msg_id: bobs_key(1),
        body: "oops".into(),
        attachments: vec![],
        created_at: 1.try_into().unwrap(),
        attempted: true,
        failed: None,
        cancel_wanted: false,
    };
    let client_msg_id = entry.client_msg_id;
    let seen = OrderNumber(0);
    assert!(is_taken(&storage, Write::Enqueue { entry, seen }));
    let answer = |write| match storage.write(&write) {
        StoredResult::Committed { answer, .. } => answer,
        other => panic!("{other:?}"),
    };
    assert_eq!(answer(Write::Discard { client_msg_id }), Answer::MaybeSent);
    let mark = Write::MarkAttempted {
        client_msg_id,
        seen: OrderNumber(1),
    };
    assert_eq!(
        answer(mark),
        Answer::Attempted {
            present: false,
            earlier: vec![]
        }
    );
}
