//! What JavaScript sees of the core. Every export first asks whether the instance is still sound.
#![expect(
    unreachable_pub,
    reason = "wasm-bindgen exports nothing that is not `pub`"
)]

use super::{
    idb::Db,
    panic::{self, check},
};
use wasm_bindgen::prelude::*;

const VALUES: &str = "values";

/// Names the function that is told, once, that this instance has panicked.
#[wasm_bindgen(js_name = onFatal)]
pub fn on_fatal(callback: js_sys::Function) -> Result<(), JsError> {
    check()?;
    panic::report_to(callback);
    Ok(())
}

/// Panics on purpose, so that tests can watch the real artefact do it.
#[wasm_bindgen(js_name = plantedPanic)]
#[allow(clippy::panic, reason = "that is its job")]
pub fn planted_panic() -> Result<(), JsError> {
    check()?;
    panic!("planted panic");
}

/// A named set of values that survives the page.
#[wasm_bindgen]
pub struct Client {
    db: Db,
}

#[wasm_bindgen]
impl Client {
    /// Opens the database `name`.
    pub async fn open(name: String) -> Result<Client, JsError> {
        check()?;
        let layout = |old, database: &indexed_db_futures::database::Database| {
            use indexed_db_futures::prelude::Build;
            if old < 1 {
                database.create_object_store(VALUES).build()?;
            }
            Ok(())
        };
        Ok(Client {
            db: Db::open(&name, 1, layout).await?,
        })
    }

    /// Stores a value; resolves when it is on disk.
    pub async fn put(&self, key: String, value: Vec<u8>) -> Result<(), JsError> {
        check()?;
        let unit = self.db.write(&[VALUES])?;
        unit.put(VALUES, &key.into(), &value)?;
        Ok(unit.finish().await?)
    }

    /// The value stored under `key`.
    pub async fn get(&self, key: String) -> Result<Option<Vec<u8>>, JsError> {
        check()?;
        Ok(self.db.read(&[VALUES])?.get(VALUES, &key.into()).await?)
    }
}
