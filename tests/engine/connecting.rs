use rejoinder::engine::{AppInput, ConnectionState, Input, Lifecycle, Millis, Reason, TokenInput};
use rejoinder_protocol::{ClientFrame, Goodbye, ServerFrame, Since, Token, encode};

use crate::script::{Script, cursor, live, reset, user, welcome};
use crate::story::browser::{Browser, Output};

fn state(script: &Script) -> ConnectionState {
    script.browser.screen.connection.as_ref().unwrap().state
}

fn hello(browser: &mut Browser) -> rejoinder_protocol::Hello {
    let hello = browser.outputs.drain(..).find_map(|output| match output {
        Output::Frame(_, ClientFrame::Hello(hello)) => Some(hello),
        _ => None,
    });
    hello.expect("a hello was sent")
}

#[test]
fn hello_carries_the_cursors_of_shown_threads() {
    let mut alice = Script::live(3);
    alice.lose();
    alice.wait_for_attempt();
    let opened = alice
        .browser
        .outputs
        .iter()
        .find_map(|output| match output {
            Output::Open(attempt) => Some(*attempt),
            _ => None,
        });
    alice.browser.feed(Input::SocketOpened {
        attempt: opened.unwrap(),
    });
    let resume = hello(&mut alice.browser).resume;
    assert_eq!(resume.len(), 1);
    assert_eq!(resume[0].since, Since::Cursor(cursor(5)));
}

#[test]
fn history_renders_from_the_cache_before_there_is_a_connection() {
    let alice = Script::live(3);
    let again = Script::with_storage(alice.browser.storage.clone());
    assert_eq!(again.bodies(), ["bob 1", "bob 2", "bob 3"]);
    assert!(
        again.browser.screen.heard.is_empty(),
        "the cache is not news"
    );
}

#[test]
fn the_way_of_a_connection_is_shown() {
    let mut alice = Script::offline();
    assert_eq!(state(&alice), ConnectionState::Idle);
    alice.browser.app(AppInput::Connect);
    assert_eq!(state(&alice), ConnectionState::Connecting);
    alice.accept();
    assert_eq!(state(&alice), ConnectionState::Connected);
    alice.lose();
    let notice = alice.browser.screen.connection.clone().unwrap();
    assert_eq!(notice.state, ConnectionState::Waiting);
    assert_eq!(notice.reason, Some(Reason::Unreachable));
    let next = notice.next_attempt_at.unwrap().get() - alice.browser.now.wall.get();
    assert!((100..=2_000).contains(&next), "{next}");
    alice.browser.app(AppInput::Disconnect);
    assert_eq!(state(&alice), ConnectionState::Idle);
    assert_eq!(alice.browser.engine.next_wakeup(), None);
}

#[test]
fn a_goodbye_is_never_undercut() {
    let mut alice = Script::live(0);
    alice.say(&ServerFrame::Goodbye(Goodbye {
        code: 4000,
        retry_after_ms: Some(9_000),
    }));
    alice.close(4000);
    alice.browser.pass(8_999);
    alice.browser.feed(Input::Lifecycle(Lifecycle::Online));
    alice.browser.app(AppInput::Connect);
    assert_eq!(
        alice.browser.outputs,
        [],
        "neither a hint nor the application undercuts it"
    );
    alice.browser.pass(200);
    assert!(matches!(alice.browser.outputs[0], Output::Open(_)));
}

#[test]
fn attempts_are_spread_and_never_rush() {
    let mut alice = Script::offline();
    alice.browser.app(AppInput::Connect);
    let mut attempts = Vec::new();
    while alice.browser.now.monotonic < Millis(600_000) {
        let Some(Output::Open(attempt)) = alice.browser.outputs.pop_front() else {
            alice.browser.pass(10);
            continue;
        };
        attempts.push(alice.browser.now.monotonic.0);
        alice.browser.feed(Input::SocketClosed {
            attempt,
            code: 1006,
            retry_after_ms: None,
        });
    }
    assert!(attempts.windows(2).all(|pair| pair[1] - pair[0] >= 100));
    for start in &attempts {
        let minute = attempts
            .iter()
            .filter(|at| (*start..*start + 60_000).contains(*at));
        assert!(minute.count() <= 12, "at most 12 attempts in a minute");
    }
    assert!(attempts.len() > 20, "and it does not give up");
}

#[test]
fn a_refused_token_is_asked_anew_once() {
    for code in [4100, 4101, 4177] {
        let mut alice = Script::live(0);
        alice.send("kept");
        alice.close(code);
        assert_eq!(state(&alice), ConnectionState::Waiting, "{code}");
        alice.browser.pass(100);
        let Some(Output::Open(attempt)) = alice.browser.outputs.pop_front() else {
            panic!("a new token is tried");
        };
        alice.browser.feed(Input::SocketOpened { attempt });
        alice.browser.feed(Input::SocketClosed {
            attempt,
            code,
            retry_after_ms: None,
        });
        assert_eq!(state(&alice), ConnectionState::AuthRequired, "{code}");
        let notice = alice.browser.screen.connection.clone().unwrap();
        let reason = match code {
            4101 => Reason::TokenExpired,
            _ => Reason::TokenRefused,
        };
        assert_eq!((notice.reason, notice.queue_length), (Some(reason), 1));
        assert_eq!(alice.browser.storage.outbox_len(), 1, "and stored");
        alice.browser.outputs.clear();
        alice.browser.pass(600_000);
        assert_eq!(alice.browser.outputs, [], "and no third time");
        alice.browser.app(AppInput::Connect);
        assert!(
            matches!(alice.browser.outputs[0], Output::Open(_)),
            "until the user acts"
        );
    }
}

#[test]
fn a_network_that_fails_after_a_refusal_is_no_second_refusal() {
    let mut alice = Script::live(0);
    alice.close(4101);
    alice.browser.pass(100);
    for _ in 0..3 {
        let Some(Output::Open(attempt)) = alice.browser.outputs.pop_front() else {
            panic!("it is tried again");
        };
        alice.browser.feed(Input::SocketClosed {
            attempt,
            code: 1006,
            retry_after_ms: None,
        });
        let notice = alice.browser.screen.connection.clone().unwrap();
        let shown = (notice.state, notice.reason, notice.close_code);
        let expected = (ConnectionState::Waiting, Some(Reason::Unreachable), None);
        assert_eq!(shown, expected);
        alice.wait_for_attempt();
    }
}

#[test]
fn a_gateway_that_welcomes_and_then_refuses_is_not_rushed() {
    let mut alice = Script::live(0);
    let mut waits = Vec::new();
    for _ in 0..8 {
        alice.close(4100);
        let notice = alice.browser.screen.connection.clone().unwrap();
        waits.push(notice.next_attempt_at.unwrap().get() - alice.browser.now.wall.get());
        alice.wait_for_attempt();
        alice.accept();
    }
    assert_eq!(waits[0], 100, "at once");
    assert!(waits.iter().sum::<u64>() > 10_000, "{waits:?}");
}

#[test]
fn a_connection_that_is_said_to_be_of_another_user_is_not_called_stopped() {
    let mut alice = Script::live(0);
    alice.close(4502);
    assert_eq!(state(&alice), ConnectionState::WrongUser);
}

#[test]
fn close_codes_from_4500_stop() {
    for code in [4500, 4501, 4503, 4777] {
        let mut alice = Script::live(0);
        alice.close(code);
        let notice = alice.browser.screen.connection.clone().unwrap();
        assert_eq!(
            (notice.state, notice.close_code),
            (ConnectionState::Stopped, Some(code))
        );
        alice.browser.pass(600_000);
        assert_eq!(alice.browser.outputs, []);
    }
}

#[test]
fn nothing_of_alice_leaves_on_a_connection_of_bob() {
    let mut alice = Script::offline();
    alice.send("for alice's eyes");
    alice.browser.app(AppInput::Connect);
    let Some(Output::Open(attempt)) = alice.browser.outputs.pop_front() else {
        panic!()
    };
    alice.browser.feed(Input::SocketOpened { attempt });
    alice.browser.outputs.clear();
    alice.browser.receive(attempt, &welcome("bob"));
    assert_eq!(state(&alice), ConnectionState::WrongUser);
    assert_eq!(alice.browser.outputs, [Output::Close(attempt)]);
    assert_eq!(alice.browser.storage.outbox_len(), 1, "the queue is intact");
}

#[test]
fn a_token_that_names_another_user_gets_no_cursors() {
    let mut alice = Script::live(3);
    alice.lose();
    alice.browser.app(AppInput::Disconnect);
    let mut effects = Vec::new();
    let now = alice.browser.now;
    let engine = &mut alice.browser.engine;
    engine.handle(now, Input::App(AppInput::Connect), &mut effects);
    let attempt = effects.iter().find_map(|effect| match effect {
        rejoinder::engine::Effect::RequestToken { attempt } => Some(*attempt),
        _ => None,
    });
    let attempt = attempt.unwrap();
    let token = TokenInput {
        token: Token::new("x".into()),
        subject: Some(user("bob")),
    };
    alice.browser.feed(Input::Token {
        attempt,
        token: Some(token),
    });
    alice.browser.feed(Input::SocketOpened { attempt });
    assert_eq!(hello(&mut alice.browser).resume, []);
}

#[test]
fn a_silent_gateway_is_probed_and_left() {
    let mut alice = Script::live(0);
    alice.browser.pass(49_999);
    assert_eq!(alice.take(), []);
    alice.browser.pass(1);
    assert_eq!(alice.take(), [ClientFrame::Ping]);
    alice.browser.pass(3_000);
    let notice = alice.browser.screen.connection.clone().unwrap();
    assert_eq!(
        (notice.state, notice.reason),
        (ConnectionState::Waiting, Some(Reason::Silent))
    );
}

#[test]
fn pings_are_answered_and_count_as_life() {
    let mut alice = Script::live(0);
    for _ in 0..10 {
        alice.browser.pass(25_000);
        alice.say(&ServerFrame::Ping);
        assert_eq!(alice.take(), [ClientFrame::Pong]);
    }
    assert_eq!(state(&alice), ConnectionState::Connected);
}

#[test]
fn waking_up_probes_at_once_and_hints_are_rationed() {
    let mut alice = Script::live(0);
    alice.browser.pass(6_000);
    for lifecycle in [Lifecycle::Online, Lifecycle::Visible, Lifecycle::Visible] {
        alice.browser.feed(Input::Lifecycle(lifecycle));
    }
    assert_eq!(
        alice.take(),
        [ClientFrame::Ping],
        "a burst of hints is one probe"
    );
    alice.say(&ServerFrame::Pong);
    let slept = alice.browser.now.wall.get() + 3_600_000;
    alice.browser.pass(5_000);
    alice.browser.now.wall = slept.try_into().unwrap();
    alice.browser.feed(Input::Lifecycle(Lifecycle::Hidden));
    assert_eq!(
        alice.take(),
        [ClientFrame::Ping],
        "the wall clock ran ahead: it slept"
    );
}

#[test]
fn a_hint_cuts_the_wait_short() {
    let mut alice = Script::live(0);
    alice.lose();
    alice.browser.pass(99);
    assert_eq!(alice.browser.outputs, []);
    alice.browser.feed(Input::Lifecycle(Lifecycle::Online));
    alice.browser.pass(1);
    assert!(matches!(alice.browser.outputs[0], Output::Open(_)));
}

#[test]
fn a_late_timer_lets_waiting_input_go_first() {
    let mut alice = Script::live(0);
    alice.send("hello");
    alice.take();
    alice.browser.set_time(Millis(60_000));
    alice.browser.feed(Input::Woke);
    assert_eq!(
        state(&alice),
        ConnectionState::Connected,
        "not yet believed"
    );
    alice.say(&ServerFrame::Ping);
    alice.browser.pass(2_000);
    assert_eq!(state(&alice), ConnectionState::Connected);
}

#[test]
fn a_probe_whose_answer_waits_behind_a_late_timer_is_not_given_up() {
    let mut alice = Script::live(0);
    alice.browser.pass(50_000);
    assert_eq!(alice.take(), [ClientFrame::Ping]);
    // The page was frozen; the answer arrived meanwhile and waits behind the timer.
    alice.browser.set_time(Millis(70_000));
    alice.browser.feed(Input::Woke);
    assert_eq!(state(&alice), ConnectionState::Connected);
    alice.say(&ServerFrame::Pong);
    alice.browser.pass(2_000);
    assert_eq!(state(&alice), ConnectionState::Connected);
}

#[test]
fn a_connection_that_is_lost_at_once_does_not_shorten_the_wait() {
    let mut longest = 0;
    let mut alice = Script::live(0);
    for _ in 0..12 {
        alice.lose();
        let notice = alice.browser.screen.connection.clone().unwrap();
        let next = notice.next_attempt_at.unwrap().get() - alice.browser.now.wall.get();
        longest = longest.max(next);
        alice.wait_for_attempt();
        alice.accept();
    }
    assert!(longest > 10_000, "{longest}");
    alice.browser.pass(30_000);
    alice.lose();
    let notice = alice.browser.screen.connection.clone().unwrap();
    let next = notice.next_attempt_at.unwrap().get() - alice.browser.now.wall.get();
    assert!(next <= 2_000, "a stable one does: {next}");
}

#[test]
fn what_belongs_to_an_older_attempt_is_dropped() {
    let mut alice = Script::live(1);
    let old = alice.attempt;
    alice.reconnect();
    alice.take();
    alice.browser.receive(old, &reset(1, 9));
    alice.browser.feed(Input::SocketClosed {
        attempt: old,
        code: 4500,
        retry_after_ms: None,
    });
    alice.browser.feed(Input::Token {
        attempt: old,
        token: None,
    });
    assert_eq!(state(&alice), ConnectionState::Connected);
    assert_eq!(alice.bodies(), ["bob 1"]);
}

#[test]
fn what_is_not_a_gateway_is_left() {
    let long = r#"{"type":"ping"}"#.to_owned() + &" ".repeat(16 * 1024 * 1024);
    for text in ["<html>", "{}", "", "[1]", &"x".repeat(600 * 1024), &long] {
        let mut alice = Script::live(0);
        let attempt = alice.attempt;
        alice.browser.feed(Input::Frame {
            attempt,
            text: text.to_owned(),
        });
        let notice = alice.browser.screen.connection.clone().unwrap();
        assert_eq!(notice.reason, Some(Reason::NotAGateway));
    }
}

#[test]
fn frames_before_welcome_mean_nothing() {
    let mut alice = Script::offline();
    alice.browser.app(AppInput::Connect);
    let Some(Output::Open(attempt)) = alice.browser.outputs.pop_front() else {
        panic!()
    };
    alice.browser.feed(Input::SocketOpened { attempt });
    alice.browser.receive(attempt, &reset(1, 2));
    alice.browser.receive(attempt, &live(4));
    assert!(alice.bodies().is_empty());
}

#[test]
fn a_hello_never_outgrows_its_limit() {
    let mut alice = Script::offline();
    for number in 0..200 {
        let name = format!("{}{number:03}", "t".repeat(120));
        alice.browser.open(&name.parse().unwrap());
    }
    alice.browser.app(AppInput::Connect);
    let Some(Output::Open(attempt)) = alice.browser.outputs.pop_front() else {
        panic!()
    };
    alice.browser.feed(Input::SocketOpened { attempt });
    let hello = hello(&mut alice.browser);
    assert!(hello.resume.len() <= 64);
    assert!(encode(&ClientFrame::Hello(hello)).len() <= 24 * 1024);
    alice.browser.receive(attempt, &welcome("alice"));
    let subscribed = alice
        .browser
        .outputs
        .iter()
        .filter(|output| matches!(output, Output::Frame(_, ClientFrame::Subscribe(_))));
    assert!(subscribed.count() >= 200 - 64, "the rest follows");
}
