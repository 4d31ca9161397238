use super::*;
use crate::core::SessionKey;

fn at(ms: u64) -> Now {
    Now {
        monotonic: Millis(ms),
        wall: UnixMillis::try_from(1_000_000 + ms).unwrap(),
    }
}

/// So many users are here, each with a session.
fn hub(users: u64) -> Hub {
    let mut hub = Hub::default();
    for number in 0..users {
        let user_id = format!("u{number:05}").parse().unwrap();
        hub.connect(SessionKey(number), &user_id);
    }
    hub
}

/// Runs the poll that is due; returns its first user, how many it asks for, and since when.
fn poll(watch: &mut Watch, now: Now, hub: &Hub) -> Option<(String, usize, u64)> {
    let Read::Changed { user_ids, since } = watch.tick(now, hub)? else {
        panic!("a poll begins with users");
    };
    assert_eq!(watch.next_question(), None);
    let first = user_ids.first().unwrap().to_string();
    Some((first, user_ids.len(), since.get()))
}

#[test]
fn after_news_were_missed_everybody_is_looked_at_within_seconds() {
    let (mut watch, hub) = (Watch::default(), hub(2_500));
    let begun = 1_000_000 - POLL_OVERLAP_MS;
    watch.heard(Others::Writers, true);
    for (ms, first, users) in [
        (0, "u00000", 1_000),
        (1_000, "u01000", 1_000),
        (2_000, "u02000", 500),
    ] {
        let found = poll(&mut watch, at(ms), &hub);
        assert_eq!(found, Some((first.to_owned(), users, begun)));
        assert_eq!(poll(&mut watch, at(ms + 999), &hub), None);
    }
    // From then on some of them with each poll.
    assert_eq!(poll(&mut watch, at(16_999), &hub), None);
    let next = poll(&mut watch, at(17_000), &hub);
    assert_eq!(next, Some(("u00000".to_owned(), 1_000, begun)));
    assert_eq!(poll(&mut watch, at(31_999), &hub), None);
    // Missed again in the middle of a round: nobody's changes are asked for from later on.
    watch.heard(Others::Writers, false);
    watch.heard(Others::Writers, true);
    let again = poll(&mut watch, at(31_999), &hub);
    assert_eq!(again, Some(("u00000".to_owned(), 1_000, begun)));
    let next = poll(&mut watch, at(32_999), &hub);
    assert_eq!(next, Some(("u01000".to_owned(), 1_000, begun)));
}

#[test]
fn changes_of_our_own_hide_none_of_others() {
    let mut watch = Watch::default();
    let thread_id: ThreadId = "t".parse().unwrap();
    let revision = |number: u64| Revision::try_from(number).unwrap();
    watch.published(&thread_id, revision(1), revision(3));
    watch.hint(&thread_id, Some(revision(3)));
    assert_eq!(watch.next_look(), None);
    watch.published(&thread_id, revision(4), revision(4));
    // The fifth was somebody else's.
    watch.published(&thread_id, revision(6), revision(6));
    watch.hint(&thread_id, Some(revision(6)));
    assert_eq!(watch.next_look(), Some(thread_id.clone()));
    // What was read before the sixth was told is old: it must be looked at again.
    assert!(!watch.found(&thread_id, revision(5)));
    assert_eq!(watch.next_look(), Some(thread_id.clone()));
    assert!(watch.found(&thread_id, revision(6)));
    // Of a thread that was never looked at anything may be missing.
    let other: ThreadId = "u".parse().unwrap();
    watch.published(&other, revision(2), revision(2));
    watch.hint(&other, Some(revision(2)));
    assert_eq!(watch.next_look(), Some(other));
}

#[test]
fn however_often_news_are_missed_everybody_has_their_turn() {
    let (mut watch, hub) = (Watch::default(), hub(2_500));
    let mut first = Vec::new();
    for round in 0..7 {
        watch.heard(Others::Gateways, true);
        let polled = poll(&mut watch, at(round * 800), &hub);
        first.push(polled.unwrap().0);
    }
    let turn = ["u00000", "u01000", "u02000"];
    let expected: Vec<_> = turn.iter().cycle().take(7).collect();
    assert_eq!(first.iter().collect::<Vec<_>>(), expected);
}
