use super::*;
use wasm_bindgen_test::*;

const ROWS: &str = "rows";

async fn fresh(name: &str) -> Db {
    Database::delete_by_name(name).unwrap().await.unwrap();
    reopen(name, 1).await
}

async fn reopen(name: &str, version: u32) -> Db {
    let layout = |old, database: &Database| {
        if old < 1 {
            database.create_object_store(ROWS).build()?;
        }
        Ok(())
    };
    Db::open(name, version, layout).await.unwrap()
}

async fn row(db: &Db, key: &str) -> Option<Vec<u8>> {
    db.read(&[ROWS])
        .unwrap()
        .get(ROWS, &key.into())
        .await
        .unwrap()
}

#[wasm_bindgen_test]
async fn a_finished_unit_is_there_after_reopening() {
    let db = fresh("idb-commit").await;
    let unit = db.write(&[ROWS], true).unwrap();
    unit.put(ROWS, &"a".into(), &[1, 2, 3]).unwrap();
    unit.put(ROWS, &"b".into(), &[]).unwrap();
    unit.finish().await.unwrap();
    drop(db);

    let db = reopen("idb-commit", 1).await;
    assert_eq!(row(&db, "a").await, Some(vec![1, 2, 3]));
    assert_eq!(row(&db, "b").await, Some(vec![]));
    assert_eq!(row(&db, "c").await, None);
}

#[wasm_bindgen_test]
async fn reads_and_writes_meet_in_one_unit() {
    let db = fresh("idb-mixed").await;
    for expected in 1..=3 {
        let unit = db.write(&[ROWS], true).unwrap();
        let old = unit
            .get(ROWS, &"n".into())
            .await
            .unwrap()
            .map_or(0, |row| row[0]);
        unit.put(ROWS, &"n".into(), &[old + 1]).unwrap();
        unit.finish().await.unwrap();
        assert_eq!(row(&db, "n").await, Some(vec![expected]));
    }
}

#[wasm_bindgen_test]
async fn a_failing_request_rolls_everything_back_and_names_the_cause() {
    let db = fresh("idb-rollback").await;
    let unit = db.write(&[ROWS], true).unwrap();
    unit.put(ROWS, &"a".into(), &[1]).unwrap();
    unit.finish().await.unwrap();

    let unit = db.write(&[ROWS], true).unwrap();
    unit.put(ROWS, &"a".into(), &[2]).unwrap();
    drop(
        unit.store(ROWS)
            .unwrap()
            .add(JsValue::NULL)
            .with_key(JsValue::from("a"))
            .primitive(),
    );
    unit.put(ROWS, &"b".into(), &[2]).unwrap();
    assert_eq!(unit.finish().await, Err(StorageError::Duplicate));

    assert_eq!(row(&db, "a").await, Some(vec![1]));
    assert_eq!(row(&db, "b").await, None);
}

#[wasm_bindgen_test]
async fn a_dropped_unit_is_rolled_back() {
    let db = fresh("idb-drop").await;
    let unit = db.write(&[ROWS], true).unwrap();
    unit.put(ROWS, &"a".into(), &[1]).unwrap();
    assert_eq!(unit.get(ROWS, &"a".into()).await.unwrap(), Some(vec![1]));
    drop(unit);
    assert_eq!(row(&db, "a").await, None);
}

#[wasm_bindgen_test]
async fn a_unit_is_as_strict_as_it_was_asked_to_be() {
    let db = fresh("idb-strict").await;
    for (is_strict, expected) in [(true, "strict"), (false, "relaxed")] {
        let unit = db.write(&[ROWS], is_strict).unwrap();
        let durability =
            js_sys::Reflect::get(unit.transaction.as_sys(), &"durability".into()).unwrap();
        assert_eq!(durability.as_string().as_deref(), Some(expected));
    }
}

#[wasm_bindgen_test]
async fn ranges_are_deleted_with_both_ends() {
    let db = fresh("idb-range").await;
    let unit = db.write(&[ROWS], false).unwrap();
    for key in ["a", "b", "c", "d"] {
        unit.put(ROWS, &key.into(), &[1]).unwrap();
    }
    unit.delete_between(ROWS, &"b".into(), &"c".into()).unwrap();
    unit.finish().await.unwrap();
    assert_eq!(row(&db, "a").await, Some(vec![1]));
    assert_eq!(row(&db, "b").await, None);
    assert_eq!(row(&db, "c").await, None);
    assert_eq!(row(&db, "d").await, Some(vec![1]));
}

#[wasm_bindgen_test]
async fn gives_way_to_another_tabs_upgrade() {
    let old = fresh("idb-upgrade").await;
    let new = reopen("idb-upgrade", 2).await;
    assert_eq!(old.write(&[ROWS], true).err(), Some(StorageError::Closed));
    assert_eq!(row(&new, "a").await, None);
    let layout = |_, _: &Database| Ok(());
    assert_eq!(
        Db::open("idb-upgrade", 1, layout).await.err(),
        Some(StorageError::Newer)
    );
}

#[wasm_bindgen_test]
fn a_full_disk_is_named() {
    for (name, expected) in [
        ("QuotaExceededError", StorageError::Full),
        ("SecurityError", StorageError::Missing),
        ("UnknownError", StorageError::Closed),
        ("DataError", StorageError::Other("DataError: words".into())),
    ] {
        let exception = web_sys::DomException::new_with_message_and_name("words", name).unwrap();
        assert_eq!(StorageError::from(exception), expected);
    }
}
