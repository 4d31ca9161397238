//! Other gateways on the same store.

use super::*;
use crate::core::{FromPeers, Lease, News, ToPeers};
use crate::store::Publication;
use world::{bodies, kinds, message};

/// Bob is on another gateway; the others can be reached.
fn with_peers() -> World {
    let mut world = World::with_peers();
    world.heard(FromPeers::Up { settled_in_ms: 0 });
    world.pass(1);
    world.join(ALICE, "alice");
    world.subscribe(ALICE);
    world.pass(1);
    world.received.clear();
    world.to_peers.clear();
    world
}

/// Bob says something over there: it is stored, and told.
fn told_elsewhere(world: &mut World, number: u128) -> News {
    let command = message("alice|bob", "bob", number);
    world.elsewhere(command)
}

fn bob() -> UserId {
    "bob".parse().unwrap()
}

fn states(frames: &[ServerFrame]) -> Vec<PresenceState> {
    let shown = frames.iter().filter_map(|frame| match frame {
        ServerFrame::Presence(one) => Some(one.state),
        _ => None,
    });
    shown.collect()
}

#[test]
fn a_change_is_told_to_others_once_and_as_it_was_stored() {
    let mut world = with_peers();
    world.send(ALICE, 1, "hello");
    let told: Vec<_> = std::mem::take(&mut world.to_peers);
    let [ToPeers::Tell(News::Changed { epoch, publication })] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(epoch.as_str(), "e1");
    assert_eq!(publication.changes.len(), 1);
    // What came from there is not told again, nor is a duplicate.
    let news = told_elsewhere(&mut world, 7);
    world.heard(FromPeers::News(news));
    world.send(ALICE, 1, "hello");
    assert_eq!(world.to_peers, []);
}

#[test]
fn what_follows_is_told_on_without_a_look_and_a_gap_is_looked_into() {
    let mut world = with_peers();
    let first = told_elsewhere(&mut world, 1);
    world.heard(FromPeers::News(first.clone()));
    let looks = world.looks;
    assert_eq!(bodies(&world.taken(ALICE)), ["other 1"]);
    let second = told_elsewhere(&mut world, 2);
    world.heard(FromPeers::News(second));
    assert_eq!(bodies(&world.taken(ALICE)), ["other 2"]);
    assert_eq!(world.looks, looks, "it followed");
    // One is lost, and the one before comes again.
    told_elsewhere(&mut world, 3);
    let fourth = told_elsewhere(&mut world, 4);
    world.heard(FromPeers::News(fourth));
    assert_eq!(bodies(&world.taken(ALICE)), ["other 3", "other 4"]);
    assert_eq!(world.looks, looks + 1);
    world.heard(FromPeers::News(first));
    assert_eq!(world.taken(ALICE), []);
}

#[test]
fn news_of_another_history_are_only_a_reason_to_look() {
    let mut world = with_peers();
    let News::Changed { publication, .. } = told_elsewhere(&mut world, 1) else {
        panic!("a change");
    };
    world.heard(FromPeers::News(News::Changed {
        epoch: "e0".parse().unwrap(),
        publication: Publication {
            changes: Vec::new(),
            ..publication.clone()
        },
    }));
    assert_eq!(world.taken(ALICE), [], "it says nothing");
    let looks = world.looks;
    world.heard(FromPeers::News(News::Changed {
        epoch: "e0".parse().unwrap(),
        publication,
    }));
    assert_eq!(world.looks, looks + 1);
    assert_eq!(bodies(&world.taken(ALICE)), ["other 1"]);
}

#[test]
fn what_concerns_nobody_here_costs_nothing() {
    let mut world = with_peers();
    let looks = world.looks;
    let command = Command::Create {
        thread_id: "carol|dave".parse().unwrap(),
        participants: ["carol", "dave"].map(|id| id.parse().unwrap()),
    };
    let news = world.elsewhere(command);
    world.heard(FromPeers::News(news));
    world.heard(FromPeers::News(News::Presence {
        user_id: "carol".parse().unwrap(),
    }));
    assert_eq!((world.looks, world.to_peers.len()), (looks, 0));
}

#[test]
fn who_is_elsewhere_is_asked_for_and_unknown_until_then_and_while_nobody_answers() {
    let mut world = World::with_peers();
    world.join(ALICE, "alice");
    world.subscribe(ALICE);
    assert_eq!(states(&world.taken(ALICE)), [PresenceState::Unknown]);
    world.to_peers.clear();
    world.heard(FromPeers::Up { settled_in_ms: 500 });
    world.pass(400);
    let alice = || vec!["alice".parse().unwrap()];
    assert_eq!(world.to_peers, [ToPeers::Hold(alice())]);
    world.to_peers.clear();
    world.pass(200);
    assert_eq!(world.to_peers, [ToPeers::Look(vec![bob()])]);
    world.heard(FromPeers::Leases(vec![(bob(), Lease::Held)]));
    assert_eq!(states(&world.taken(ALICE)), [PresenceState::Online]);
    // The same again is no news.
    world.heard(FromPeers::Leases(vec![(bob(), Lease::Held)]));
    assert_eq!(world.taken(ALICE), []);
    world.heard(FromPeers::Down);
    assert_eq!(states(&world.taken(ALICE)), [PresenceState::Unknown]);
    world.heard(FromPeers::Leases(vec![(bob(), Lease::Held)]));
    assert_eq!(world.taken(ALICE), [], "an answer that came too late");
}

#[test]
fn leases_are_renewed_and_looked_at_again_every_15_seconds() {
    let mut world = with_peers();
    world.pass(14_900);
    world.to_peers.clear();
    world.pass(200);
    let alice = vec!["alice".parse().unwrap()];
    let renewed = [ToPeers::Hold(alice), ToPeers::Look(vec![bob()])];
    assert_eq!(world.to_peers, renewed);
    let seen = UnixMillis::try_from(5).ok();
    let free = Lease::Free { last_seen_at: seen };
    world.received.clear();
    world.heard(FromPeers::Leases(vec![(bob(), free)]));
    let frames = world.taken(ALICE);
    assert_eq!(states(&frames), [PresenceState::Offline]);
    assert!(matches!(&frames[0], ServerFrame::Presence(one) if one.last_seen_at == seen));
}

#[test]
fn whoever_leaves_here_may_still_be_elsewhere() {
    let mut world = with_peers();
    world.join(BOB, "bob");
    assert_eq!(states(&world.taken(ALICE)), [PresenceState::Online]);
    let came = News::Presence { user_id: bob() };
    let told = [ToPeers::Hold(vec![bob()]), ToPeers::Tell(came.clone())];
    assert_eq!(world.to_peers, told);
    world.to_peers.clear();
    world.input(Input::Closed { session: BOB });
    world.pass(10_000);
    let told = [
        ToPeers::Release(bob()),
        ToPeers::Tell(came),
        ToPeers::Look(vec![bob()]),
    ];
    assert!(world.to_peers.ends_with(&told), "{:?}", world.to_peers);
    assert_eq!(states(&world.taken(ALICE)), []);
    world.heard(FromPeers::Leases(vec![(bob(), Lease::Held)]));
    assert_eq!(states(&world.taken(ALICE)), [PresenceState::Online]);
}

#[test]
fn a_gateway_that_ends_keeps_nobody_online_for_longer_than_they_need_to_come_back() {
    let mut world = with_peers();
    world.join(BOB, "bob");
    world.to_peers.clear();
    world.input(Input::Drain);
    let leaving = ToPeers::Leave(vec!["alice".parse().unwrap(), bob()]);
    assert_eq!(world.to_peers, std::slice::from_ref(&leaving));
    // Not even where the server was away meanwhile.
    world.to_peers.clear();
    world.heard(FromPeers::Up { settled_in_ms: 0 });
    world.pass(1_000);
    let held = |order: &&ToPeers| matches!(order, ToPeers::Hold(_) | ToPeers::Leave(_));
    let held: Vec<_> = world.to_peers.iter().filter(held).collect();
    assert_eq!(held, [&leaving]);
}

#[test]
fn typing_crosses_gateways_between_those_who_take_part() {
    let mut world = with_peers();
    world.says(
        ALICE,
        r#"{"type":"typing","thread_id":"alice|bob","is_typing":true}"#,
    );
    let typing = |user: &str| News::Typing {
        thread_id: "alice|bob".parse().unwrap(),
        user_id: user.parse().unwrap(),
        is_typing: true,
    };
    assert_eq!(world.to_peers, [ToPeers::Tell(typing("alice"))]);
    world.heard(FromPeers::News(typing("bob")));
    assert_eq!(kinds(&world.taken(ALICE)), ["typing"]);
    world.heard(FromPeers::News(typing("mallory")));
    assert_eq!(world.taken(ALICE), []);
}

#[test]
fn while_others_cannot_be_reached_the_store_is_polled_every_second() {
    let mut world = with_peers();
    told_elsewhere(&mut world, 1);
    world.pass(14_000);
    assert_eq!(bodies(&world.taken(ALICE)), [""; 0]);
    world.heard(FromPeers::Down);
    world.pass(10);
    assert_eq!(bodies(&world.taken(ALICE)), ["other 1"]);
    told_elsewhere(&mut world, 2);
    world.pass(1_100);
    assert_eq!(bodies(&world.taken(ALICE)), ["other 2"]);
    world.heard(FromPeers::Up { settled_in_ms: 0 });
    world.pass(2_000);
    told_elsewhere(&mut world, 3);
    world.heard(FromPeers::Missed);
    world.pass(10);
    assert_eq!(bodies(&world.taken(ALICE)), ["other 3"]);
}

#[test]
fn however_many_change_at_once_each_is_shown() {
    let mut world = with_peers();
    let users: Vec<UserId> = (0..50).map(|n| format!("u{n}").parse().unwrap()).collect();
    let thread_id = || "alice|bob".parse().unwrap();
    for user_id in users.clone() {
        let thread_id = thread_id();
        let news = world.elsewhere(Command::Admit { thread_id, user_id });
        world.heard(FromPeers::News(news));
    }
    world.received.clear();
    let held = users.into_iter().map(|user_id| (user_id, Lease::Held));
    world.stuck.insert(ALICE);
    world.heard(FromPeers::Leases(held.collect()));
    world.unstick(ALICE);
    assert_eq!(states(&world.taken(ALICE)), [PresenceState::Online; 50]);
}

#[test]
fn a_change_too_long_to_be_told_is_looked_up() {
    let mut world = with_peers();
    let news = told_elsewhere(&mut world, 1);
    let looks = world.looks;
    world.heard(FromPeers::News(news.shortened()));
    assert_eq!(world.looks, looks + 1);
    assert_eq!(bodies(&world.taken(ALICE)), ["other 1"]);
}

#[test]
fn whoever_is_let_in_again_hears_of_it_once_the_store_can_be_read() {
    let mut world = with_peers();
    let thread_id: rejoinder_protocol::ThreadId = "alice|bob".parse().unwrap();
    let user_id: UserId = "alice".parse().unwrap();
    let removed = world.elsewhere(Command::Remove {
        thread_id: thread_id.clone(),
        user_id: user_id.clone(),
    });
    world.heard(FromPeers::News(removed));
    assert_eq!(kinds(&world.taken(ALICE)), ["removed"]);
    world.fail_reads = true;
    let admitted = world.elsewhere(Command::Admit { thread_id, user_id });
    world.heard(FromPeers::News(admitted));
    world.pass(5_000);
    assert_eq!(world.taken(ALICE), []);
    world.fail_reads = false;
    world.pass(1_000);
    assert_eq!(kinds(&world.taken(ALICE)), ["thread"]);
}
