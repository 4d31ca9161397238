//! Against a real server.

use rejoinder_protocol::UnixMillis;
use rejoinder_test_services::Redis;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use super::*;
use crate::core::{Lease, News, PRESENCE_GRACE_MS};

const PATIENCE: Duration = Duration::from_secs(20);

fn bus(redis: &Redis, node: &str) -> Bus {
    Bus::new(&redis.url(), "test", node).unwrap()
}

async fn next(heard: &mut Receiver<FromPeers>) -> FromPeers {
    let next = timeout(PATIENCE, heard.recv()).await;
    next.expect("it is told in time").unwrap()
}

/// Starts one and waits until it is up.
async fn up(redis: &Redis, node: &str) -> (Speaker, Receiver<FromPeers>) {
    let (speaker, mut heard) = bus(redis, node).start();
    assert!(matches!(next(&mut heard).await, FromPeers::Up { .. }));
    (speaker, heard)
}

fn presence(user_id: &str) -> News {
    News::Presence {
        user_id: user_id.parse().unwrap(),
    }
}

async fn lease(speaker: &Speaker, heard: &mut Receiver<FromPeers>, user_id: &str) -> Lease {
    speaker.speak(ToPeers::Look(vec![user_id.parse().unwrap()]));
    loop {
        if let FromPeers::Leases(leases) = next(heard).await {
            let [(user, lease)] = &leases[..] else {
                panic!("{leases:?}");
            };
            assert_eq!(user.as_str(), user_id);
            return *lease;
        }
    }
}

#[tokio::test]
async fn each_hears_all_others_and_not_itself() {
    let redis = Redis::start();
    let (one, mut heard_by_one) = up(&redis, "one").await;
    let (two, mut heard_by_two) = up(&redis, "two").await;
    // Of the same name, as after a restart that took over before the old one ended.
    let (_three, mut heard_by_three) = up(&redis, "one").await;
    for number in 0..600 {
        one.speak(ToPeers::Tell(presence(&format!("u{number}"))));
    }
    for number in 0..600 {
        let told = FromPeers::News(presence(&format!("u{number}")));
        assert_eq!(next(&mut heard_by_two).await, told);
        assert_eq!(next(&mut heard_by_three).await, told);
    }
    two.speak(ToPeers::Tell(presence("back")));
    let told = FromPeers::News(presence("back"));
    assert_eq!(next(&mut heard_by_one).await, told);
}

#[tokio::test]
async fn what_was_lost_on_its_way_is_noticed_at_the_next_word() {
    let redis = Redis::start();
    let (one, _heard) = up(&redis, "one").await;
    let (_two, mut heard) = up(&redis, "two").await;
    one.speak(ToPeers::Tell(presence("first")));
    assert_eq!(next(&mut heard).await, FromPeers::News(presence("first")));
    *one.told.lock().unwrap() += 1;
    // Its next beat says that there was something.
    assert_eq!(next(&mut heard).await, FromPeers::Missed);
    one.speak(ToPeers::Tell(presence("second")));
    assert_eq!(next(&mut heard).await, FromPeers::News(presence("second")));
}

#[tokio::test]
async fn a_lease_is_held_by_whoever_holds_it_and_says_when_it_ended() {
    let redis = Redis::start();
    let (one, mut heard) = up(&redis, "one").await;
    let (two, mut heard_by_two) = up(&redis, "two").await;
    let alice = || vec!["alice".parse().unwrap()];
    let unknown = Lease::Free { last_seen_at: None };
    assert_eq!(lease(&one, &mut heard, "alice").await, unknown);
    one.speak(ToPeers::Hold(alice()));
    assert_eq!(lease(&one, &mut heard, "alice").await, Lease::Held);
    two.speak(ToPeers::Hold(alice()));
    assert_eq!(lease(&two, &mut heard_by_two, "alice").await, Lease::Held);
    one.speak(ToPeers::Release("alice".parse().unwrap()));
    assert_eq!(lease(&one, &mut heard, "alice").await, Lease::Held);
    two.speak(ToPeers::Release("alice".parse().unwrap()));
    let Lease::Free { last_seen_at } = lease(&two, &mut heard_by_two, "alice").await else {
        panic!("nobody holds it");
    };
    assert!(last_seen_at.unwrap().get() > 1_700_000_000_000);
    // A gateway that died: its lease ends by itself, with the moment of its last renewal.
    redis.run(&["HSET", "test:presence:bob", "gateway dead", "1700000045000"]);
    let at = UnixMillis::try_from(1_700_000_000_000).ok();
    let free = Lease::Free { last_seen_at: at };
    assert_eq!(lease(&one, &mut heard, "bob").await, free);
    assert_eq!(lease(&two, &mut heard_by_two, "bob").await, free);
}

#[tokio::test]
async fn a_lease_of_a_gateway_that_ends_lasts_until_its_user_is_back_somewhere_or_gone() {
    let redis = Redis::start();
    let (one, _heard) = up(&redis, "one").await;
    let (two, mut heard) = up(&redis, "two").await;
    let alice = || vec!["alice".parse().unwrap()];
    one.speak(ToPeers::Hold(alice()));
    one.speak(ToPeers::Leave(alice()));
    one.finish().await;
    assert_eq!(lease(&two, &mut heard, "alice").await, Lease::Held);
    let fields = redis.run(&["HGETALL", "test:presence:alice"]);
    let fields: Vec<_> = fields.lines().collect();
    let [_, until, "seen", seen] = fields[..] else {
        panic!("{fields:?}");
    };
    let [until, seen]: [u64; 2] = [until, seen].map(|text| text.parse().unwrap());
    assert_eq!(until - seen, PRESENCE_GRACE_MS);
    // As it is when that time has passed.
    let name = fields[0];
    redis.run(&["HSET", "test:presence:alice", name, &seen.to_string()]);
    let last_seen_at = UnixMillis::try_from(seen).ok();
    let free = Lease::Free { last_seen_at };
    assert_eq!(lease(&two, &mut heard, "alice").await, free);
}

#[tokio::test]
async fn whoever_finishes_has_told_everything_or_nobody_is_there_to_be_told() {
    let mut redis = Redis::start();
    let (one, _heard) = up(&redis, "one").await;
    for _ in 0..3_000 {
        assert!(one.speak(ToPeers::Tell(presence("alice"))));
    }
    one.finish().await;
    let told = redis.run(&["XLEN", "test:news"]);
    assert!(told.trim().parse::<u32>().unwrap() >= 3_000, "{told}");
    redis.stop();
    one.speak(ToPeers::Tell(presence("alice")));
    one.finish().await;
}

#[tokio::test]
async fn a_server_that_goes_and_comes_back_empty_is_found_again() {
    let mut redis = Redis::start();
    let (one, mut heard) = up(&redis, "one").await;
    let (_two, mut heard_by_two) = up(&redis, "two").await;
    redis.stop();
    assert_eq!(next(&mut heard).await, FromPeers::Down);
    assert_eq!(next(&mut heard_by_two).await, FromPeers::Down);
    // Dropped, not kept: it would be too late.
    one.speak(ToPeers::Tell(presence("late")));
    redis.restart();
    for heard in [&mut heard, &mut heard_by_two] {
        loop {
            let told = next(heard).await;
            if let FromPeers::Up { settled_in_ms } = told {
                assert!(settled_in_ms > 0, "its leases were lost");
                break;
            }
            assert_eq!(told, FromPeers::Down);
        }
    }
    one.speak(ToPeers::Tell(presence("again")));
    assert_eq!(
        next(&mut heard_by_two).await,
        FromPeers::News(presence("again"))
    );
}

#[tokio::test]
async fn a_stream_whose_ids_go_backwards_is_begun_anew() {
    let redis = Redis::start();
    // As after a server whose clock was ahead: nothing that comes is newer than this.
    redis.run(&[
        "XADD",
        "test:news",
        "99999999999999-0",
        "node",
        "x",
        "number",
        "1",
    ]);
    let (one, _heard) = up(&redis, "one").await;
    let (_two, mut heard) = up(&redis, "two").await;
    redis.run(&["DEL", "test:news"]);
    assert_eq!(next(&mut heard).await, FromPeers::Down);
    assert!(matches!(next(&mut heard).await, FromPeers::Up { .. }));
    sleep_until_up(&one, &mut heard).await;
}

/// The other one may still be on its way.
async fn sleep_until_up(speaker: &Speaker, heard: &mut Receiver<FromPeers>) {
    let telling = async {
        loop {
            speaker.speak(ToPeers::Tell(presence("here")));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let hearing = async { while next(heard).await != FromPeers::News(presence("here")) {} };
    tokio::select! {
        () = hearing => {}
        () = telling => {}
    }
}

#[tokio::test]
async fn a_user_with_the_documented_rights_suffices() {
    let redis = Redis::start();
    let guide = include_str!("../../../docs/several-gateways.md");
    let rights = guide.lines().find(|line| line.starts_with("ACL SETUSER"));
    let rights: Vec<_> = rights.unwrap().split(' ').collect();
    assert_eq!(redis.run(&rights), "OK");
    let bus = |password: &str| {
        let url = redis
            .url()
            .replace("//", &format!("//rejoinder:{password}@"));
        Bus::new(&url, "rejoinder", "one").unwrap()
    };
    let found = bus("secret").check().await;
    assert!(!found.is_bad(), "{found:?}");
    assert!(bus("wrong").check().await.is_bad());
    let (speaker, mut heard) = bus("secret").start();
    assert!(matches!(next(&mut heard).await, FromPeers::Up { .. }));
    speaker.speak(ToPeers::Tell(presence("somebody")));
    speaker.speak(ToPeers::Hold(vec!["alice".parse().unwrap()]));
    assert_eq!(lease(&speaker, &mut heard, "alice").await, Lease::Held);
    speaker.speak(ToPeers::Release("alice".parse().unwrap()));
    assert_ne!(lease(&speaker, &mut heard, "alice").await, Lease::Held);
}

#[tokio::test]
async fn nothing_counts_as_missed_that_only_waits() {
    let redis = Redis::start();
    let (one, _one) = up(&redis, "one").await;
    let (_two, mut heard) = up(&redis, "two").await;
    let count = 1_500;
    for number in 0..count {
        let user_id: rejoinder_protocol::UserId = format!("u{number}").parse().unwrap();
        one.speak(ToPeers::Hold(vec![user_id.clone()]));
        one.speak(ToPeers::Tell(News::Presence { user_id }));
    }
    for number in 0..count {
        let told = FromPeers::News(presence(&format!("u{number}")));
        assert_eq!(next(&mut heard).await, told);
    }
}

#[tokio::test]
async fn what_a_dead_gateway_left_behind_is_forgotten_in_the_end() {
    let redis = Redis::start();
    let (one, mut heard) = up(&redis, "one").await;
    let key = "test:presence:bob";
    redis.run(&["HSET", key, "gateway dead", "1700000045000"]);
    redis.run(&["PEXPIRE", key, "50000"]);
    assert_ne!(lease(&one, &mut heard, "bob").await, Lease::Held);
    let left: i64 = redis.run(&["PTTL", key]).parse().unwrap();
    assert!(left > 0, "{left}");
}
