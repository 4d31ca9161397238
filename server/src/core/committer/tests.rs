use rejoinder_protocol::{Epoch, ErrorCode};

use super::*;

const HELD: &str = "held";
const FREE: &str = "free";

fn thread(id: &str) -> ThreadId {
    id.parse().unwrap()
}

/// A command that only its user tells from others.
fn command(thread_id: &str, number: u64) -> (Origin, Command) {
    let command = Command::Remove {
        thread_id: thread(thread_id),
        user_id: format!("u{number}").parse().unwrap(),
    };
    (Origin::Request(RequestId(number)), command)
}

fn push(committer: &mut Committer, thread_id: &str, number: u64) {
    let (origin, command) = command(thread_id, number);
    committer.push(origin, command).unwrap();
}

fn numbers(settled: &Settled) -> Vec<u64> {
    let origins: Vec<_> = match settled {
        Settled::Known(all) => all.iter().map(|one| &one.0).collect(),
        Settled::Unknown(all) | Settled::Void(all) => all.iter().map(|one| &one.0).collect(),
    };
    origins
        .into_iter()
        .map(|origin| match origin {
            Origin::Request(request) => request.0,
            Origin::Frame(..) | Origin::Subscription(..) => panic!("{origin:?}"),
        })
        .collect()
}

/// What a store answers where `locked` threads are skipped.
fn applied(next: &NextBatch, locked: &[&str]) -> Result<Applied, StoreError> {
    let is_skipped =
        |one: &Command| next.locked == Locked::Skip && locked.contains(&one.thread_id().as_str());
    let refused = Outcome::refused(ErrorCode::NotFound);
    let outcomes = next.commands.iter();
    let outcomes = outcomes.map(|one| (!is_skipped(one)).then(|| refused.clone()));
    Ok(Applied {
        epoch: "e1".parse::<Epoch>().unwrap(),
        outcomes: outcomes.collect(),
    })
}

fn begin(committer: &mut Committer) -> Option<NextBatch> {
    committer.next_batch(&"e1".parse().unwrap())
}

fn run(committer: &mut Committer, next: &NextBatch, locked: &[&str]) -> Vec<u64> {
    numbers(&committer.settle(next.batch, applied(next, locked)).unwrap())
}

#[test]
fn what_waits_while_a_batch_is_under_way_forms_the_next_one() {
    let mut committer = Committer::default();
    push(&mut committer, FREE, 1);
    let first = begin(&mut committer).unwrap();
    push(&mut committer, FREE, 2);
    push(&mut committer, FREE, 3);
    assert!(begin(&mut committer).is_none());
    assert_eq!(run(&mut committer, &first, &[]), [1]);
    assert!(
        committer
            .settle(first.batch, applied(&first, &[]))
            .is_none()
    );
    let second = begin(&mut committer).unwrap();
    assert_eq!(run(&mut committer, &second, &[]), [2, 3]);
    assert!(committer.is_idle());
}

#[test]
fn a_locked_thread_stalls_no_other_and_keeps_its_order() {
    let mut committer = Committer::default();
    push(&mut committer, HELD, 1);
    push(&mut committer, FREE, 2);
    for round in 0..SKIPS_MAX {
        let next = begin(&mut committer).unwrap();
        assert_eq!(next.locked, Locked::Skip);
        push(&mut committer, HELD, 10 + u64::from(round));
        push(&mut committer, FREE, 20 + u64::from(round));
        run(&mut committer, &next, &[HELD]);
    }
    let free = begin(&mut committer).unwrap();
    let held = begin(&mut committer).unwrap();
    assert_eq!((free.locked, held.locked), (Locked::Skip, Locked::Wait));
    // The others go on while the lock is waited for, and what comes later for it waits with it.
    assert_eq!(run(&mut committer, &free, &[HELD]), [22]);
    push(&mut committer, HELD, 13);
    push(&mut committer, FREE, 23);
    let free = begin(&mut committer).unwrap();
    assert_eq!(run(&mut committer, &free, &[HELD]), [23]);
    assert_eq!(run(&mut committer, &held, &[HELD]), [1, 10, 11, 12]);
    let held = begin(&mut committer).unwrap();
    assert_eq!(held.locked, Locked::Wait);
    assert_eq!(run(&mut committer, &held, &[]), [13]);
    // Free again, it goes with everybody.
    push(&mut committer, HELD, 14);
    let free = begin(&mut committer).unwrap();
    assert_eq!(free.locked, Locked::Skip);
    assert_eq!(run(&mut committer, &free, &[]), [14]);
    assert!(committer.is_idle());
}

#[test]
fn a_thread_that_gets_its_lock_is_counted_anew() {
    let mut committer = Committer::default();
    for round in 0..10 {
        push(&mut committer, HELD, round);
        let next = begin(&mut committer).unwrap();
        assert_eq!(run(&mut committer, &next, &[HELD]), [0; 0]);
        let next = begin(&mut committer).unwrap();
        assert_eq!(next.locked, Locked::Skip);
        assert_eq!(run(&mut committer, &next, &[]), [round]);
    }
}

#[test]
fn a_lock_that_never_ends_leaves_its_commands_unknown_and_another_turn_to_others() {
    let mut committer = Committer::default();
    for (number, id) in [HELD, "also held"].into_iter().enumerate() {
        let id = id.replace(' ', "-");
        push(&mut committer, &id, number as u64);
    }
    for _ in 0..SKIPS_MAX {
        let next = begin(&mut committer).unwrap();
        run(&mut committer, &next, &[HELD, "also-held"]);
    }
    let mut seen = Vec::new();
    for _ in 0..2 {
        let next = begin(&mut committer).unwrap();
        assert_eq!((next.locked, next.commands.len()), (Locked::Wait, 1));
        let failed = Err(StoreError::Unavailable("locked".to_owned()));
        let settled = committer.settle(next.batch, failed).unwrap();
        assert!(matches!(settled, Settled::Unknown(_)));
        seen.extend(numbers(&settled));
    }
    seen.sort_unstable();
    assert_eq!(seen, [0, 1]);
    assert!(committer.is_idle());
}

#[test]
fn nothing_that_was_asked_in_one_history_goes_on_in_another() {
    let mut committer = Committer::default();
    push(&mut committer, HELD, 1);
    push(&mut committer, FREE, 2);
    for _ in 0..SKIPS_MAX {
        let skipped = begin(&mut committer).unwrap();
        run(&mut committer, &skipped, &[HELD]);
    }
    push(&mut committer, FREE, 3);
    let free = begin(&mut committer).unwrap();
    let held = begin(&mut committer).unwrap();
    push(&mut committer, FREE, 4);
    push(&mut committer, HELD, 5);
    let waited = committer.begin_anew();
    assert_eq!(numbers(&Settled::Void(waited)), [5, 4]);
    for (batch, number) in [(&free, 3), (&held, 1)] {
        let settled = committer.settle(batch.batch, applied(batch, &[HELD]));
        let settled = settled.unwrap();
        assert!(matches!(settled, Settled::Void(_)), "{settled:?}");
        assert_eq!(numbers(&settled), [number]);
    }
    assert!(committer.is_idle());
    // The thread that was waited for goes with everybody.
    push(&mut committer, HELD, 6);
    let other = committer.next_batch(&"e2".parse().unwrap()).unwrap();
    assert_eq!(
        (other.asked_in.as_str(), other.locked),
        ("e2", Locked::Skip)
    );
}
