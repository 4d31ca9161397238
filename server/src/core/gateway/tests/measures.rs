//! What is counted, and that it is counted once.

use super::*;
use crate::core::Levels;

fn count(world: &World, wanted: impl Fn(&Measure) -> bool) -> usize {
    world.measures.iter().filter(|one| wanted(one)).count()
}

#[test]
fn a_message_is_measured_from_when_it_was_taken_to_when_it_was_written() {
    let mut world = World::pair();
    world.measures.clear();
    world.hold_commits = true;
    world.stuck.insert(BOB);
    world.send(ALICE, 1, "hello");
    assert_eq!(world.measures, []);
    world.pass(70);
    world.release();
    world.pass(30);
    world.unstick(BOB);
    let (acked, told) = (
        Measure::Acked { after_ms: 70 },
        [70, 100].map(|after_ms| Measure::FannedOut { after_ms }),
    );
    assert_eq!(world.measures, [acked, told[0], told[1]]);
    world.measures.clear();
    world.send(ALICE, 1, "hello");
    let again = [Measure::Duplicate, Measure::Acked { after_ms: 0 }];
    assert_eq!(world.measures, again);
}

#[test]
fn what_it_costs_that_a_client_comes_back_is_measured() {
    let mut world = World::pair();
    for number in 1..=250 {
        world.send(ALICE, number, "hello");
    }
    world.measures.clear();
    let carol = SessionKey(3);
    world.input(Input::Opened { session: carol });
    let resume = r#"[{"thread_id":"alice|bob","epoch":"e1","revision":3}]"#;
    world.says(
        carol,
        &format!(r#"{{"type":"hello","protocol_version":1,"token":"dev:bob","resume":{resume}}}"#),
    );
    assert_eq!(
        count(&world, |one| *one == Measure::Resumed { threads: 1 }),
        1
    );
    let pages = world
        .taken(carol)
        .into_iter()
        .filter_map(|frame| match frame {
            ServerFrame::Page(page) => Some(page),
            _ => None,
        });
    let pages: Vec<_> = pages
        .map(|page| Measure::Page {
            changes: page.changes.len(),
            bytes: encode(&ServerFrame::Page(page)).len(),
        })
        .collect();
    assert!(pages.len() >= 2, "{pages:?}");
    let is_page = |one: &&Measure| matches!(one, Measure::Page { .. });
    let measured: Vec<_> = world.measures.iter().filter(is_page).copied().collect();
    assert_eq!(measured, pages);
    let void = r#"{"type":"subscribe","thread_id":"alice|bob","epoch":"e0","revision":3}"#;
    world.says(carol, void);
    let is_reset = |one: &Measure| {
        matches!(
            one,
            Measure::Reset {
                had_cursor: true,
                ..
            }
        )
    };
    assert_eq!(count(&world, is_reset), 1);
}

#[test]
fn a_slow_consumer_and_every_end_are_counted() {
    let mut world = World::pair();
    world.stuck.insert(BOB);
    for number in 1..=1_000 {
        world.send(ALICE, number, "hello");
    }
    assert_eq!(world.gateway.levels().waiting_frames, 256);
    assert_eq!(count(&world, |one| *one == Measure::FellBack), 1);
    world.measures.clear();
    world.pass(10_000);
    for session in [ALICE, BOB] {
        world.input(Input::Closed { session });
    }
    let ends = [None, Some(CloseCode::SlowConsumer)].map(|code| Measure::Ended { code });
    assert_eq!(world.measures, ends);
    assert_eq!(world.gateway.levels(), Levels::default());
}

#[test]
fn every_error_is_counted_by_its_code() {
    let mut world = World::pair();
    world.measures.clear();
    world.says(ALICE, "{");
    world.says(ALICE, r#"{"type":"subscribe","thread_id":"bob|carol"}"#);
    let codes = [ErrorCode::BadJson, ErrorCode::NotFound].map(|code| Measure::Refused { code });
    assert_eq!(world.measures, codes);
}
