//! A newer token for a connection that lives.

use rejoinder::engine::{AppInput, ConnectionState, Input, Reason, TokenInput};
use rejoinder_protocol::{
    Authenticated, ClientFrame, ClientFrameType, ErrorCode, ErrorFrame, ErrorRef, ServerFrame,
    Token,
};

use crate::script::{Script, user, welcome};
use crate::story::browser::Output;

const HOUR_MS: u64 = 3_600_000;
const MINUTE_MS: u64 = 60_000;

/// Alice, connected with a token that counts for so long; her application's token function answers
/// when the test does.
fn connected_for(life_ms: Option<u64>) -> Script {
    let mut alice = Script::offline();
    alice.browser.app(AppInput::Connect);
    let opened = alice.browser.outputs.pop_front();
    let Some(Output::Open(attempt)) = opened else {
        panic!("{opened:?}")
    };
    alice.attempt = attempt;
    alice.browser.feed(Input::SocketOpened { attempt });
    let ServerFrame::Welcome(mut frame) = welcome("alice") else {
        panic!()
    };
    frame.server_time = 7_000_000.try_into().unwrap();
    frame.token_expires_at = life_ms.map(|ms| (7_000_000 + ms).try_into().unwrap());
    alice.say(&ServerFrame::Welcome(frame));
    alice.browser.is_token_held = true;
    alice.take();
    alice
}

/// Lets the connection live for so long, with a gateway that pings.
fn live_for(alice: &mut Script, ms: u64) {
    let end = alice.browser.now.monotonic.0 + ms;
    while alice.browser.now.monotonic.0 < end {
        let left = end - alice.browser.now.monotonic.0;
        alice.browser.pass(left.min(25_000));
        alice.say(&ServerFrame::Ping);
    }
    alice.browser.outputs.retain(|output| {
        !matches!(
            output,
            Output::Frame(_, ClientFrame::Pong | ClientFrame::Ping)
        )
    });
}

fn bring(alice: &mut Script, token: &str, subject: Option<&str>) {
    let attempt = alice.browser.asked.pop_front().expect("nobody asks");
    let token = TokenInput {
        token: Token::new(token.to_owned()),
        subject: subject.map(user),
    };
    alice.browser.feed(Input::Token {
        attempt,
        token: Some(token),
    });
}

/// The tokens that were given on the connection.
fn auths(alice: &mut Script) -> Vec<String> {
    let frames = alice.take().into_iter().filter_map(|frame| match frame {
        ClientFrame::Auth(auth) => Some(auth.token.secret().to_owned()),
        _ => None,
    });
    frames.collect()
}

fn authenticated(alice: &mut Script, until_ms: u64) {
    let expires_at = (7_000_000 + until_ms).try_into().unwrap();
    alice.say(&ServerFrame::Authenticated(Authenticated { expires_at }));
}

fn state(alice: &Script) -> (ConnectionState, Option<Reason>) {
    let notice = alice.browser.screen.connection.as_ref().unwrap();
    (notice.state, notice.reason)
}

#[test]
fn a_token_is_replaced_a_minute_before_it_ends_and_so_is_the_next() {
    let mut alice = connected_for(Some(HOUR_MS));
    live_for(&mut alice, HOUR_MS - 76_000);
    assert!(alice.browser.asked.is_empty(), "not yet");
    live_for(&mut alice, 16_000);
    bring(&mut alice, "second", Some("alice"));
    assert_eq!(auths(&mut alice), ["second"]);
    authenticated(&mut alice, 2 * HOUR_MS);
    live_for(&mut alice, HOUR_MS - 76_000);
    assert!(alice.browser.asked.is_empty(), "not yet");
    live_for(&mut alice, 76_000);
    bring(&mut alice, "third", None);
    assert_eq!(auths(&mut alice), ["third"]);
    assert_eq!(state(&alice), (ConnectionState::Connected, None));
}

#[test]
fn a_short_life_is_used_for_the_most_part_and_never_asks_more_than_every_ten_seconds() {
    for (life_ms, earliest, latest) in [
        (MINUTE_MS, 45_000, 48_000),
        (20_000, 15_000, 16_000),
        (5_000, 10_000, 10_000),
        (0, 10_000, 10_000),
    ] {
        let mut alice = connected_for(Some(life_ms));
        live_for(&mut alice, earliest - 1);
        assert!(alice.browser.asked.is_empty(), "{life_ms}");
        live_for(&mut alice, latest - earliest + 1);
        assert_eq!(alice.browser.asked.len(), 1, "{life_ms}");
    }
}

#[test]
fn a_token_without_end_is_left_alone() {
    let mut alice = connected_for(None);
    live_for(&mut alice, 24 * HOUR_MS);
    assert!(alice.browser.asked.is_empty());
}

#[test]
fn devices_that_connected_at_once_do_not_ask_at_once() {
    let asked_at = |seed: u64| {
        let mut alice = connected_for(Some(HOUR_MS));
        // Draws as many random numbers as it had failures before.
        for _ in 0..seed {
            alice.lose();
            alice.browser.is_token_held = false;
            alice.wait_for_attempt();
            let Some(Output::Open(attempt)) = alice.browser.outputs.pop_front() else {
                panic!()
            };
            alice.attempt = attempt;
            alice.browser.feed(Input::SocketOpened { attempt });
            let ServerFrame::Welcome(mut frame) = welcome("alice") else {
                panic!()
            };
            frame.token_expires_at = HOUR_MS.try_into().ok();
            alice.say(&ServerFrame::Welcome(frame));
            alice.browser.is_token_held = true;
        }
        let start = alice.browser.now.monotonic.0;
        while alice.browser.asked.is_empty() {
            live_for(&mut alice, 100);
        }
        alice.browser.now.monotonic.0 - start
    };
    let moments: std::collections::BTreeSet<u64> = (0..5).map(asked_at).collect();
    assert!(moments.len() >= 4, "{moments:?}");
}

#[test]
fn the_same_token_again_is_not_sent_and_waited_with() {
    let mut alice = connected_for(Some(10 * MINUTE_MS));
    let mut asked_at = Vec::new();
    // The gateway keeps the connection for 30 s after its token has ended.
    for _ in 0..10 * 60 + 30 {
        live_for(&mut alice, 1_000);
        if !alice.browser.asked.is_empty() {
            bring(&mut alice, "dev:alice", Some("alice"));
            asked_at.push(alice.browser.now.monotonic.0);
        }
    }
    assert_eq!(auths(&mut alice), [""; 0]);
    assert!((3..=6).contains(&asked_at.len()), "{asked_at:?}");
    assert!(asked_at.windows(2).all(|pair| pair[1] - pair[0] >= 10_000));
    assert_eq!(state(&alice), (ConnectionState::Connected, None));
    alice.close(4101);
    assert_eq!(
        state(&alice),
        (ConnectionState::Waiting, Some(Reason::TokenExpired))
    );
}

#[test]
fn a_function_that_fails_or_hangs_is_asked_again_and_shown_until_it_works() {
    let mut alice = connected_for(Some(10 * MINUTE_MS));
    live_for(&mut alice, 9 * MINUTE_MS);
    let attempt = alice.browser.asked.pop_front().unwrap();
    let token = None;
    alice.browser.feed(Input::Token { attempt, token });
    let connected = ConnectionState::Connected;
    assert_eq!(state(&alice), (connected, Some(Reason::NoToken)));
    live_for(&mut alice, 13_000);
    let hanging = alice.browser.asked.pop_front();
    assert!(hanging.is_some(), "asked again");
    live_for(&mut alice, 10_000);
    assert_eq!(state(&alice), (connected, Some(Reason::NoToken)));
    alice.browser.feed(Input::Token {
        attempt,
        token: Some(TokenInput {
            token: Token::new("too late".into()),
            subject: None,
        }),
    });
    assert_eq!(auths(&mut alice), [""; 0], "it was given up");
    live_for(&mut alice, 25_000);
    bring(&mut alice, "second", None);
    assert_eq!(auths(&mut alice), ["second"]);
    authenticated(&mut alice, 2 * HOUR_MS);
    assert_eq!(state(&alice), (connected, None));
    assert!(alice.browser.asked.is_empty());
}

#[test]
fn an_answer_that_does_not_come_is_asked_for_again() {
    let mut alice = connected_for(Some(10 * MINUTE_MS));
    live_for(&mut alice, 9 * MINUTE_MS);
    for _ in 0..2 {
        bring(&mut alice, "second", None);
        assert_eq!(auths(&mut alice), ["second"]);
        live_for(&mut alice, 23_000);
    }
    // Late, but it is the gateway's word.
    authenticated(&mut alice, HOUR_MS);
    alice.browser.asked.clear();
    live_for(&mut alice, 30 * MINUTE_MS);
    assert!(alice.browser.asked.is_empty());
}

#[test]
fn a_gateway_that_cannot_check_a_token_now_is_given_it_again() {
    let mut alice = connected_for(Some(HOUR_MS));
    live_for(&mut alice, HOUR_MS - MINUTE_MS);
    bring(&mut alice, "newer", None);
    assert_eq!(auths(&mut alice), ["newer"]);
    alice.say(&ServerFrame::Error(ErrorFrame {
        reference: Some(ErrorRef {
            frame_type: ClientFrameType::Auth,
            thread_id: None,
            client_msg_id: None,
        }),
        code: ErrorCode::Busy,
        retry_after_ms: Some(1_000),
    }));
    live_for(&mut alice, 13_000);
    bring(&mut alice, "newer", None);
    assert_eq!(auths(&mut alice), ["newer"]);
    assert_eq!(state(&alice), (ConnectionState::Connected, None));
}

#[test]
fn a_token_of_another_user_is_not_sent_and_the_queue_is_kept() {
    let mut alice = connected_for(Some(HOUR_MS));
    live_for(&mut alice, HOUR_MS - MINUTE_MS);
    alice.send("alice's");
    alice.take();
    bring(&mut alice, "bob's", Some("bob"));
    let attempt = alice.attempt;
    assert_eq!(alice.browser.outputs, [Output::Close(attempt)]);
    assert_eq!(state(&alice), (ConnectionState::WrongUser, None));
    assert_eq!(alice.browser.storage.outbox_len(), 1);
}

#[test]
fn whoever_connects_again_is_asked_for_the_new_token_at_once_but_not_more_than_every_ten_seconds() {
    for life_ms in [Some(HOUR_MS), None] {
        let mut alice = connected_for(life_ms);
        live_for(&mut alice, MINUTE_MS);
        alice.browser.app(AppInput::Connect);
        bring(&mut alice, "second", Some("alice"));
        assert_eq!(auths(&mut alice), ["second"]);
        authenticated(&mut alice, 2 * HOUR_MS);
        for _ in 0..5 {
            alice.browser.app(AppInput::Connect);
        }
        assert!(alice.browser.asked.is_empty());
        live_for(&mut alice, 10_000);
        assert_eq!(alice.browser.asked.len(), 1, "the last one is heard");
        bring(&mut alice, "second", Some("alice"));
        assert_eq!(auths(&mut alice), [""; 0], "and has nothing new");
    }
}

#[test]
fn what_an_older_attempt_asked_for_is_dropped() {
    let mut alice = connected_for(Some(HOUR_MS));
    live_for(&mut alice, HOUR_MS - MINUTE_MS);
    let old = alice.browser.asked.pop_front().unwrap();
    alice.lose();
    alice.browser.pass(3_000);
    let new = alice.browser.asked.pop_front().unwrap();
    assert_ne!(old, new);
    let token = |text: &str| {
        Some(TokenInput {
            token: Token::new(text.into()),
            subject: None,
        })
    };
    let late = token("of the older attempt");
    alice.browser.feed(Input::Token {
        attempt: old,
        token: late,
    });
    assert_eq!(alice.browser.outputs, []);
    let right = token("right");
    alice.browser.feed(Input::Token {
        attempt: new,
        token: right,
    });
    assert_eq!(alice.browser.outputs, [Output::Open(new)]);
}
