//! Where no WebSocket can be opened.

use rejoinder::engine::{
    AppInput, Attempt, ConnectionState, Input, Lifecycle, TokenInput, Transport,
};
use rejoinder_protocol::{
    ClientFrame, ClientFrameType, ErrorCode, ErrorFrame, ErrorRef, Hello, ServerFrame, ThreadId,
    Token, encode,
};

use crate::script::{Script, live, reset, welcome};
use crate::story::browser::Output;
use crate::story::thread;

/// What a tab has opened since the last call, and by which way.
pub(crate) fn opened(alice: &mut Script) -> Vec<(Attempt, Transport)> {
    let outputs: Vec<_> = alice.browser.outputs.drain(..).collect();
    let attempts = outputs.iter().filter_map(|output| match output {
        Output::Open(attempt) => Some(*attempt),
        Output::Close(_) | Output::Frame(..) => None,
    });
    let attempts: Vec<_> = attempts.collect();
    let ways = alice
        .browser
        .ways
        .split_off(alice.browser.ways.len() - attempts.len());
    attempts.into_iter().zip(ways).collect()
}

/// Lets time pass until something is opened.
pub(crate) fn next_opened(alice: &mut Script) -> (Attempt, Transport) {
    alice.wait_for_attempt();
    let all = opened(alice);
    assert_eq!(all.len(), 1, "{all:?}");
    all[0]
}

pub(crate) fn closed(alice: &mut Script, attempt: Attempt) {
    let code = 1006;
    alice.browser.feed(Input::SocketClosed {
        attempt,
        code,
        retry_after_ms: None,
    });
}

/// What is opened is open; returns its greeting.
pub(crate) fn greets(alice: &mut Script, attempt: Attempt) -> Hello {
    alice.browser.feed(Input::SocketOpened { attempt });
    let frame = alice.browser.outputs.pop_back();
    match frame {
        Some(Output::Frame(of, ClientFrame::Hello(hello))) if of == attempt => hello,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn transport(alice: &Script) -> Option<Transport> {
    alice.browser.screen.connection.as_ref().unwrap().transport
}

/// Alice behind a proxy that refuses upgrades, live in a thread with a message by Bob.
pub(crate) fn behind_a_proxy() -> Script {
    let mut alice = Script::offline();
    alice.browser.app(AppInput::Connect);
    let (attempt, way) = next_opened(&mut alice);
    assert_eq!(way, Transport::WebSocket);
    closed(&mut alice, attempt);
    let (attempt, way) = next_opened(&mut alice);
    assert_eq!(way, Transport::Sse, "the other way is tried at once");
    greets(&mut alice, attempt);
    alice.attempt = attempt;
    alice.say(&welcome("alice"));
    alice.say(&reset(1, 1));
    alice.say(&live(3));
    alice.browser.outputs.clear();
    alice
}

#[test]
fn the_other_way_is_tried_and_only_the_transport_shows_it() {
    let alice = behind_a_proxy();
    assert_eq!(transport(&alice), Some(Transport::Sse));
    let mut direct = Script::live(1);
    assert_eq!(transport(&direct), Some(Transport::WebSocket));
    assert_eq!(alice.bodies(), direct.bodies());
    direct.lose();
    assert_eq!(
        transport(&direct),
        None,
        "without a connection there is none"
    );
}

#[test]
fn a_subscription_that_is_refused_for_now_is_asked_for_by_another_stream() {
    let mut alice = behind_a_proxy();
    let reference = Some(ErrorRef {
        frame_type: ClientFrameType::Subscribe,
        thread_id: Some(thread()),
        client_msg_id: None,
    });
    alice.say(&ServerFrame::Error(ErrorFrame {
        reference,
        code: ErrorCode::Busy,
        retry_after_ms: Some(3_000),
    }));
    alice.browser.pass(2_900);
    assert_eq!(opened(&mut alice), []);
    alice.browser.pass(200);
    assert_eq!(opened(&mut alice).len(), 1);
    // And nothing wakes it meanwhile: `pass` would notice.
    alice.browser.pass(5_000);
    assert_eq!(alice.browser.outputs, []);
}

#[test]
fn a_long_token_takes_no_room_from_a_streams_threads() {
    let mut alice = behind_a_proxy();
    alice.browser.is_token_held = true;
    for number in 0..99 {
        let other: ThreadId = format!("{}{number}", "t".repeat(120)).parse().unwrap();
        alice.browser.open(&other);
    }
    alice.lose();
    while alice.browser.asked.is_empty() {
        alice.browser.pass(100);
    }
    let attempt = alice.browser.asked.pop_front().unwrap();
    let token = Some(TokenInput {
        token: Token::new("x".repeat(12_000)),
        subject: None,
    });
    alice.browser.feed(Input::Token { attempt, token });
    let (attempt, way) = next_opened(&mut alice);
    assert_eq!(way, Transport::Sse);
    assert_eq!(greets(&mut alice, attempt).resume.len(), 100);
}

#[test]
fn a_stream_that_falls_silent_is_followed_or_given_up() {
    let mut alice = behind_a_proxy();
    let attempt = alice.attempt;
    for _ in 0..4 {
        alice.browser.pass(25_000);
        alice.browser.feed(Input::Heard { attempt });
    }
    let all = opened(&mut alice);
    assert!(
        all.iter().all(|(_, way)| *way == Transport::WebSocket),
        "{all:?}"
    );
    for (attempt, _) in all {
        closed(&mut alice, attempt);
    }
    // Requests are answered, the stream is dead.
    alice.browser.pass(30_000);
    let (attempt, text) = (alice.attempt, encode(&ServerFrame::Pong));
    alice.browser.feed(Input::Answer { attempt, text });
    alice.browser.pass(21_000);
    let (attempt, way) = next_opened(&mut alice);
    assert_eq!(way, Transport::Sse);
    assert_eq!(
        alice.browser.screen.connection.as_ref().unwrap().state,
        ConnectionState::Connected
    );
    greets(&mut alice, attempt);
    alice.browser.pass(10_001);
    let state = alice.browser.screen.connection.as_ref().unwrap().state;
    assert_ne!(
        state,
        ConnectionState::Connected,
        "nobody answers that either"
    );
}

#[test]
fn waking_up_proves_a_stream_by_another() {
    let mut alice = behind_a_proxy();
    alice.browser.pass(6_000);
    alice.browser.feed(Input::Lifecycle(Lifecycle::Visible));
    let (_, way) = next_opened(&mut alice);
    assert_eq!(way, Transport::Sse);
}

pub(crate) fn state(alice: &Script) -> ConnectionState {
    alice.browser.screen.connection.as_ref().unwrap().state
}

#[test]
fn a_page_that_takes_long_is_not_cut_by_another_stream() {
    let mut alice = Script::offline();
    alice.browser.app(AppInput::Connect);
    let (attempt, _) = next_opened(&mut alice);
    closed(&mut alice, attempt);
    let (attempt, _) = next_opened(&mut alice);
    greets(&mut alice, attempt);
    alice.attempt = attempt;
    alice.say(&welcome("alice"));
    for _ in 0..6 {
        alice.browser.pass(8_000);
        assert_eq!(opened(&mut alice), [], "parts of it arrive");
        alice.browser.feed(Input::Heard { attempt });
    }
    alice.browser.pass(15_000);
    assert_eq!(opened(&mut alice).len(), 1, "none do any more");
}
