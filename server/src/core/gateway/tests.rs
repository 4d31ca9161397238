//! A gateway with its real store under a virtual clock.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test names the variant it wants"
)]

mod limits;
mod measures;
mod others;
mod peers;
mod world;

use rejoinder_protocol::{CloseCode, PresenceState, ServerFrame, UnixMillis};

use super::*;
use crate::core::{Identity, NextBatch, ReadDone, Refusal, RequestId};
use crate::store::Command;
use world::{ALICE, BOB, World, kinds};

#[test]
fn a_message_is_acked_to_its_sender_and_told_to_both() {
    let mut world = World::pair();
    world.send(ALICE, 1, "hello");
    assert_eq!(kinds(&world.taken(ALICE)), ["ack", "change"]);
    assert_eq!(kinds(&world.taken(BOB)), ["change", "thread"]);
    world.send(ALICE, 1, "hello");
    let frames = world.taken(ALICE);
    assert!(matches!(&frames[..], [ServerFrame::Ack(ack)] if ack.duplicate));
    assert_eq!(world.taken(BOB), []);
}

#[test]
fn the_first_subscription_of_a_dev_thread_makes_it() {
    let mut world = World::new();
    world.join(ALICE, "alice");
    world.subscribe(ALICE);
    let frames = world.taken(ALICE);
    assert_eq!(
        kinds(&frames),
        ["welcome", "thread", "reset", "live", "presence"]
    );
    world.says(ALICE, r#"{"type":"subscribe","thread_id":"bob|carol"}"#);
    assert_eq!(kinds(&world.taken(ALICE)), ["error"]);
}

#[test]
fn a_slow_consumer_falls_back_to_pages_and_loses_nothing() {
    let mut world = World::pair();
    world.received.clear();
    world.says(BOB, r#"{"type":"subscribe","thread_id":"alice|bob"}"#);
    world.stuck.insert(BOB);
    let bodies: Vec<_> = (0..1_000).map(|number| format!("m{number}")).collect();
    for (number, body) in (1..).zip(&bodies) {
        world.send(ALICE, number, body);
    }
    world.unstick(BOB);
    let frames = world.taken(BOB);
    let pages = kinds(&frames).iter().filter(|kind| *kind == "page").count();
    assert!(pages >= 3, "{pages}");
    assert_eq!(World::log(&frames), bodies[..1_000]);
    world.send(ALICE, 5_000, "after");
    assert_eq!(kinds(&world.taken(BOB)), ["change", "thread"], "live again");
}

#[test]
fn a_slow_consumer_still_sees_how_a_thread_looks_in_the_end() {
    let mut world = World::new();
    world.join(ALICE, "alice");
    world.join(BOB, "bob");
    world.received.clear();
    world.stuck.insert(BOB);
    for number in 1..=400 {
        world.send(ALICE, number, "x");
    }
    world.unstick(BOB);
    let frames = world.taken(BOB);
    let Some(ServerFrame::Thread(last)) = frames.last() else {
        panic!("no summary: {:?}", kinds(&frames));
    };
    assert_eq!(last.sequence_number.get(), 400);
}

#[test]
fn whoever_takes_nothing_for_ten_seconds_is_closed() {
    let mut world = World::pair();
    world.stuck.insert(BOB);
    world.send(ALICE, 1, "hello");
    world.pass(9_999);
    assert_eq!(world.gateway.session_count(), 2);
    world.pass(1);
    world.unstick(BOB);
    assert_eq!(world.closed.get(&BOB), Some(&CloseCode::SlowConsumer));
    assert_eq!(kinds(&world.taken(BOB)), ["goodbye"]);
    assert_eq!(world.closed.get(&ALICE), None);
}

#[test]
fn what_was_stored_by_a_commit_of_unknown_fate_is_told_all_the_same() {
    let mut world = World::pair();
    world.lose_commit = true;
    world.send(ALICE, 1, "hello");
    let frames = world.taken(ALICE);
    assert!(matches!(&frames[0], ServerFrame::Error(error) if !error.code.is_permanent()));
    assert_eq!(kinds(&world.taken(BOB)), ["page", "live", "presence"]);
    world.send(ALICE, 1, "hello");
    let frames = world.taken(ALICE);
    assert!(matches!(&frames[0], ServerFrame::Ack(ack) if ack.duplicate));
    assert_eq!(kinds(&world.taken(BOB)), ["thread"]);
    world.send(ALICE, 2, "next");
    assert_eq!(kinds(&world.taken(BOB)), ["change", "thread"]);
}

#[test]
fn a_conversation_begun_by_a_commit_of_unknown_fate_appears_after_the_resend() {
    let mut world = World::new();
    world.join(ALICE, "alice");
    world.join(BOB, "bob");
    world.received.clear();
    world.lose_commit = true;
    world.send(ALICE, 1, "hello");
    assert_eq!(world.taken(BOB), []);
    world.send(ALICE, 1, "hello");
    assert_eq!(kinds(&world.taken(BOB)), ["thread"]);
    world.send(ALICE, 1, "hello");
    assert_eq!(world.taken(BOB), [], "once is enough");
}

#[test]
fn a_duplicate_tells_of_a_message_that_was_stored_elsewhere() {
    let mut world = World::pair();
    world.hold_commits = true;
    world.send(ALICE, 1, "hello");
    // The message is stored by somebody else before our own attempt is.
    let Some(Effect::Commit(NextBatch { commands, .. })) = world.held.first().cloned() else {
        panic!("a commit is asked for");
    };
    world.others(&commands);
    world.release();
    let frames = world.taken(ALICE);
    assert!(matches!(&frames[0], ServerFrame::Ack(ack) if ack.duplicate));
    assert_eq!(kinds(&world.taken(BOB)), ["page", "live", "presence"]);
}

#[test]
fn subscribing_while_others_write_leaves_no_hole() {
    let mut world = World::pair();
    world.join(SessionKey(3), "bob");
    world.hold_reads = true;
    world.subscribe(SessionKey(3));
    world.send(ALICE, 1, "one");
    world.send(ALICE, 2, "two");
    world.release();
    world.send(ALICE, 3, "three");
    let frames = world.taken(SessionKey(3));
    assert_eq!(World::log(&frames), ["one", "two", "three"]);
}

#[test]
fn whoever_is_removed_hears_of_it_and_then_nothing_more() {
    let mut world = World::pair();
    let remove = Command::Remove {
        thread_id: "alice|bob".parse().unwrap(),
        user_id: "bob".parse().unwrap(),
    };
    world.input(Input::Command {
        request: RequestId(1),
        command: remove,
    });
    world.send(ALICE, 1, "secret");
    assert_eq!(kinds(&world.taken(BOB)), ["removed"]);
    world.subscribe(BOB);
    assert_eq!(kinds(&world.taken(BOB)), ["error"]);
}

#[test]
fn a_conversation_that_another_starts_appears_without_subscribing() {
    let mut world = World::new();
    world.join(ALICE, "alice");
    world.join(BOB, "bob");
    world.received.clear();
    world.send(ALICE, 1, "hello");
    assert_eq!(kinds(&world.taken(BOB)), ["thread"]);
    assert_eq!(kinds(&world.taken(ALICE)), ["ack"]);
}

#[test]
fn typing_reaches_the_other_only_and_ends_with_the_connection() {
    let mut world = World::pair();
    let typing = r#"{"type":"typing","thread_id":"alice|bob","is_typing":true}"#;
    world.says(ALICE, typing);
    assert_eq!(kinds(&world.taken(BOB)), ["typing"]);
    assert_eq!(world.taken(ALICE), []);
    world.input(Input::Closed { session: ALICE });
    let frames = world.taken(BOB);
    assert!(matches!(&frames[..], [ServerFrame::Typing(typing)] if !typing.is_typing));
    world.pass(10_000);
    let frames = world.taken(BOB);
    assert_eq!(kinds(&frames), ["presence"]);
    world.join(SessionKey(3), "carol");
    world.says(SessionKey(3), typing);
    assert_eq!(kinds(&world.taken(SessionKey(3))), ["welcome", "error"]);
}

#[test]
fn a_draining_gateway_answers_what_is_under_way_before_it_says_goodbye() {
    let mut world = World::pair();
    world.hold_reads = true;
    world.says(ALICE, r#"{"type":"inbox","limit":10}"#);
    world.input(Input::Drain);
    assert!(world.closed.contains_key(&BOB));
    assert!(!world.closed.contains_key(&ALICE));
    world.release();
    assert_eq!(kinds(&world.taken(ALICE)), ["inbox", "goodbye"]);
    assert_eq!(world.closed.get(&ALICE), Some(&CloseCode::Draining));
}

#[test]
fn the_welcome_tells_when_the_token_ends_and_authenticated_tells_it_anew() {
    let mut world = World::new();
    world.join(ALICE, "alice");
    world.says(ALICE, r#"{"type":"auth","token":"dev:alice"}"#);
    let told = world.taken(ALICE).into_iter().map(|frame| match frame {
        ServerFrame::Welcome(welcome) => welcome.token_expires_at,
        ServerFrame::Authenticated(answer) => Some(answer.expires_at),
        other => panic!("{other:?}"),
    });
    let end = UnixMillis::try_from(2_000_000).ok();
    assert_eq!(told.collect::<Vec<_>>(), [end, end]);
}

#[test]
fn an_expired_token_ends_the_session_and_a_newer_one_keeps_it() {
    let mut world = World::pair();
    world.pass(25_000);
    world.says(BOB, r#"{"type":"auth","token":"dev:carol"}"#);
    assert_eq!(world.closed.get(&BOB), Some(&CloseCode::WrongUser));
    let expiry = 1_000_000 + 30_000;
    while world.now.monotonic.0 < expiry {
        assert_eq!(world.closed.get(&ALICE), None);
        world.says(ALICE, r#"{"type":"pong"}"#);
        world.pass(60_000);
    }
    assert_eq!(world.closed.get(&ALICE), Some(&CloseCode::TokenExpired));
}

/// Somebody has looked at a token of this user.
fn verified(session: SessionKey, user: &str, expires_at: u64) -> Input {
    let identity = Identity {
        user_id: user.parse().unwrap(),
        expires_at: UnixMillis::try_from(expires_at).ok(),
    };
    let result = Ok(identity);
    Input::Verified { session, result }
}

fn unavailable(session: SessionKey) -> Input {
    let result = Err(Refusal::Unavailable);
    Input::Verified { session, result }
}

#[test]
fn an_older_token_that_is_verified_last_does_not_shorten_the_session() {
    let mut world = World::pair();
    world.input(verified(ALICE, "alice", 3_000_000));
    world.input(verified(ALICE, "alice", 1_500_000));
    assert_eq!(
        kinds(&world.taken(ALICE)),
        ["authenticated", "authenticated"]
    );
    let expiry = 2_000_000 + 30_000;
    while world.now.monotonic.0 < expiry {
        assert_eq!(world.closed.get(&ALICE), None);
        world.says(ALICE, r#"{"type":"pong"}"#);
        world.pass(60_000);
    }
    assert_eq!(world.closed.get(&ALICE), Some(&CloseCode::TokenExpired));
}

#[test]
fn a_token_that_cannot_be_checked_now_is_asked_for_again_and_never_called_bad() {
    let mut world = World::pair();
    world.input(unavailable(ALICE));
    let frames = world.taken(ALICE);
    assert!(
        matches!(&frames[..], [ServerFrame::Error(error)]
            if error.code == ErrorCode::Busy && error.retry_after_ms.is_some()
                && error.reference.as_ref().is_some_and(|one|
                    one.frame_type == rejoinder_protocol::ClientFrameType::Auth)),
        "{frames:?}"
    );
    world.says(ALICE, r#"{"type":"ping"}"#);
    assert_eq!(kinds(&world.taken(ALICE)), ["pong"]);
    assert_eq!(world.closed.get(&ALICE), None);

    let carol = SessionKey(3);
    world.hold_verify = true;
    world.join(carol, "carol");
    assert!(!world.gateway.may_read(carol), "nothing is read meanwhile");
    world.input(unavailable(carol));
    assert_eq!(world.closed.get(&carol), Some(&CloseCode::Internal));
    let frames = world.taken(carol);
    assert!(
        matches!(&frames[..], [ServerFrame::Goodbye(goodbye)]
            if goodbye.code == 4005 && goodbye.retry_after_ms >= Some(5_000)),
        "{frames:?}"
    );

    let dave = SessionKey(4);
    world.join(dave, "dave");
    world.pass(5_000);
    assert_eq!(world.closed.get(&dave), Some(&CloseCode::HelloTimeout));
    world.input(verified(dave, "dave", 3_000_000));
    assert_eq!(kinds(&world.taken(dave)), ["goodbye"], "it came too late");
}

#[test]
fn another_epoch_ends_every_connection() {
    let mut world = World::pair();
    world.store.rotate_epoch("e2".parse().unwrap()).unwrap();
    world.says(ALICE, r#"{"type":"inbox","limit":10}"#);
    for session in [ALICE, BOB] {
        assert_eq!(world.closed.get(&session), Some(&CloseCode::Draining));
    }
    world.join(SessionKey(3), "alice");
    let frames = world.taken(SessionKey(3));
    let found = frames.iter().find_map(|frame| match frame {
        ServerFrame::Welcome(welcome) => Some(welcome.epoch.as_str().to_owned()),
        _ => None,
    });
    assert_eq!(found.as_deref(), Some("e2"));
}

#[test]
fn nothing_that_was_asked_in_one_history_is_executed_in_another() {
    let mut world = World::pair();
    world.hold_commits = true;
    world.send(ALICE, 1, "under way");
    world.send(ALICE, 2, "waiting");
    let request = RequestId(1);
    let command = Command::Remove {
        thread_id: "alice|bob".parse().unwrap(),
        user_id: "bob".parse().unwrap(),
    };
    world.input(Input::Command { request, command });
    world.hold_reads = true;
    world.says(BOB, r#"{"type":"inbox","limit":10}"#);
    let Some(Effect::Read { read, question }) = world.held.pop() else {
        panic!("the inbox is read");
    };
    let result = world.store.read(&question).map(ReadDone::from);
    world.hold_reads = false;
    world.store.rotate_epoch("e2".parse().unwrap()).unwrap();
    world.says(ALICE, r#"{"type":"inbox","limit":10}"#);
    assert_eq!(world.answers, [Answer::Refused(ErrorCode::Internal)]);
    world.join(SessionKey(3), "alice");
    world.input(Input::Read { read, result });
    world.release();
    world.says(
        SessionKey(3),
        r#"{"type":"subscribe","thread_id":"alice|bob"}"#,
    );
    let frames = world.taken(SessionKey(3));
    assert_eq!(kinds(&frames), ["welcome", "reset", "live", "presence"]);
    assert_eq!(World::log(&frames), [""; 0]);
    assert_eq!(world.closed.get(&SessionKey(3)), None);
}

#[test]
fn silence_ends_a_connection_before_and_after_the_hello() {
    let mut world = World::pair();
    world.input(Input::Opened {
        session: SessionKey(3),
    });
    world.pass(5_000);
    assert_eq!(
        world.closed.get(&SessionKey(3)),
        Some(&CloseCode::HelloTimeout)
    );
    world.pass(85_000);
    assert_eq!(world.closed.get(&ALICE), Some(&CloseCode::Idle));
    let frames = world.taken(ALICE);
    assert_eq!(kinds(&frames)[..3], ["ping", "ping", "ping"]);
}
