//! Where no WebSocket can be opened: what is said by requests.

use rejoinder::engine::{AppInput, ConnectionState, Input, Transport};
use rejoinder_protocol::{ClientFrame, ServerFrame, ThreadId, encode};

use crate::script::{Script, ack, change, own, reset, welcome};
use crate::story::thread;
use crate::streams::{behind_a_proxy, greets, next_opened, state};

fn refused(alice: &mut Script, frame: ClientFrame, retry_after_ms: Option<u64>) {
    let attempt = alice.attempt;
    alice.browser.feed(Input::Refused {
        attempt,
        frame,
        retry_after_ms,
    });
}

/// Returns the one frame that was said since the last call.
fn said(alice: &mut Script) -> ClientFrame {
    let mut frames = alice.take();
    assert_eq!(frames.len(), 1, "{frames:?}");
    frames.remove(0)
}

#[test]
fn a_text_that_is_refused_on_the_way_holds_up_its_thread_alone() {
    let mut alice = behind_a_proxy();
    alice.send("<script>");
    let mut pauses = Vec::new();
    for _ in 0..5 {
        let frame = said(&mut alice);
        let before = alice.browser.now.monotonic.0;
        refused(&mut alice, frame, None);
        assert_eq!(state(&alice), ConnectionState::Connected);
        while alice.browser.outputs.is_empty() {
            alice.browser.pass(100);
        }
        pauses.push(alice.browser.now.monotonic.0 - before);
    }
    assert_eq!(pauses, [1_000, 2_000, 4_000, 8_000, 16_000]);
    let frame = said(&mut alice);
    refused(&mut alice, frame, None);
    let other: ThreadId = "alice|carol".parse().unwrap();
    let key = alice.browser.send(&other, "meanwhile");
    assert_eq!(alice.sent(), [key]);
}

#[test]
fn a_refusal_may_say_when_to_ask_again() {
    let mut alice = behind_a_proxy();
    alice.send("too much");
    let frame = said(&mut alice);
    refused(&mut alice, frame, Some(7_000));
    alice.browser.pass(6_999);
    assert_eq!(alice.take(), []);
    alice.browser.pass(1);
    said(&mut alice);
}

#[test]
fn a_request_without_an_answer_is_made_again_and_the_stream_is_proved_by_another() {
    let mut alice = behind_a_proxy();
    alice.browser.pass(2_000);
    let key = alice.send("hello");
    let frame = said(&mut alice);
    let attempt = alice.attempt;
    alice.browser.feed(Input::Unanswered { attempt, frame });
    let (next, way) = next_opened(&mut alice);
    assert_eq!(way, Transport::Sse);
    greets(&mut alice, next);
    alice.attempt = next;
    alice.say(&welcome("alice"));
    assert_eq!(alice.sent(), [], "another stream changes no pause");
    alice.browser.pass(1_000);
    assert_eq!(alice.sent(), [key]);
}

#[test]
fn a_stream_that_no_request_proves_alive_is_given_up() {
    let mut alice = behind_a_proxy();
    alice.browser.pass(2_000);
    alice.send("hello");
    let frame = said(&mut alice);
    let attempt = alice.attempt;
    alice.browser.feed(Input::Unanswered { attempt, frame });
    alice.browser.pass(12_000);
    assert_ne!(state(&alice), ConnectionState::Connected);
}

#[test]
fn an_is_writing_that_is_lost_costs_nothing() {
    let mut alice = behind_a_proxy();
    alice.browser.pass(2_000);
    let (thread_id, is_typing) = (thread(), true);
    alice.browser.app(AppInput::SetTyping {
        thread_id,
        is_typing,
    });
    let frame = said(&mut alice);
    let attempt = alice.attempt;
    alice.browser.feed(Input::Unanswered { attempt, frame });
    alice.browser.pass(5_000);
    assert_eq!(alice.browser.outputs, []);
}

#[test]
fn older_messages_that_are_refused_can_be_asked_for_again() {
    let mut alice = behind_a_proxy();
    alice.say(&reset(5, 8));
    let thread_id = thread();
    for _ in 0..2 {
        alice.browser.app(AppInput::LoadOlder {
            thread_id: thread_id.clone(),
        });
        let frame = said(&mut alice);
        assert!(matches!(frame, ClientFrame::History(_)));
        refused(&mut alice, frame, None);
    }
}

fn answer(alice: &mut Script, frame: &ServerFrame) {
    let (attempt, text) = (alice.attempt, encode(frame));
    alice.browser.feed(Input::Answer { attempt, text });
}

#[test]
fn answers_and_changes_come_in_any_order() {
    for answered_first in [true, false] {
        let mut alice = behind_a_proxy();
        let key = alice.send("hello");
        assert_eq!(alice.sent(), [key]);
        let said = change(own(2, key, "hello"));
        if answered_first {
            answer(&mut alice, &ack(2, key));
            alice.say(&said);
        } else {
            alice.say(&said);
            answer(&mut alice, &ack(2, key));
        }
        assert_eq!(alice.bodies(), ["bob 1", "hello"]);
        let notice = alice.browser.screen.connection.clone().unwrap();
        assert_eq!(notice.queue_length, 0);
        assert_eq!(alice.browser.storage.outbox_len(), 0);
        alice.browser.pass(5_000);
        assert_eq!(alice.browser.outputs, [], "and nothing is asked for again");
    }
}
