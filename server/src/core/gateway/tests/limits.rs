//! What one user may do, over all connections and requests.

use super::*;
use crate::core::Identity;

const HISTORY: &str =
    r#"{"type":"history","thread_id":"alice|bob","before_sequence_number":9,"limit":5}"#;

/// The codes of errors that a client was told, with how long it waits.
fn errors(frames: &[ServerFrame]) -> Vec<(ErrorCode, Option<u64>)> {
    let error = |frame: &ServerFrame| match frame {
        ServerFrame::Error(error) => Some((error.code, error.retry_after_ms)),
        _ => None,
    };
    frames.iter().filter_map(error).collect()
}

fn goodbye(frames: &[ServerFrame]) -> Option<u64> {
    match frames.last()? {
        ServerFrame::Goodbye(goodbye) => goodbye.retry_after_ms,
        _ => None,
    }
}

#[test]
fn the_newest_connection_of_a_user_who_has_too_many_is_refused() {
    let mut world = World::of(|config| config.user_connections = 2);
    world.join(SessionKey(1), "alice");
    let identity = |user: &str| Identity {
        user_id: user.parse().unwrap(),
        expires_at: None,
    };
    let stream = |session, user| Input::Streamed {
        session,
        identity: identity(user),
        resume: Vec::new(),
    };
    world.input(stream(SessionKey(2), "alice"));
    assert_eq!(kinds(&world.taken(SessionKey(2))), ["welcome"]);
    world.join(SessionKey(3), "alice");
    world.input(stream(SessionKey(4), "alice"));
    for refused in [SessionKey(3), SessionKey(4)] {
        assert_eq!(world.closed[&refused], CloseCode::Limited);
        let wait_ms = goodbye(&world.taken(refused)).unwrap();
        assert!((5_000..10_000).contains(&wait_ms), "{wait_ms}");
    }
    // A request is no connection, another user has their own, and a newer token opens nothing.
    world.input(Input::Posted {
        session: SessionKey(5),
        identity: identity("alice"),
        epoch: None,
    });
    world.join(SessionKey(6), "bob");
    world.says(SessionKey(1), r#"{"type":"auth","token":"dev:alice"}"#);
    assert_eq!(world.closed.len(), 2, "{:?}", world.closed);
    // One that ends makes place.
    let session = SessionKey(1);
    world.input(Input::Closed { session });
    world.join(SessionKey(7), "alice");
    assert_eq!(world.closed.len(), 2, "{:?}", world.closed);
}

#[test]
fn questions_of_a_user_wait_for_the_answers_to_others_also_of_those_who_have_gone() {
    let mut world = World::pair();
    world.join(SessionKey(3), "alice");
    world.hold_reads = true;
    let mut posts = 10..;
    let mut ask = |world: &mut World| {
        let session = SessionKey(posts.next().unwrap());
        let user_id = "alice".parse().unwrap();
        let expires_at = None;
        world.input(Input::Posted {
            session,
            identity: Identity {
                user_id,
                expires_at,
            },
            epoch: None,
        });
        world.says(session, HISTORY);
        world.input(Input::Closed { session });
        errors(&world.taken(session))
    };
    for _ in 0..16 {
        assert_eq!(ask(&mut world), []);
    }
    let busy = [(ErrorCode::Busy, Some(1_000))];
    assert_eq!(ask(&mut world), busy);
    world.says(SessionKey(3), HISTORY);
    assert_eq!(
        errors(&world.taken(SessionKey(3))),
        busy,
        "any way it is asked"
    );
    world.says(BOB, HISTORY);
    world.release();
    assert_eq!(
        kinds(&world.taken(BOB)),
        ["history"],
        "another has their own"
    );
    world.says(SessionKey(3), HISTORY);
    assert_eq!(kinds(&world.taken(SessionKey(3))), ["history"]);
}

#[test]
fn questions_may_be_asked_in_a_burst_and_then_at_a_rate() {
    let mut world = World::pair();
    for _ in 0..60 {
        world.says(ALICE, HISTORY);
    }
    assert_eq!(errors(&world.taken(ALICE)), []);
    world.says(ALICE, r#"{"type":"inbox","limit":5}"#);
    let refused = errors(&world.taken(ALICE));
    assert_eq!(refused, [(ErrorCode::RateLimited, Some(100))]);
    world.pass(100);
    world.says(ALICE, r#"{"type":"inbox","limit":5}"#);
    assert_eq!(kinds(&world.taken(ALICE)), ["inbox"]);
}

#[test]
fn who_says_far_too_much_is_closed_and_told_when_to_come_back() {
    let mut world = World::pair();
    let mut said = 0;
    while !world.closed.contains_key(&ALICE) {
        world.says(ALICE, r#"{"type":"ping"}"#);
        said += 1;
    }
    assert_eq!(world.closed[&ALICE], CloseCode::Limited);
    let wait_ms = goodbye(&world.taken(ALICE)).unwrap();
    assert!((5_000..10_000).contains(&wait_ms), "{wait_ms}");
    // `messages_burst` of this world, and what may come beside it; one was to subscribe.
    assert_eq!(said, 10_000 + 1_024);
    let alice = "alice".parse().unwrap();
    assert!(world.gateway.admit(world.now, &alice).is_err());
    world.says(BOB, r#"{"type":"ping"}"#);
    assert_eq!(kinds(&world.taken(BOB)), ["pong"]);
}
