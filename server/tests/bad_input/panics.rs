//! A bug in what one person's request reaches costs that request, and nobody else's.

use std::sync::Arc;

use rejoinder_gateway::store::{
    Applied, Command, Locked, Read, ReadAnswer, SqliteStore, Store, StoreError,
};
use rejoinder_protocol::{Epoch, UnixMillis};

use crate::client::{Gateway, THREAD, hello, send, subscribe};

const BROKEN: &str = "alice|eve";

/// A store with a bug: whoever touches one thread panics.
struct Broken(SqliteStore);

impl Store for Broken {
    fn epoch(&self) -> &Epoch {
        self.0.epoch()
    }

    async fn apply(
        &self,
        asked_in: Epoch,
        now: UnixMillis,
        batch: Arc<[Command]>,
        locked: Locked,
    ) -> Result<Applied, StoreError> {
        assert!(!format!("{batch:?}").contains(BROKEN), "a planted bug");
        self.0.apply(asked_in, now, batch, locked).await
    }

    async fn read(&self, read: Read) -> Result<ReadAnswer, StoreError> {
        assert!(!format!("{read:?}").contains(BROKEN), "a planted bug");
        self.0.read(read).await
    }
}

#[tokio::test]
async fn a_panic_on_the_way_of_one_thread_harms_no_other() {
    let epoch = "e1".parse().unwrap();
    let store = Broken(SqliteStore::memory(&epoch).unwrap());
    let gateway = Gateway::with(store, |_| {}).await;
    let mut alice = gateway.join("alice").await;
    let mut bob = gateway.join("bob").await;
    bob.watch().await;
    let mut eve = gateway.join("eve").await;
    let history = format!(
        r#"{{"type":"history","thread_id":"{BROKEN}","before_sequence_number":9,"limit":5}}"#
    );
    for round in 0..3 {
        // A read, a write, and a pump.
        eve.say(&history).await;
        let error = eve.hear_of("error").await;
        assert_eq!(
            (&error["code"], &error["ref"]["type"]),
            (&"busy".into(), &"history".into())
        );
        eve.say(&send(BROKEN, 1, "boom")).await;
        let error = eve.hear_of("error").await;
        assert_eq!(
            (&error["code"], &error["ref"]["type"]),
            (&"busy".into(), &"send".into())
        );
        eve.say(&subscribe(BROKEN)).await;
        let answer = gateway
            .ask(
                &format!("GET /v1/threads/{}/messages", BROKEN.replace('|', "%7C")),
                Some("dev:eve"),
                "",
                "",
            )
            .await;
        assert_eq!(answer.status, 503);
        alice.say(&send(THREAD, round, "unharmed")).await;
        alice.hear_of("ack").await;
        assert_eq!(bob.hear_of("change").await["object"]["body"], "unharmed");
    }
    // Eve herself goes on where there is no bug.
    eve.say(&send("carol|eve", 1, "x")).await;
    eve.hear_of("ack").await;
    let mut late = gateway.open().await;
    late.say(&hello("dev:dan")).await;
    late.hear_of("welcome").await;
}
