//! Others write into the store, too.

use super::*;
use world::{bodies, message};

/// Somebody else writes a message.
fn written(world: &mut World, thread_id: &str, sender: &str, number: u128) {
    let command = message(thread_id, sender, number);
    world.others(&[command]);
}

fn hint(world: &mut World, thread_id: &str) {
    world.input(Input::Hint {
        thread_id: thread_id.parse().unwrap(),
        revision: None,
    });
}

fn hearing() -> World {
    let mut world = World::with(true);
    world.input(Input::Heard { is_heard: true });
    world.pass(1);
    World::pair_in(world)
}

#[test]
fn a_hint_brings_what_somebody_else_wrote_to_all_who_take_part() {
    let mut world = hearing();
    world.join(SessionKey(3), "bob");
    world.taken(SessionKey(3));
    written(&mut world, "alice|bob", "bob", 1);
    hint(&mut world, "alice|bob");
    for session in [ALICE, BOB] {
        let frames = world.taken(session);
        assert_eq!(bodies(&frames), ["other 1"], "{:?}", kinds(&frames));
        assert!(kinds(&frames).contains(&"thread".to_owned()));
    }
    assert_eq!(kinds(&world.taken(SessionKey(3))), ["thread"]);
    hint(&mut world, "alice|bob");
    assert_eq!(world.taken(ALICE), [], "it was no news");
}

#[test]
fn without_a_word_a_poll_finds_it_sooner_while_nobody_would_say_one() {
    for (is_heard, wait_ms) in [(true, 15_000), (false, 1_000)] {
        let mut world = hearing();
        world.input(Input::Heard { is_heard });
        world.pass(1);
        world.received.clear();
        written(&mut world, "alice|bob", "bob", 1);
        written(&mut world, "alice|carol", "carol", 2);
        world.pass(wait_ms - 10);
        assert_eq!(world.taken(ALICE), []);
        world.pass(20);
        let frames = world.taken(ALICE);
        assert_eq!(bodies(&frames), ["other 1"]);
        let shown = kinds(&frames);
        let shown = shown.iter().filter(|kind| *kind == "thread").count();
        assert_eq!(shown, 2, "also a conversation that somebody else began");
    }
}

#[test]
fn what_is_written_here_is_not_looked_for() {
    let mut world = hearing();
    for number in 1..=20 {
        world.send(ALICE, number, "hello");
        world.pass(2_000);
    }
    assert_eq!(world.looks, 0);
}

#[test]
fn whoever_somebody_else_removes_is_told_nothing_more() {
    let mut world = hearing();
    let remove = Command::Remove {
        thread_id: "alice|bob".parse().unwrap(),
        user_id: "bob".parse().unwrap(),
    };
    world.others(&[remove]);
    // Nobody has said so yet, but a change of another kind makes him read.
    written(&mut world, "alice|bob", "alice", 1);
    hint(&mut world, "alice|bob");
    assert_eq!(kinds(&world.taken(BOB)), ["removed"]);
    world.send(ALICE, 2, "secret");
    world.pass(30_000);
    let told = kinds(&world.taken(BOB));
    assert!(told.iter().all(|kind| kind == "ping"), "{told:?}");
}

#[test]
fn whoever_is_removed_before_a_change_from_here_is_told_wherever_they_are() {
    let mut world = hearing();
    let elsewhere = SessionKey(3);
    world.send(ALICE, 1, "one");
    world.join(elsewhere, "bob");
    world.received.clear();
    let remove = Command::Remove {
        thread_id: "alice|bob".parse().unwrap(),
        user_id: "bob".parse().unwrap(),
    };
    world.others(&[remove]);
    // This session only lists the thread.
    world.send(ALICE, 2, "two");
    hint(&mut world, "alice|bob");
    assert_eq!(kinds(&world.taken(elsewhere)), ["removed"]);
    // The other one also learns it by what it reads.
    let told = kinds(&world.taken(BOB));
    assert!(told.iter().all(|kind| kind == "removed"), "{told:?}");
}

#[test]
fn whoever_is_let_in_again_is_shown_to_those_who_watch() {
    let mut world = hearing();
    let (thread_id, user_id) = ("alice|bob".parse().unwrap(), "bob".parse().unwrap());
    let remove = Command::Remove { thread_id, user_id };
    world.others(&[remove]);
    hint(&mut world, "alice|bob");
    world.received.clear();
    let (thread_id, user_id) = ("alice|bob".parse().unwrap(), "bob".parse().unwrap());
    let request = RequestId(7);
    let command = Command::Admit { thread_id, user_id };
    world.input(Input::Command { request, command });
    assert!(kinds(&world.taken(BOB)).contains(&"thread".to_owned()));
    let told = world.taken(ALICE);
    let is_shown = |frame: &ServerFrame| match frame {
        ServerFrame::Presence(one) => one.state == PresenceState::Online,
        _ => false,
    };
    assert!(told.iter().any(is_shown), "{:?}", kinds(&told));
}

#[test]
fn whoever_is_let_in_while_they_are_refused_is_not_refused() {
    let mut world = hearing();
    let (thread_id, user_id) = ("alice|bob".parse().unwrap(), "bob".parse().unwrap());
    world.others(&[Command::Remove { thread_id, user_id }]);
    hint(&mut world, "alice|bob");
    let elsewhere = SessionKey(3);
    world.join(elsewhere, "bob");
    world.hold_reads = true;
    world.subscribe(elsewhere);
    let Some(Effect::Read { read, question }) = world.held.pop() else {
        panic!("a page is read");
    };
    let result = world.store.read(&question).map(ReadDone::from);
    world.hold_reads = false;
    world.received.clear();
    let (thread_id, user_id) = ("alice|bob".parse().unwrap(), "bob".parse().unwrap());
    let request = RequestId(7);
    let command = Command::Admit { thread_id, user_id };
    world.input(Input::Command { request, command });
    world.input(Input::Read { read, result });
    let told = kinds(&world.taken(elsewhere));
    assert_eq!(told, ["reset", "live", "presence", "thread"]);
}

#[test]
fn a_store_that_does_not_answer_is_asked_again() {
    let mut world = hearing();
    world.fail_reads = true;
    written(&mut world, "alice|bob", "bob", 1);
    hint(&mut world, "alice|bob");
    world.pass(40_000);
    world.fail_reads = false;
    world.pass(16_000);
    assert_eq!(bodies(&world.taken(ALICE)), ["other 1"]);
}

#[test]
fn in_another_history_nothing_was_told_yet() {
    let mut world = hearing();
    world.send(ALICE, 1, "one");
    world.store.rotate_epoch("e2".parse().unwrap()).unwrap();
    world.pass(16_000);
    assert_eq!(world.closed.get(&BOB), Some(&CloseCode::Draining));
    world.join(SessionKey(3), "bob");
    world.taken(SessionKey(3));
    // The same revision, of another history.
    hint(&mut world, "alice|bob");
    assert_eq!(kinds(&world.taken(SessionKey(3))), ["thread"]);
}
