//! Servers that take over, and servers that must prove who they are.

use rejoinder_test_services::Postgres;

use super::{Database, apply};
use crate::store::contract::{T, ack, send};
use crate::store::postgres::{Connector, PostgresStore};
use crate::store::{Store, StoreError};

#[tokio::test]
async fn another_server_that_takes_over_begins_another_history() {
    let first = Postgres::start(&[]);
    let database = Database::on(first.database());
    database.migrate().await.unwrap();
    let before = database.store().await;
    let one = [send(T, "a", 1, "one")];
    apply(&before, &one).await.unwrap();
    let second = first.standby();
    let moved = Database::on(second.url("test_0"));
    // It only follows: a gateway on it does not even start.
    assert!(
        PostgresStore::open(moved.connector(), &moved.tables, 1)
            .await
            .is_err()
    );
    second.promote();
    let after = moved.store().await;
    let again = apply(&after, &one).await.unwrap();
    assert!(ack(&again.outcomes[0]).duplicate);
    assert_ne!(after.epoch(), before.epoch());
    drop(first);
    let gone = [send(T, "a", 2, "two")];
    let gone = apply(&before, &gone).await;
    assert!(matches!(gone, Err(StoreError::Unavailable(_))), "{gone:?}");
}

/// Whether a connection to a URL is made, trusting an authority.
async fn connects(url: &str, authority: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("authority.pem");
    std::fs::write(&path, authority).unwrap();
    let connector = Connector::new(url, Some(&path)).unwrap();
    connector.plain().await.is_ok()
}

#[tokio::test]
async fn a_server_proves_who_it_is() {
    let server = Postgres::start(&[]);
    let url = server.url("postgres").replace("127.0.0.1", "localhost");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, other) = (made.cert.pem(), other.cert.pem());
    assert!(
        !connects(&url, &certificate).await,
        "it speaks no TLS, and nobody goes without"
    );
    server.certify(&certificate, &made.signing_key.serialize_pem());
    assert!(connects(&url, &certificate).await);
    for mode in ["require", "verify-full"] {
        assert!(
            connects(&format!("{url}?sslmode={mode}"), &certificate).await,
            "{mode}"
        );
        assert!(
            !connects(&format!("{url}?sslmode={mode}"), &other).await,
            "{mode}"
        );
    }
    let elsewhere = url.replace("localhost", "127.0.0.1");
    assert!(
        !connects(&elsewhere, &certificate).await,
        "the certificate has another name"
    );
    let plain = format!("{url}?sslmode=disable");
    assert!(connects(&plain, &other).await);
}
