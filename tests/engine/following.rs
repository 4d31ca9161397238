//! A stream that is to follow another.

use rejoinder::engine::{
    AppInput, Attempt, ConnectionState, Input, Lifecycle, Reason, SyncState, TokenInput, Transport,
};
use rejoinder_protocol::{Goodbye, ServerFrame, ThreadId, Token, encode};

use crate::script::{Script, change, from_bob, welcome};
use crate::story::browser::Output;
use crate::story::thread;
use crate::streams::{behind_a_proxy, closed, greets, next_opened, opened, state, transport};

/// Alice opens another thread, for which a stream is to follow.
fn wants_another(alice: &mut Script) -> Attempt {
    alice.browser.pass(2_000);
    alice.browser.open(&"alice|carol".parse().unwrap());
    let (attempt, way) = next_opened(alice);
    assert_eq!(way, Transport::Sse);
    attempt
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
