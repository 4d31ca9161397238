//! Which way is tried: a WebSocket, or a stream.

use rejoinder::engine::{AppInput, Attempt, ConnectionState, Input, Lifecycle, Reason, Transport};
use rejoinder_protocol::{Goodbye, ServerFrame};

use crate::script::{Script, change, from_bob, live, welcome};
use crate::story::browser::Output;
use crate::streams::{behind_a_proxy, closed, greets, next_opened, opened, transport};

#[test]
fn where_web_sockets_have_worked_three_must_fail_and_the_ways_take_turns() {
    let mut alice = Script::live(0);
    alice.browser.pass(30_000);
    alice.lose();
    let mut ways = Vec::new();
    for _ in 0..6 {
        let (attempt, way) = next_opened(&mut alice);
        ways.push(way);
        closed(&mut alice, attempt);
    }
    use Transport::{Sse, WebSocket};
    assert_eq!(ways, [WebSocket, WebSocket, WebSocket, Sse, WebSocket, Sse]);
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

#[test]
fn where_web_sockets_are_cut_soon_a_stream_is_used() {
    let mut alice = Script::offline();
    alice.browser.app(AppInput::Connect);
    for _ in 0..3 {
        let (attempt, way) = next_opened(&mut alice);
        assert_eq!(way, Transport::WebSocket);
        welcomed(&mut alice, attempt);
        alice.browser.pass(5_000);
        alice.lose();
    }
    let (attempt, way) = next_opened(&mut alice);
    assert_eq!(way, Transport::Sse);
    welcomed(&mut alice, attempt);
    // Each that follows the stream is cut, too: another stream at once, another try ever later.
    let mut pauses = Vec::new();
    for _ in 0..6 {
        let before = alice.browser.now.monotonic.0;
        let attempt = loop {
            let attempt = alice.attempt;
            alice.browser.feed(Input::Heard { attempt });
            alice.browser.pass(10_000);
            if let Some((attempt, Transport::WebSocket)) = opened(&mut alice).pop() {
                break attempt;
            }
        };
        pauses.push(alice.browser.now.monotonic.0 - before);
        welcomed(&mut alice, attempt);
        alice.browser.pass(5_000);
        alice.lose();
        let (attempt, way) = next_opened(&mut alice);
        assert_eq!(way, Transport::Sse);
        welcomed(&mut alice, attempt);
    }
    assert!(pauses.is_sorted(), "{pauses:?}");
    assert!(pauses[5] >= 900_000, "{pauses:?}");
}

#[test]
fn a_web_socket_that_lasts_works() {
    let mut alice = Script::live(0);
    for _ in 0..8 {
        alice.browser.pass(30_000);
        alice.lose();
        let (attempt, way) = next_opened(&mut alice);
        assert_eq!(way, Transport::WebSocket);
        welcomed(&mut alice, attempt);
    }
}

#[test]
fn a_gateway_that_says_goodbye_does_not_change_the_way() {
    let mut alice = Script::live(0);
    for code in [4003, 1006, 4003, 1006, 4003, 1006, 4003] {
        alice.say(&ServerFrame::Goodbye(Goodbye {
            code: 4003,
            retry_after_ms: Some(15_000),
        }));
        alice.close(code);
        let notice = alice.browser.screen.connection.clone().unwrap();
        let seen = (notice.state, notice.reason, notice.close_code);
        let limited = (ConnectionState::Waiting, Some(Reason::Closed), Some(4003));
        assert_eq!(seen, limited, "the application can tell why");
        alice.browser.feed(Input::Lifecycle(Lifecycle::Online));
        alice.browser.pass(14_999);
        assert_eq!(opened(&mut alice), []);
        let (attempt, way) = next_opened(&mut alice);
        assert_eq!(way, Transport::WebSocket);
        welcomed(&mut alice, attempt);
    }
}

#[test]
fn a_gateway_that_says_goodbye_before_a_welcome_does_not_change_the_way() {
    let mut alice = Script::offline();
    alice.browser.app(AppInput::Connect);
    for _ in 0..4 {
        let (attempt, way) = next_opened(&mut alice);
        assert_eq!(way, Transport::WebSocket);
        greets(&mut alice, attempt);
        alice.attempt = attempt;
        alice.say(&ServerFrame::Goodbye(Goodbye {
            code: 4003,
            retry_after_ms: Some(15_000),
        }));
        alice.lose();
        alice.browser.pass(14_999);
        assert_eq!(opened(&mut alice), []);
    }
}

/// A gateway's first words on what was opened.
fn welcomed(alice: &mut Script, attempt: Attempt) {
    greets(alice, attempt);
    alice.attempt = attempt;
    alice.say(&welcome("alice"));
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

#[test]
fn a_late_timer_says_nothing_about_the_network() {
    let mut alice = behind_a_proxy();
    alice.lose();
    // A hidden page's timers fire once a minute.
    let mut ways = Vec::new();
    for _ in 0..8 {
        let later = alice.browser.now.monotonic.after(60_000);
        alice.browser.set_time(later);
        alice.browser.feed(Input::Woke);
        for (attempt, way) in opened(&mut alice) {
            ways.push(way);
            closed(&mut alice, attempt);
        }
    }
    use Transport::{Sse, WebSocket};
    assert_eq!(ways, [Sse, WebSocket, Sse, WebSocket]);
}
