//! What is SQLite's own; what every store must do is in `store/contract.rs`.

use rejoinder_protocol::{Ack, Epoch, ErrorCode, UnixMillis};

use super::Sqlite;
use crate::store::contract::{T, ack, code, epoch, send};

#[test]
fn a_poison_row_fails_alone() {
    let mut sqlite = Sqlite::memory(&epoch()).unwrap();
    let poison = "CREATE TRIGGER poison BEFORE INSERT ON messages WHEN NEW.body = 'poison' \
                  BEGIN SELECT RAISE(ABORT, 'poison'); END";
    sqlite.execute_for_test(poison);
    let commands = [
        send(T, "a", 1, "one"),
        send(T, "a", 2, "poison"),
        send(T, "b", 3, "two"),
    ];
    let applied = sqlite
        .apply(&epoch(), UnixMillis::default(), &commands)
        .unwrap();
    assert_eq!(ack(&applied.outcomes[0]).sequence_number.get(), 1);
    assert_eq!(code(&applied.outcomes[1]), ErrorCode::Internal);
    assert_eq!(ack(&applied.outcomes[2]).sequence_number.get(), 2);
}

#[test]
fn a_file_keeps_everything_and_its_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut first = Sqlite::open(&path, &epoch()).unwrap();
    let stored = first
        .apply(&epoch(), UnixMillis::default(), &[send(T, "a", 1, "one")])
        .unwrap();
    drop(first);
    let mut second = Sqlite::open(&path, &"fresh".parse().unwrap()).unwrap();
    assert_eq!(*second.epoch(), epoch());
    let again = second
        .apply(&epoch(), UnixMillis::default(), &[send(T, "a", 1, "one")])
        .unwrap();
    let duplicate = Ack {
        duplicate: true,
        ..ack(&stored.outcomes[0])
    };
    assert_eq!(ack(&again.outcomes[0]), duplicate);
}

#[test]
fn what_was_asked_in_another_history_is_not_executed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut gateway = Sqlite::open(&path, &epoch()).unwrap();
    let mut operator = Sqlite::open(&path, &epoch()).unwrap();
    let other: Epoch = "other".parse().unwrap();
    operator.rotate_epoch(other.clone()).unwrap();
    let asked = [send(T, "a", 1, "one")];
    let now = UnixMillis::default();
    let refused = gateway.apply(&epoch(), now, &asked).unwrap();
    assert_eq!(refused.epoch, other);
    assert_eq!(code(&refused.outcomes[0]), ErrorCode::Internal);
    assert_eq!(gateway.apply(&epoch(), now, &asked).unwrap(), refused);
    let stored = gateway.apply(&other, now, &asked).unwrap();
    assert_eq!(ack(&stored.outcomes[0]).sequence_number.get(), 1);
}
