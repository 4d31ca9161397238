//! Where no WebSocket can be opened.

use rejoinder::engine::{
    AppInput, Attempt, ConnectionState, Input, Lifecycle, Reason, SyncState, TokenInput, Transport,
};
use rejoinder_protocol::{
    ClientFrame, ClientFrameType, ErrorCode, ErrorFrame, ErrorRef, Goodbye, Hello, ServerFrame,
    ThreadId, Token, encode,
};

use crate::script::{Script, ack, change, from_bob, live, own, reset, welcome};
use crate::story::browser::Output;
use crate::story::thread;

/// What a tab has opened since the last call, and by which way.
fn opened(alice: &mut Script) -> Vec<(Attempt, Transport)> {
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
fn next_opened(alice: &mut Script) -> (Attempt, Transport) {
    alice.wait_for_attempt();
    let all = opened(alice);
    assert_eq!(all.len(), 1, "{all:?}");
    all[0]
}

fn closed(alice: &mut Script, attempt: Attempt) {
    let code = 1006;
    alice.browser.feed(Input::SocketClosed {
        attempt,
        code,
        retry_after_ms: None,
    });
}

/// What is opened is open; returns its greeting.
fn greets(alice: &mut Script, attempt: Attempt) -> Hello {
    alice.browser.feed(Input::SocketOpened { attempt });
    let frame = alice.browser.outputs.pop_back();
    match frame {
        Some(Output::Frame(of, ClientFrame::Hello(hello))) if of == attempt => hello,
        other => panic!("{other:?}"),
    }
}

fn answer(alice: &mut Script, frame: &ServerFrame) {
    let (attempt, text) = (alice.attempt, encode(frame));
    alice.browser.feed(Input::Answer { attempt, text });
}

fn transport(alice: &Script) -> Option<Transport> {
    alice.browser.screen.connection.as_ref().unwrap().transport
}

/// Alice behind a proxy that refuses upgrades, live in a thread with a message by Bob.
fn behind_a_proxy() -> Script {
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
fn where_web_sockets_have_worked_two_must_fail_and_the_ways_take_turns() {
    let mut alice = Script::live(0);
    alice.lose();
    let mut ways = Vec::new();
    for _ in 0..6 {
        let (attempt, way) = next_opened(&mut alice);
        ways.push(way);
        closed(&mut alice, attempt);
    }
    use Transport::{Sse, WebSocket};
    assert_eq!(ways, [WebSocket, WebSocket, Sse, WebSocket, Sse, WebSocket]);
}

#[test]
fn a_network_that_comes_back_is_tried_by_a_web_socket_first() {
    let mut alice = Script::live(0);
    alice.lose();
    for _ in 0..2 {
        let (attempt, _) = next_opened(&mut alice);
        closed(&mut alice, attempt);
    }
    alice.browser.feed(Input::Lifecycle(Lifecycle::Online));
    assert_eq!(next_opened(&mut alice).1, Transport::WebSocket);
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

#[test]
fn what_must_be_said_on_a_stream_is_said_by_one_that_follows() {
    let mut alice = behind_a_proxy();
    let other: ThreadId = "alice|carol".parse().unwrap();
    alice.browser.pass(2_000);
    alice.browser.screen.shown = Default::default();
    alice.browser.open(&other);
    let (attempt, way) = next_opened(&mut alice);
    assert_eq!(way, Transport::Sse);
    let hello = greets(&mut alice, attempt);
    let threads: Vec<_> = hello.resume.iter().map(|one| &one.thread_id).collect();
    assert_eq!(threads, [&thread(), &other]);
    // Until it is welcomed, the living one serves.
    alice.say(&change(from_bob(2)));
    let key = alice.send("meanwhile");
    assert_eq!(alice.sent(), [key]);
    let before = alice.attempt;
    alice.attempt = attempt;
    alice.say(&welcome("alice"));
    assert!(alice.browser.outputs.contains(&Output::Close(before)));
    assert_eq!(
        alice.sent(),
        [key],
        "what was not confirmed is sent by the new one"
    );
    let (connections, metas) = std::mem::take(&mut alice.browser.screen.shown);
    for one in connections {
        let seen = (one.state, one.transport, one.reason);
        assert_eq!(
            seen,
            (ConnectionState::Connected, Some(Transport::Sse), None)
        );
    }
    for (_, meta) in metas.iter().filter(|(of, _)| *of == thread()) {
        assert_eq!(meta.sync_state, SyncState::Live, "nobody sees the change");
    }
    assert_eq!(alice.bodies(), ["bob 1", "bob 2", "meanwhile"]);
    let text = encode(&change(from_bob(3)));
    alice.browser.feed(Input::Frame {
        attempt: before,
        text,
    });
    assert_eq!(alice.bodies().len(), 3, "nothing is heard of the old one");
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
fn what_an_older_connection_was_told_at_its_end_is_forgotten_with_it() {
    let mut alice = behind_a_proxy();
    alice.browser.pass(6_000);
    alice.browser.feed(Input::Lifecycle(Lifecycle::Visible));
    let (attempt, _) = next_opened(&mut alice);
    greets(&mut alice, attempt);
    alice.say(&ServerFrame::Goodbye(Goodbye {
        code: 4101,
        retry_after_ms: Some(60_000),
    }));
    alice.attempt = attempt;
    alice.say(&welcome("alice"));
    alice.lose();
    let notice = alice.browser.screen.connection.clone().unwrap();
    assert_eq!(notice.reason, Some(Reason::Unreachable));
    let next = notice.next_attempt_at.unwrap().get() - alice.browser.now.wall.get();
    assert!(next <= 2_000, "{next}");
}

#[test]
fn threads_that_are_opened_one_after_the_other_share_a_stream() {
    let mut alice = behind_a_proxy();
    for number in 0..20 {
        let other: ThreadId = format!("alice|c{number}").parse().unwrap();
        alice.browser.open(&other);
        alice.browser.pass(20);
    }
    alice.browser.pass(1_000);
    assert_eq!(opened(&mut alice).len(), 1);
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
    answer(&mut alice, &ServerFrame::Pong);
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

#[test]
fn a_web_socket_is_tried_again_beside_the_stream_ever_more_rarely() {
    let mut alice = behind_a_proxy();
    let start = alice.browser.now.monotonic.0;
    let attempt = alice.attempt;
    let mut tries = Vec::new();
    while alice.browser.now.monotonic.0 < start + 3_600_000 {
        alice.browser.pass(10_000);
        alice.browser.feed(Input::Heard { attempt });
        for (attempt, way) in opened(&mut alice) {
            assert_eq!(way, Transport::WebSocket);
            tries.push(alice.browser.now.monotonic.0 - start);
            closed(&mut alice, attempt);
        }
    }
    assert!((50_000..=90_000).contains(&tries[0]), "{tries:?}");
    let pauses: Vec<_> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        pauses.windows(2).all(|pair| pair[0] <= pair[1]),
        "{pauses:?}"
    );
    assert!(tries.len() > 4);
    assert_eq!(
        transport(&alice),
        Some(Transport::Sse),
        "and nothing was lost by it"
    );
}

#[test]
fn a_web_socket_that_is_had_again_takes_over() {
    let mut alice = behind_a_proxy();
    let stream = alice.attempt;
    let (attempt, way) = loop {
        alice.browser.pass(10_000);
        alice.browser.feed(Input::Heard { attempt: stream });
        if let Some(one) = opened(&mut alice).pop() {
            break one;
        }
    };
    assert_eq!(way, Transport::WebSocket);
    let hello = greets(&mut alice, attempt);
    assert_eq!(hello.resume.len(), 1);
    alice.attempt = attempt;
    alice.say(&welcome("alice"));
    alice.say(&live(3));
    assert_eq!(transport(&alice), Some(Transport::WebSocket));
    assert!(alice.browser.outputs.contains(&Output::Close(stream)));
    alice.say(&change(from_bob(2)));
    assert_eq!(alice.bodies(), ["bob 1", "bob 2"]);
}

/// Alice opens another thread, for which a stream is to follow.
fn wants_another(alice: &mut Script) -> Attempt {
    alice.browser.pass(2_000);
    alice.browser.open(&"alice|carol".parse().unwrap());
    let (attempt, way) = next_opened(alice);
    assert_eq!(way, Transport::Sse);
    attempt
}

fn state(alice: &Script) -> ConnectionState {
    alice.browser.screen.connection.as_ref().unwrap().state
}

/// Lets time pass until a stream is opened beside the living one, of which there are signs of life.
fn next_stream(alice: &mut Script) -> Attempt {
    for _ in 0..60 {
        let attempt = alice.attempt;
        alice.browser.feed(Input::Heard { attempt });
        alice.browser.pass(1_000);
        for (attempt, way) in opened(alice) {
            match way {
                Transport::Sse => return attempt,
                Transport::WebSocket => closed(alice, attempt),
            }
        }
    }
    panic!("nothing is opened");
}

#[test]
fn a_stream_serves_on_where_another_cannot_be_had_for_now() {
    let mut alice = behind_a_proxy();
    let attempt = wants_another(&mut alice);
    // Nobody answers.
    alice.browser.pass(10_000);
    assert!(alice.browser.outputs.contains(&Output::Close(attempt)));
    alice.browser.outputs.clear();
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let before = alice.browser.now.monotonic.0;
        let attempt = next_stream(&mut alice);
        pauses.push(alice.browser.now.monotonic.0 - before);
        // Who opens another thread asks no sooner.
        let other = format!("alice|c{}", pauses.len()).parse().unwrap();
        closed(&mut alice, attempt);
        alice.browser.open(&other);
        assert_eq!(state(&alice), ConnectionState::Connected);
    }
    assert!(pauses.iter().all(|pause| *pause <= 30_000), "{pauses:?}");
    let longest = pauses.iter().max().unwrap();
    assert!(*longest > 8_000, "{pauses:?}");
    alice.say(&change(from_bob(2)));
    assert_eq!(alice.bodies(), ["bob 1", "bob 2"]);
}

#[test]
fn a_stream_is_followed_no_sooner_than_the_gateway_asked_for() {
    let mut alice = behind_a_proxy();
    let attempt = wants_another(&mut alice);
    greets(&mut alice, attempt);
    let text = encode(&ServerFrame::Goodbye(Goodbye {
        code: 4000,
        retry_after_ms: Some(20_000),
    }));
    alice.browser.feed(Input::Frame { attempt, text });
    closed(&mut alice, attempt);
    alice.browser.pass(10_000);
    alice.browser.open(&"alice|dave".parse().unwrap());
    alice.browser.pass(9_999);
    assert_eq!(opened(&mut alice), []);
    let attempt = next_stream(&mut alice);
    let hello = greets(&mut alice, attempt);
    assert_eq!(hello.resume.len(), 3, "all that was wanted meanwhile");
    alice.attempt = attempt;
    alice.say(&welcome("alice"));
    assert_eq!(transport(&alice), Some(Transport::Sse));
}

#[test]
fn what_the_gateway_asked_for_holds_also_where_the_living_stream_ends() {
    let mut alice = behind_a_proxy();
    let attempt = wants_another(&mut alice);
    greets(&mut alice, attempt);
    let text = encode(&ServerFrame::Goodbye(Goodbye {
        code: 4000,
        retry_after_ms: Some(20_000),
    }));
    alice.browser.feed(Input::Frame { attempt, text });
    closed(&mut alice, attempt);
    alice.browser.pass(5_000);
    alice.lose();
    let notice = alice.browser.screen.connection.clone().unwrap();
    let next = notice.next_attempt_at.unwrap().get() - alice.browser.now.wall.get();
    assert!((15_000..=15_100).contains(&next), "{next}");
}

#[test]
fn a_stream_that_is_refused_for_good_ends_the_one_it_was_to_follow() {
    for (code, ended) in [
        (4101, ConnectionState::Waiting),
        (4501, ConnectionState::Stopped),
    ] {
        let mut alice = behind_a_proxy();
        let attempt = wants_another(&mut alice);
        alice.browser.feed(Input::SocketClosed {
            attempt,
            code,
            retry_after_ms: None,
        });
        assert_eq!(state(&alice), ended);
        let living = alice.attempt;
        assert!(alice.browser.outputs.contains(&Output::Close(living)));
    }
}

#[test]
fn a_newer_token_is_given_again_where_its_stream_could_not_be_had() {
    let mut alice = behind_a_proxy();
    alice.browser.pass(11_000);
    alice.browser.is_token_held = true;
    alice.browser.app(AppInput::Connect);
    let attempt = alice.browser.asked.pop_front().unwrap();
    let token = Some(TokenInput {
        token: Token::new("newer".to_owned()),
        subject: None,
    });
    alice.browser.feed(Input::Token { attempt, token });
    for _ in 0..2 {
        let attempt = next_stream(&mut alice);
        assert_eq!(greets(&mut alice, attempt).token.secret(), "newer");
        closed(&mut alice, attempt);
    }
    assert_eq!(state(&alice), ConnectionState::Connected);
}

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

#[test]
fn a_stream_that_is_refused_is_tried_again_when_that_was_said() {
    let mut alice = Script::offline();
    alice.browser.app(AppInput::Connect);
    let (attempt, _) = next_opened(&mut alice);
    closed(&mut alice, attempt);
    let (attempt, way) = next_opened(&mut alice);
    assert_eq!(way, Transport::Sse);
    alice.browser.feed(Input::SocketClosed {
        attempt,
        code: 4003,
        retry_after_ms: Some(20_000),
    });
    let notice = alice.browser.screen.connection.clone().unwrap();
    assert_eq!(notice.close_code, Some(4003));
    let next = notice.next_attempt_at.unwrap().get() - alice.browser.now.wall.get();
    assert!((20_000..=20_100).contains(&next), "{next}");
    alice.browser.app(AppInput::Connect);
    alice.browser.pass(19_999);
    assert_eq!(opened(&mut alice), []);
    assert_eq!(next_opened(&mut alice).1, Transport::Sse);
}
