use rejoinder::engine::{AppInput, Delivery, DiscardOutcome, Durability, SendRefusal, SendResult};
use rejoinder_protocol::{
    Cancelled, ClientFrame, ClientFrameType, ErrorCode, ErrorFrame, ErrorRef, ServerFrame,
};

use crate::script::{Script, ack, change, own, reset};
use crate::story::browser::Browser;
use crate::story::browser::at;
use crate::story::storage::Storage;
use crate::story::thread;

fn refuse(script: &mut Script, key: rejoinder_protocol::ClientMsgId, code: ErrorCode) {
    script.say(&ServerFrame::Error(ErrorFrame {
        reference: Some(ErrorRef {
            frame_type: ClientFrameType::Send,
            thread_id: Some(thread()),
            client_msg_id: Some(key),
        }),
        code,
        retry_after_ms: None,
    }));
}

#[test]
fn a_message_is_shown_at_once_stored_sent_and_confirmed() {
    let mut alice = Script::live(0);
    alice.browser.is_storage_slow = true;
    let key = alice.send("hello");
    assert_eq!(alice.bodies(), ["hello"], "shown before anything answered");
    assert_eq!(alice.sent(), [], "not sent before it is stored");
    assert!(alice.browser.screen.settled.is_empty());

    alice.browser.answer_storage();
    let taken = SendResult::Taken {
        durability: Durability::Disk,
    };
    assert_eq!(alice.browser.screen.settled, [(key, taken)]);
    assert_eq!(alice.sent(), [key]);

    alice.say(&ack(1, key));
    assert_eq!(alice.browser.screen.deliveries(&thread()), [Delivery::Sent]);
    assert_eq!(
        alice.browser.storage.outbox_len(),
        1,
        "kept until its change is stored"
    );
    assert!(
        alice.browser.screen.heard.is_empty(),
        "an ack is not a message"
    );

    alice.say(&change(own(1, key, "hello")));
    assert_eq!(alice.bodies(), ["hello"]);
    assert_eq!(alice.browser.screen.heard, ["hello"]);
    assert_eq!(alice.browser.storage.outbox_len(), 0);
    assert_eq!(
        alice.browser.screen.rows(&thread())[0].id.as_ref(),
        key.to_string()
    );
}

#[test]
fn one_message_of_a_thread_is_in_flight_and_the_order_is_kept() {
    let mut alice = Script::live(0);
    let keys: Vec<_> = ["one", "two", "three"]
        .iter()
        .map(|body| alice.send(body))
        .collect();
    assert_eq!(alice.sent(), keys[..1]);
    alice.say(&ack(1, keys[0]));
    assert_eq!(alice.sent(), keys[1..2]);
    alice.say(&change(own(1, keys[0], "one")));
    alice.say(&change(own(2, keys[1], "two")));
    assert_eq!(
        alice.sent(),
        keys[2..],
        "the change frees the place in flight as an ack does"
    );
    assert_eq!(alice.bodies(), ["one", "two", "three"]);
}

#[test]
fn an_unacknowledged_message_is_repeated_with_the_same_key_after_a_reconnect() {
    let mut alice = Script::live(0);
    let key = alice.send("hello");
    assert_eq!(alice.sent(), [key]);
    alice.reconnect();
    assert_eq!(alice.sent(), [key]);
}

#[test]
fn an_acknowledged_message_without_its_change_is_repeated_too() {
    let mut alice = Script::live(0);
    let key = alice.send("hello");
    alice.say(&ack(1, key));
    alice.reconnect();
    assert_eq!(alice.sent(), [key], "an ack holds for one connection");
}

#[test]
fn a_reset_that_jumped_over_an_acknowledged_message_settles_it() {
    let mut alice = Script::live(0);
    let key = alice.send("hello");
    alice.reconnect();
    alice.say(&reset(100, 149));
    assert_eq!(
        alice.bodies().len(),
        51,
        "the pending one stays visible at the end"
    );
    alice.say(&ack(1, key));
    assert_eq!(alice.bodies().len(), 50);
    assert_eq!(alice.browser.storage.outbox_len(), 0);
}

#[test]
fn a_permanent_refusal_fails_the_message_and_holds_the_next() {
    let mut alice = Script::live(0);
    let first = alice.send("one");
    let second = alice.send("two");
    alice.take();
    refuse(&mut alice, first, ErrorCode::Forbidden);
    assert_eq!(alice.sent(), []);
    let deliveries = alice.browser.screen.deliveries(&thread());
    assert_eq!(
        deliveries[0],
        Delivery::Failed {
            code: ErrorCode::Forbidden
        }
    );
    let blocked = Delivery::Queued {
        durability: Some(Durability::Disk),
        blocked_by: Some(first),
    };
    assert_eq!(deliveries[1], blocked);

    alice.browser.app(AppInput::Retry {
        client_msg_id: first,
    });
    assert_eq!(alice.sent(), [first]);
    alice.say(&ack(1, first));
    assert_eq!(alice.sent(), [second]);
}

#[test]
fn a_failed_message_stays_failed_after_a_reload() {
    let mut alice = Script::live(0);
    let key = alice.send("one");
    refuse(&mut alice, key, ErrorCode::TooLarge);
    let mut again = Script::with_storage(alice.browser.storage.clone());
    again.connect();
    let failed = Delivery::Failed {
        code: ErrorCode::TooLarge,
    };
    assert_eq!(again.browser.screen.deliveries(&thread()), [failed]);
    assert_eq!(again.sent(), []);
}

#[test]
fn a_transient_refusal_is_tried_again_later_and_an_unknown_code_is_transient() {
    for code in [ErrorCode::Busy, ErrorCode::RateLimited, ErrorCode::Unknown] {
        let mut alice = Script::live(0);
        let key = alice.send("one");
        alice.take();
        refuse(&mut alice, key, code);
        assert_eq!(alice.sent(), [], "{code:?}");
        alice.browser.pass(2_000);
        assert_eq!(alice.sent(), [key], "{code:?}");
    }
}

#[test]
fn bad_json_and_unknown_type_fail_a_message_after_three_times() {
    let mut alice = Script::live(0);
    let key = alice.send("one");
    for _ in 0..3 {
        assert_eq!(alice.sent(), [key]);
        refuse(&mut alice, key, ErrorCode::UnknownType);
        alice.browser.pass(5_000);
    }
    assert_eq!(alice.sent(), []);
}

#[test]
fn discarding_what_was_never_sent_deletes_it() {
    let mut alice = Script::offline();
    let key = alice.send("oops");
    alice.browser.app(AppInput::Discard { client_msg_id: key });
    assert_eq!(
        alice.browser.screen.discarded,
        [(key, DiscardOutcome::Discarded)]
    );
    assert!(alice.bodies().is_empty());
    assert_eq!(alice.browser.storage.outbox_len(), 0);
}

#[test]
fn discarding_what_was_sent_asks_the_gateway() {
    let mut alice = Script::live(0);
    let key = alice.send("oops");
    alice.take();
    alice.browser.app(AppInput::Discard { client_msg_id: key });
    assert_eq!(
        alice.browser.screen.discarded,
        [(key, DiscardOutcome::MaybeSent)]
    );
    assert_eq!(
        alice.browser.screen.deliveries(&thread()),
        [Delivery::Cancelling]
    );
    let frames = alice.take();
    assert!(matches!(&frames[..], [ClientFrame::Cancel(cancel)] if cancel.client_msg_id == key));

    let cancelled = Cancelled {
        thread_id: thread(),
        client_msg_id: key,
    };
    alice.say(&ServerFrame::Cancelled(cancelled));
    assert_eq!(
        alice.browser.screen.discarded[1],
        (key, DiscardOutcome::Cancelled)
    );
    assert!(alice.bodies().is_empty());
    assert_eq!(alice.browser.storage.outbox_len(), 0);
}

#[test]
fn a_discarded_message_may_have_been_stored_after_all() {
    let mut alice = Script::live(0);
    let key = alice.send("oops");
    alice.browser.app(AppInput::Discard { client_msg_id: key });
    alice.say(&ack(1, key));
    assert_eq!(
        alice.browser.screen.discarded[1],
        (key, DiscardOutcome::Sent)
    );
    assert_eq!(alice.browser.screen.deliveries(&thread()), [Delivery::Sent]);
    alice.say(&change(own(1, key, "oops")));
    assert_eq!(alice.bodies(), ["oops"]);
}

#[test]
fn a_wish_to_cancel_survives_a_reload_and_a_reconnect() {
    let mut alice = Script::live(0);
    let key = alice.send("oops");
    alice.browser.app(AppInput::Discard { client_msg_id: key });
    let mut again = Script::with_storage(alice.browser.storage.clone());
    again.connect();
    for _ in 0..2 {
        let frames = again.take();
        assert!(
            frames
                .iter()
                .any(|frame| matches!(frame, ClientFrame::Cancel(_))),
            "{frames:?}"
        );
        assert!(
            !frames
                .iter()
                .any(|frame| matches!(frame, ClientFrame::Send(_)))
        );
        again.reconnect();
    }
}

#[test]
fn a_cancel_that_is_refused_for_good_is_not_asked_for_ever() {
    let mut alice = Script::live(0);
    let key = alice.send("oops");
    alice.browser.app(AppInput::Discard { client_msg_id: key });
    alice.say(&ServerFrame::Error(ErrorFrame {
        reference: Some(ErrorRef {
            frame_type: ClientFrameType::Cancel,
            thread_id: Some(thread()),
            client_msg_id: Some(key),
        }),
        code: ErrorCode::NotFound,
        retry_after_ms: None,
    }));
    assert_eq!(
        alice.browser.screen.discarded[1],
        (key, DiscardOutcome::Unknown)
    );
    assert!(alice.bodies().is_empty());
    assert_eq!(alice.browser.storage.outbox_len(), 0);
}

#[test]
fn nothing_leaves_while_a_discard_is_undecided() {
    let mut alice = Script::offline();
    let first = alice.send("one");
    alice.send("two");
    alice.browser.is_storage_slow = true;
    alice.browser.app(AppInput::Discard {
        client_msg_id: first,
    });
    alice.browser.is_storage_slow = false;
    alice.connect();
    assert_eq!(alice.sent(), []);
    alice.browser.answer_storage();
    assert_eq!(alice.sent().len(), 1);
}

#[test]
fn content_is_checked_before_it_is_queued() {
    let mut alice = Script::offline();
    for (body, code) in [
        ("", SendRefusal::Invalid),
        ("a\0b", SendRefusal::Invalid),
        (&*"x".repeat(16 * 1024 + 1), SendRefusal::TooLarge),
    ] {
        let key = alice.send(body);
        let refused = (key, SendResult::Refused { code });
        assert_eq!(alice.browser.screen.settled.last(), Some(&refused));
    }
    assert!(alice.bodies().is_empty());
    alice.send(&"\u{1}".repeat(16 * 1024));
    assert_eq!(alice.bodies().len(), 1, "control characters are only text");
}

#[test]
fn the_outbox_is_bounded() {
    let mut alice = Script::offline();
    for number in 0..1_000 {
        alice.send(&number.to_string());
    }
    let key = alice.send("one too many");
    let refused = (
        key,
        SendResult::Refused {
            code: SendRefusal::OutboxFull,
        },
    );
    assert_eq!(alice.browser.screen.settled.last(), Some(&refused));
}

#[test]
fn silence_after_a_send_is_probed_and_an_answered_probe_repeats_it() {
    let mut alice = Script::live(0);
    let key = alice.send("hello");
    alice.take();
    alice.browser.pass(10_000);
    assert_eq!(alice.take(), [ClientFrame::Ping]);
    alice.say(&ServerFrame::Pong);
    assert_eq!(alice.sent(), [key], "on the same connection");
}

#[test]
fn nothing_is_sent_while_the_socket_is_full() {
    let mut alice = Script::live(0);
    let attempt = alice.attempt;
    alice.browser.feed(rejoinder::engine::Input::Buffered {
        attempt,
        bytes: 70_000,
    });
    let key = alice.send("hello");
    assert_eq!(alice.sent(), []);
    alice
        .browser
        .feed(rejoinder::engine::Input::Buffered { attempt, bytes: 0 });
    assert_eq!(alice.sent(), [key]);
}

#[test]
fn after_logout_nothing_is_taken_and_nothing_is_left() {
    let mut alice = Script::live(0);
    alice.send("hello");
    alice.browser.app(AppInput::Logout);
    let key = alice.send("too late");
    let refused = (
        key,
        SendResult::Refused {
            code: SendRefusal::LoggedOut,
        },
    );
    assert_eq!(alice.browser.screen.settled.last(), Some(&refused));
    assert_eq!(alice.browser.storage.outbox_len(), 0);
    assert_eq!(alice.browser.engine.next_wakeup(), None);
}

#[test]
fn threads_do_not_hold_each_other_up() {
    let mut alice = Browser::new("alice", Storage::default(), at(0), 1);
    let other = "alice|carol".parse().unwrap();
    alice.open(&thread());
    let mut alice = Script {
        browser: alice,
        attempt: rejoinder::engine::Attempt(0),
    };
    alice.connect();
    alice.take();
    let first = alice.send("one");
    let second = alice.browser.send(&other, "two");
    assert_eq!(alice.sent(), [first, second]);
}
