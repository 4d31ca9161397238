//! The rules of going live, one by one.

use super::*;

const ONE: SessionKey = SessionKey(1);
const TWO: SessionKey = SessionKey(2);

fn thread() -> ThreadId {
    "t".parse().unwrap()
}

fn revision(number: u64) -> Revision {
    Revision::try_from(number).unwrap()
}

fn arrive(hub: &mut Hub, session: SessionKey, cursor: u64, head: u64) -> Arrival {
    let stamp = hub.stamp();
    hub.arrive(&thread(), session, revision(cursor), revision(head), stamp)
}

#[test]
fn what_is_committed_between_subscribing_and_reading_is_not_missed() {
    let mut hub = Hub::default();
    hub.subscribe(&thread(), ONE);
    let stamp = hub.stamp();
    // The read saw 4; 5 was committed and published before its answer came.
    hub.publish(&thread(), revision(5));
    let arrival = hub.arrive(&thread(), ONE, revision(4), revision(4), stamp);
    assert_eq!(arrival, Arrival::Behind);
    assert_eq!(arrive(&mut hub, ONE, 5, 5), Arrival::Live);
    assert_eq!(hub.publish(&thread(), revision(6)).live, [ONE]);
}

#[test]
fn a_reader_ahead_of_publication_is_told_nothing_twice() {
    let mut hub = Hub::default();
    hub.subscribe(&thread(), ONE);
    assert_eq!(arrive(&mut hub, ONE, 4, 4), Arrival::Live);
    hub.subscribe(&thread(), TWO);
    assert_eq!(arrive(&mut hub, TWO, 5, 5), Arrival::Parked);
    let told = hub.publish(&thread(), revision(5));
    assert_eq!((told.live, told.arrived), (vec![ONE], vec![TWO]));
    assert_eq!(hub.publish(&thread(), revision(6)).live, [ONE, TWO]);
}

#[test]
fn a_hole_makes_everybody_read_and_an_older_read_proves_nothing() {
    let mut hub = Hub::default();
    hub.subscribe(&thread(), ONE);
    assert_eq!(arrive(&mut hub, ONE, 4, 4), Arrival::Live);
    let old_stamp = hub.stamp();
    let told = hub.publish(&thread(), revision(6));
    let fallen = Fallen {
        session: ONE,
        told: Some(revision(4)),
    };
    assert_eq!(told.fallen, [fallen]);
    let arrival = hub.arrive(&thread(), ONE, revision(4), revision(4), old_stamp);
    assert_eq!(arrival, Arrival::Behind);
    assert_eq!(arrive(&mut hub, ONE, 6, 6), Arrival::Live);
}

#[test]
fn a_hint_above_the_head_changes_nothing_for_good() {
    let mut hub = Hub::default();
    hub.subscribe(&thread(), ONE);
    assert_eq!(arrive(&mut hub, ONE, 4, 4), Arrival::Live);
    assert_eq!(hub.head_at_least(&thread(), revision(4)), []);
    assert_eq!(hub.head_at_least(&thread(), revision(900)).len(), 1);
    assert_eq!(arrive(&mut hub, ONE, 4, 4), Arrival::Live);
    assert_eq!(hub.publish(&thread(), revision(5)).live, [ONE]);
}

#[test]
fn after_a_commit_of_unknown_fate_only_a_newer_read_counts() {
    let mut hub = Hub::default();
    hub.subscribe(&thread(), ONE);
    assert_eq!(arrive(&mut hub, ONE, 4, 4), Arrival::Live);
    let before = hub.stamp();
    assert_eq!(hub.unknown(&thread()).len(), 1);
    let old = hub.arrive(&thread(), ONE, revision(4), revision(4), before);
    assert_eq!(old, Arrival::Behind);
    assert_eq!(arrive(&mut hub, ONE, 5, 5), Arrival::Live);
}

#[test]
fn a_read_that_began_before_a_hint_does_not_count() {
    let mut hub = Hub::default();
    hub.subscribe(&thread(), ONE);
    let before = hub.stamp();
    assert_eq!(hub.head_at_least(&thread(), revision(5)), []);
    let old = hub.arrive(&thread(), ONE, revision(4), revision(4), before);
    assert_eq!(old, Arrival::Behind);
    assert_eq!(arrive(&mut hub, ONE, 5, 5), Arrival::Live);
}

#[test]
fn whoever_newer_news_name_has_taken_part_since_they_were_heard() {
    let mut hub = Hub::default();
    hub.subscribe(&thread(), ONE);
    let [alice, bob] = ["alice", "bob"].map(|name| name.parse::<UserId>().unwrap());
    let both = [alice, bob.clone()];
    hub.participants(&thread(), revision(2), &both);
    let before = hub.stamp();
    hub.participants(&thread(), revision(2), &both);
    assert!(!hub.takes_part_since(&thread(), &bob, before), "no news");
    // They went by change 3, of which nothing was heard, and came by change 4.
    hub.participants(&thread(), revision(4), &both);
    assert!(hub.takes_part_since(&thread(), &bob, before));
    let after = hub.stamp();
    assert!(!hub.takes_part_since(&thread(), &bob, after));
}
