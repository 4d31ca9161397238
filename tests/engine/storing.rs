use rejoinder::engine::{AppInput, Delivery, Durability, SendResult, StorageFailure};
use rejoinder_protocol::{ClientFrame, Since};

use crate::script::{Script, ack, change, cursor, from_bob, live, own, reset};
use crate::story::storage::Storage;
use crate::story::thread;

#[test]
fn the_outbox_survives_the_end_of_the_page() {
    let mut alice = Script::offline();
    let keys: Vec<_> = ["one", "two", "three"]
        .iter()
        .map(|body| alice.send(body))
        .collect();
    let mut again = Script::with_storage(alice.browser.storage.clone());
    assert_eq!(again.bodies(), ["one", "two", "three"]);
    again.connect();
    for (key, number) in keys.iter().zip(1..) {
        assert_eq!(again.sent(), [*key]);
        again.say(&ack(number, *key));
    }
}

#[test]
fn without_storage_a_message_is_sent_and_says_so() {
    let storage = Storage::default();
    storage.break_down(StorageFailure::Unavailable);
    let mut alice = Script::with_storage(storage);
    alice.go_live(0);
    let key = alice.send("hello");
    let taken = SendResult::Taken {
        durability: Durability::Memory,
    };
    assert_eq!(alice.browser.screen.settled, [(key, taken)]);
    assert_eq!(alice.sent(), [key]);
    let notice = alice.browser.screen.connection.clone().unwrap();
    assert_eq!(
        (notice.storage, notice.storage_reason),
        (Durability::Memory, Some("unavailable"))
    );
    alice.say(&ack(1, key));
    alice.say(&change(own(1, key, "hello")));
    assert_eq!(alice.bodies(), ["hello"]);
}

#[test]
fn storage_that_fails_later_loses_nothing() {
    let mut alice = Script::live(0);
    alice.browser.storage.break_down(StorageFailure::Quota);
    let key = alice.send("hello");
    assert_eq!(alice.sent(), [key]);
    let notice = alice.browser.screen.connection.clone().unwrap();
    assert_eq!(notice.storage_reason, Some("quota"));
    let queued = Delivery::Queued {
        durability: Some(Durability::Memory),
        blocked_by: None,
    };
    assert_eq!(alice.browser.screen.deliveries(&thread()), [queued]);
}

#[test]
fn a_row_that_may_be_sent_does_not_wait_for_slow_storage() {
    let mut alice = Script::live(0);
    alice.browser.is_storage_slow = true;
    let key = alice.send("hello");
    alice.browser.pass(999);
    assert_eq!(alice.sent(), []);
    alice.browser.pass(1);
    assert_eq!(alice.sent(), [key]);
    let taken = SendResult::Taken {
        durability: Durability::Memory,
    };
    assert_eq!(alice.browser.screen.settled, [(key, taken)]);
    alice.browser.answer_storage();
    assert_eq!(
        alice.browser.screen.settled.len(),
        1,
        "a promise is answered once"
    );
    let queued = Delivery::Queued {
        durability: Some(Durability::Disk),
        blocked_by: None,
    };
    assert_eq!(
        alice.browser.screen.deliveries(&thread()),
        [queued],
        "it arrived after all"
    );
}

#[test]
fn a_row_written_offline_is_not_sent_before_it_is_marked() {
    let mut alice = Script::offline();
    alice.browser.is_storage_slow = true;
    let key = alice.send("hello");
    // Slow storage holds everything, the boot included; so connect first.
    alice.browser.answer_storage();
    alice.browser.is_storage_slow = true;
    alice.connect();
    alice.browser.pass(5_000);
    assert_eq!(alice.sent(), [], "another tab might have discarded it");
    alice.browser.answer_storage();
    assert_eq!(alice.sent(), [key]);
}

#[test]
fn a_message_in_the_log_is_never_shown_as_pending_again() {
    // The row stays behind because its deletion never reached the disk.
    let mut alice = Script::live(0);
    let key = alice.send("hello");
    alice.say(&ack(1, key));
    let mut other = Script::with_storage(alice.browser.storage.clone());
    assert_eq!(other.bodies(), ["hello"]);
    alice.say(&change(own(1, key, "hello")));
    other.connect();
    other.say(&change(own(1, key, "hello")));
    assert_eq!(other.bodies().len(), 1);
    let third = Script::with_storage(alice.browser.storage.clone());
    assert_eq!(third.bodies(), ["hello"]);
    assert_eq!(third.browser.storage.outbox_len(), 0);
}

#[test]
fn two_engines_on_one_database_keep_one_order() {
    let storage = Storage::default();
    let mut first = Script::with_storage(storage.clone());
    let mut second = Script::with_storage(storage);
    let one = first.send("one");
    // Keys of two tabs differ; these two tabs count from the same seed.
    second.browser.app(AppInput::Send {
        thread_id: thread(),
        client_msg_id: crate::script::bobs_key(77),
        body: "two".into(),
        attachments: vec![],
    });
    assert_eq!(
        second.bodies(),
        ["one", "two"],
        "what was sent before goes before"
    );
    second.connect();
    assert_eq!(second.sent(), [one], "also from here");
}

#[test]
fn a_tab_that_died_leaves_its_message_to_the_others() {
    let storage = Storage::default();
    let mut first = Script::with_storage(storage.clone());
    let mut second = Script::with_storage(storage);
    second.go_live(0);
    let key = first.send("last words");
    drop(first);
    second.browser.pass(15_000);
    assert_eq!(second.sent(), [key]);
}

#[test]
fn what_one_tab_discards_disappears_from_the_others() {
    let storage = Storage::default();
    let mut first = Script::with_storage(storage.clone());
    let key = first.send("oops");
    let mut second = Script::with_storage(storage);
    assert_eq!(second.bodies(), ["oops"]);
    first.browser.app(AppInput::Discard { client_msg_id: key });
    second.connect();
    assert_eq!(second.sent(), []);
    assert_eq!(
        second.bodies(),
        ["oops"],
        "it may as well be on its way as confirmed"
    );
    second.say(&reset(1, 0));
    second.take();
    second.say(&live(2));
    assert_eq!(
        second.bodies(),
        ["oops"],
        "that may answer what was asked before it was gone"
    );
    let frames = second.take();
    let is_subscribe = |frame: &ClientFrame| matches!(frame, ClientFrame::Subscribe(_));
    assert!(frames.iter().any(is_subscribe), "{frames:?}");
    second.say(&live(2));
    assert!(second.bodies().is_empty());
    assert_eq!(second.sent(), []);
}

#[test]
fn an_engine_that_fell_behind_its_database_loads_it_anew() {
    let storage = Storage::default();
    let mut first = Script::with_storage(storage.clone());
    let mut second = Script::with_storage(storage);
    first.go_live(3);
    second.go_live(3);
    // The first one falls far behind and is reset; the second one goes on with what it had.
    first.reconnect();
    first.say(&reset(201, 250));
    first.say(&live(252));
    second.say(&change(from_bob(4)));
    assert_eq!(second.bodies().len(), 50, "it shows what is stored");
    let frames = second.take();
    let since = frames.iter().find_map(|frame| match frame {
        ClientFrame::Subscribe(subscribe) => Some(subscribe.since.clone()),
        _ => None,
    });
    assert_eq!(
        since,
        Some(Since::Cursor(cursor(252))),
        "and goes on from there"
    );
}

#[test]
fn unreadable_rows_are_left_alone_and_the_thread_is_loaded_anew() {
    let mut alice = Script::live(3);
    alice.send("hello");
    alice.browser.storage.damage_outbox();
    alice.browser.storage.damage_buckets();
    let mut again = Script::with_storage(alice.browser.storage.clone());
    assert!(again.bodies().is_empty());
    again.go_live(3);
    assert_eq!(again.bodies().len(), 3);
    assert_eq!(
        again.browser.storage.outbox_len(),
        1,
        "a later version may read it"
    );
}

#[test]
fn a_lost_write_is_noticed_by_the_next() {
    let mut alice = Script::live(1);
    let storage = alice.browser.storage.clone();
    storage.break_down(StorageFailure::Aborted);
    alice.say(&change(from_bob(2)));
    storage.repair();
    alice.say(&change(from_bob(3)));
    assert_eq!(alice.bodies().len(), 3);
    let again = Script::with_storage(storage);
    assert_eq!(again.bodies().len(), 1, "stored is a prefix, never a hole");
}
