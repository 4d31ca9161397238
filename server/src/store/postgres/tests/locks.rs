//! Others hold locks, and write in another order.

use std::time::Duration;

use super::Database;
use crate::store::contract::{T, ack, send};
use crate::store::postgres::PostgresStore;
use crate::store::{Applied, Command, Locked, Store, StoreError};

const OTHER: &str = "a|c";

async fn apply(store: &PostgresStore, commands: &[Command], locked: Locked) -> Applied {
    tried(store, commands, locked).await.unwrap()
}

async fn tried(
    store: &PostgresStore,
    commands: &[Command],
    locked: Locked,
) -> Result<Applied, StoreError> {
    super::tried(store, store.epoch(), commands, locked).await
}

#[tokio::test]
async fn a_thread_that_somebody_holds_is_skipped_and_then_waited_for() {
    let database = Database::migrated().await;
    let store = database.store().await;
    let both = [send(T, "a", 1, "one"), send(OTHER, "a", 1, "one")];
    apply(&store, &both, Locked::Skip).await;
    let other = database.session().await;
    other.batch_execute("BEGIN").await.unwrap();
    other
        .batch_execute("SELECT FROM rejoinder.heads WHERE thread_id = 'a|b' FOR UPDATE")
        .await
        .unwrap();
    let both = [send(T, "a", 2, "two"), send(OTHER, "a", 2, "two")];
    let applied = apply(&store, &both, Locked::Skip).await;
    assert_eq!(applied.outcomes[0], None);
    assert_eq!(ack(&applied.outcomes[1]).thread_id, OTHER.parse().unwrap());
    let waits = tried(&store, &both[..1], Locked::Wait).await;
    assert!(
        matches!(waits, Err(StoreError::Unavailable(_))),
        "{waits:?}"
    );
    // While one waits, others go on.
    let held = [send(T, "a", 3, "three")];
    let (waited, _) = tokio::join!(tried(&store, &held, Locked::Wait), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let free = [send(OTHER, "a", 3, "three")];
        let applied = apply(&store, &free, Locked::Skip).await;
        assert_eq!(ack(&applied.outcomes[0]).sequence_number.get(), 3);
        other.batch_execute("COMMIT").await.unwrap();
    });
    let waited = waited.unwrap();
    assert_eq!(
        ack(&waited.outcomes[0]).sequence_number.get(),
        2,
        "nothing was burnt"
    );
}

#[tokio::test]
async fn a_row_of_the_application_that_somebody_holds_stalls_no_other_thread() {
    let database = Database::migrated().await;
    database
        .session()
        .await
        .batch_execute(
            "CREATE TABLE threads (id text PRIMARY KEY); INSERT INTO threads VALUES ('a|b'), ('a|c'); \
             ALTER TABLE messages ADD FOREIGN KEY (thread_id) REFERENCES threads",
        )
        .await
        .unwrap();
    let store = database.store().await;
    let other = database.session().await;
    other
        .batch_execute("BEGIN; SELECT FROM threads WHERE id = 'a|b' FOR UPDATE")
        .await
        .unwrap();
    let both = [
        send(T, "a", 1, "one"),
        send(OTHER, "a", 1, "one"),
        send(T, "a", 2, "two"),
    ];
    let applied = apply(&store, &both, Locked::Skip).await;
    assert_eq!((&applied.outcomes[0], &applied.outcomes[2]), (&None, &None));
    assert_eq!(ack(&applied.outcomes[1]).thread_id, OTHER.parse().unwrap());
    other.batch_execute("COMMIT").await.unwrap();
    let applied = apply(&store, &both, Locked::Skip).await;
    let numbers = applied
        .outcomes
        .iter()
        .map(|one| ack(one).sequence_number.get());
    assert_eq!(numbers.collect::<Vec<_>>(), [1, 1, 2]);
}

#[tokio::test]
async fn what_is_done_before_a_held_row_is_answered_as_what_it_is() {
    let database = Database::migrated().await;
    let session = database.session().await;
    let people = "CREATE TABLE people (id text PRIMARY KEY); INSERT INTO people VALUES ('a'), ('b'); \
         ALTER TABLE messages ADD FOREIGN KEY (sender_id) REFERENCES people";
    session.batch_execute(people).await.unwrap();
    let store = database.store().await;
    let other = database.session().await;
    other
        .batch_execute("BEGIN; SELECT FROM people WHERE id = 'b' FOR UPDATE")
        .await
        .unwrap();
    let batch = [
        send(T, "a", 1, "done"),
        send(T, "b", 2, "held"),
        send(T, "a", 3, "must not overtake it"),
        send(OTHER, "a", 4, "free"),
    ];
    let applied = apply(&store, &batch, Locked::Skip).await;
    let answers: Vec<_> = applied
        .outcomes
        .iter()
        .map(|one| one.as_ref().map(|one| ack(one).server_msg_id.to_string()))
        .collect();
    let ids = ["a-b-a-1", "", "", "a-c-a-4"];
    let expected = ids.map(|id| (!id.is_empty()).then(|| id.to_owned()));
    assert_eq!(answers, expected);
    other.batch_execute("COMMIT").await.unwrap();
    let applied = apply(&store, &batch, Locked::Skip).await;
    let numbers = applied.outcomes.iter().map(|one| {
        let ack = ack(one);
        (ack.sequence_number.get(), ack.duplicate)
    });
    let expected = [(1, true), (2, false), (3, false), (1, true)];
    assert_eq!(numbers.collect::<Vec<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_in_opposite_order_neither_block_nor_burn() {
    let database = Database::migrated().await;
    let stores = [database.store().await, database.store().await];
    let first: Vec<_> = (0..8)
        .map(|thread| send(&format!("a|t{thread}"), "a", 0, "x"))
        .collect();
    apply(&stores[0], &first, Locked::Skip).await;
    let mut writers = tokio::task::JoinSet::new();
    for (number, store) in stores.into_iter().enumerate() {
        writers.spawn(async move {
            let mut skips = 0;
            for round in 0..50 {
                let mut waiting: Vec<_> = (0..8)
                    .map(|thread| {
                        let key = u128::from(1 + 1_000 * number as u64 + round);
                        send(&format!("a|t{thread}"), "a", key, "x")
                    })
                    .collect();
                if number == 1 {
                    waiting.reverse();
                }
                while !waiting.is_empty() {
                    let applied = apply(&store, &waiting, Locked::Skip).await;
                    let mut outcomes = applied.outcomes.iter();
                    waiting.retain(|_| outcomes.next().unwrap().is_none());
                    skips += waiting.len();
                }
            }
            (store, skips)
        });
    }
    let done = writers.join_all().await;
    let dense = "SELECT count(*) = 8 AND min(n) = 101 AND max(n) = 101 AND max(top) = 101 FROM \
         (SELECT count(DISTINCT sequence_number) AS n, max(sequence_number) AS top \
         FROM messages GROUP BY thread_id) AS threads";
    let dense = database
        .session()
        .await
        .query_one(dense, &[])
        .await
        .unwrap();
    assert!(
        dense.get::<_, bool>(0),
        "skipped {:?}",
        done.iter().map(|one| one.1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_that_make_the_same_thread_at_once_make_one() {
    let database = Database::migrated().await;
    for round in 0..20 {
        let thread = format!("a|r{round}");
        let (one, other) = (database.store().await, database.store().await);
        let (first, second) = ([send(&thread, "a", 1, "x")], [send(&thread, "a", 2, "x")]);
        let (first, second) = tokio::join!(
            apply(&one, &first, Locked::Skip),
            apply(&other, &second, Locked::Skip)
        );
        let mut numbers: Vec<_> = [first, second]
            .iter()
            .flat_map(|applied| applied.outcomes.iter().flatten())
            .map(|outcome| {
                (
                    ack(outcome).sequence_number.get(),
                    ack(outcome).revision.get(),
                )
            })
            .collect();
        numbers.sort_unstable();
        assert!(
            matches!(numbers[..], [(1, 3)] | [(1, 3), (2, 4)]),
            "{numbers:?}"
        );
    }
}
