//! What is kept in IndexedDB: one database for each user at each gateway.
//!
//! Jobs wait in one queue and are done one after the other, each in one transaction. So writes take
//! effect in the order they were asked for and before reads asked for later, also while the
//! database is still being opened. What a transaction does with what it read is decided by
//! [`stored`], not here.

use std::cell::RefCell;
use std::collections::BTreeMap;

use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use futures::future::{Either, select};
use gloo_timers::future::TimeoutFuture;
use indexed_db_futures::database::Database;
use indexed_db_futures::error::Error;
use indexed_db_futures::prelude::*;
use js_sys::Array;
use rejoinder_protocol::{SequenceNumber, ThreadId};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::door::Door;
use super::idb::{Db, StorageError, Unit};
use super::panic;
use crate::engine::stored::{self, Found, OrderNumber, ThreadLoad, Write};
use crate::engine::{Input, OutboxLoad, StorageFailure, StoredResult, WriteId};

#[cfg(test)]
mod tests;

const VERSION: u32 = 1;
const OUTBOX: &str = "outbox";
const CURSORS: &str = "cursors";
const BUCKETS: &str = "buckets";
const PARTICIPANTS: &str = "participants";
const ALL: &[&str] = &[OUTBOX, CURSORS, BUCKETS, PARTICIPANTS];
const THREADS: &[&str] = &[CURSORS, BUCKETS, PARTICIPANTS];

/// A database that does not open for so long is taken for missing: another tab may hold it, and
/// browsers have had bugs in which it never opens.
const OPEN_TIMEOUT_MS: u32 = 5_000;

/// Something to do.
pub(crate) enum Job {
    /// Close and delete the database. Not answered.
    Delete,
    /// Answered by [`Input::OutboxLoaded`].
    LoadOutbox,
    /// Answered by [`Input::ThreadLoaded`].
    LoadThread {
        thread_id: ThreadId,
        before: Option<SequenceNumber>,
    },
    /// Answered by [`Input::Stored`].
    Persist { write_id: WriteId, write: Write },
}

thread_local! {
    /// The ends of dropped storages that still have jobs to do, by database.
    static CLOSING: RefCell<BTreeMap<String, Vec<oneshot::Receiver<()>>>> = RefCell::default();
}

/// The queue to one database, which is opened by the first job.
///
/// Once this is dropped, the jobs that wait are still done, then the database is closed. A new
/// storage of the same name begins after that: it sees what the old one wrote, and what it writes
/// itself is not deleted by the old one's last job.
pub(crate) struct Storage {
    name: String,
    jobs: mpsc::UnboundedSender<Job>,
    end: Option<oneshot::Receiver<()>>,
}

impl Storage {
    pub(crate) fn new(name: String, door: Door) -> Self {
        let (jobs, queue) = mpsc::unbounded();
        let (is_over, end) = oneshot::channel();
        let earlier = CLOSING.with_borrow_mut(|closing| closing.remove(&name));
        let worker = Worker {
            name: name.clone(),
            door,
            db: None,
            failure: None,
            _is_over: is_over,
        };
        spawn_local(worker.run(queue, earlier.unwrap_or_default()));
        Self {
            name,
            jobs,
            end: Some(end),
        }
    }

    pub(crate) fn ask(&self, job: Job) {
        // The worker ends only after this sender.
        let _ = self.jobs.unbounded_send(job);
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        let name = std::mem::take(&mut self.name);
        CLOSING.with_borrow_mut(|closing| {
            closing.entry(name).or_default().extend(self.end.take());
        });
    }
}

struct Worker {
    name: String,
    door: Door,
    db: Option<Db>,
    /// Why the database cannot be opened.
    failure: Option<StorageFailure>,
    /// Dropped with the worker, which is all it says.
    _is_over: oneshot::Sender<()>,
}

impl Worker {
    async fn run(
        mut self,
        mut queue: mpsc::UnboundedReceiver<Job>,
        earlier: Vec<oneshot::Receiver<()>>,
    ) {
        for end in earlier {
            let _ = end.await;
        }
        while let Some(job) = queue.next().await {
            if !panic::is_sound() {
                return;
            }
            if let Some(answer) = self.perform(job).await {
                self.door.tell(answer);
            }
        }
    }

    async fn perform(&mut self, job: Job) -> Option<Input> {
        match job {
            Job::Delete => {
                self.delete().await;
                None
            }
            Job::LoadOutbox => {
                let result = self.unit(load_outbox).await;
                Some(Input::OutboxLoaded(result))
            }
            Job::LoadThread { thread_id, before } => {
                let result = self
                    .unit(async |db: &Db| load_thread(db, &thread_id, before).await)
                    .await;
                Some(Input::ThreadLoaded {
                    thread_id,
                    before,
                    result,
                })
            }
            Job::Persist { write_id, write } => {
                let result = self
                    .unit(async |db: &Db| persist(db, &write).await)
                    .await
                    .unwrap_or_else(StoredResult::Failed);
                Some(Input::Stored { write_id, result })
            }
        }
    }

    /// Runs a unit of work. A handle that died is replaced once and the unit begun anew: it has
    /// written nothing, for it is one transaction.
    async fn unit<T>(
        &mut self,
        unit: impl AsyncFn(&Db) -> Result<T, StorageError>,
    ) -> Result<T, StorageFailure> {
        let mut is_second = false;
        loop {
            let error = match unit(self.database().await?).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let is_handle_dead = matches!(error, StorageError::Closed | StorageError::Aborted);
            if is_handle_dead {
                self.db = None;
            }
            if is_second || !is_handle_dead {
                warn(&error);
                return Err(failure(&error));
            }
            is_second = true;
        }
    }

    async fn database(&mut self) -> Result<&Db, StorageFailure> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let db = match self.db.take() {
            Some(db) => db,
            None => self.open().await.inspect_err(|failure| {
                // Asked again, it would only keep everybody waiting again.
                self.failure = Some(*failure);
            })?,
        };
        Ok(self.db.insert(db))
    }

    async fn open(&self) -> Result<Db, StorageFailure> {
        let (sender, opened) = oneshot::channel();
        let name = self.name.clone();
        spawn_local(async move {
            // If it comes too late, the database is dropped with the answer, and so closed again.
            let _ = sender.send(Db::open(&name, VERSION, lay_out).await);
        });
        match select(opened, TimeoutFuture::new(OPEN_TIMEOUT_MS)).await {
            Either::Left((Ok(Ok(db)), _)) => Ok(db),
            Either::Left((Ok(Err(error)), _)) => {
                warn(&error);
                // A database that cannot even be opened is not there, for whatever reason.
                Err(match failure(&error) {
                    StorageFailure::Aborted | StorageFailure::Closed => StorageFailure::Unavailable,
                    known @ (StorageFailure::Quota
                    | StorageFailure::Unavailable
                    | StorageFailure::VersionTooNew) => known,
                })
            }
            Either::Left((Err(_), _)) | Either::Right(_) => Err(StorageFailure::Unavailable),
        }
    }

    async fn delete(&mut self) {
        self.db = None;
        self.failure = Some(StorageFailure::Closed);
        let deleted = match Database::delete_by_name(&self.name) {
            Ok(request) => request.await.map_err(StorageError::from),
            Err(error) => Err(StorageError::from(error)),
        };
        if let Err(error) = deleted {
            warn(&error);
        }
    }
}

fn lay_out(old_version: u32, database: &Database) -> Result<(), Error> {
    if old_version < 1 {
        database
            .create_object_store(OUTBOX)
            .with_auto_increment(true)
            .build()?;
        for store in THREADS {
            database.create_object_store(*store).build()?;
        }
    }
    Ok(())
}

async fn load_outbox(db: &Db) -> Result<OutboxLoad, StorageError> {
    let rows = db.read(&[OUTBOX])?.rows(OUTBOX).await?;
    let (entries, unreadable) = stored::load_outbox(&rows);
    Ok(OutboxLoad {
        entries,
        unreadable,
    })
}

async fn load_thread(
    db: &Db,
    thread_id: &ThreadId,
    before: Option<SequenceNumber>,
) -> Result<ThreadLoad, StorageError> {
    let unit = db.read(THREADS)?;
    let thread = JsValue::from_str(thread_id.as_str());
    let cursor = unit.get(CURSORS, &thread).await?;
    let participants = unit.get(PARTICIPANTS, &thread).await?;
    let mut buckets = Vec::new();
    for number in stored::buckets_to_load(cursor.as_deref(), before) {
        buckets.extend(unit.get(BUCKETS, &bucket_key(&thread, number)).await?);
    }
    Ok(stored::load_thread(
        cursor.as_deref(),
        participants.as_deref(),
        &buckets,
        before,
    ))
}

async fn persist(db: &Db, write: &Write) -> Result<StoredResult, StorageError> {
    let needs = stored::needs(write);
    let stores = if needs.thread.is_some() {
        ALL
    } else {
        &[OUTBOX]
    };
    let unit = db.write(stores, needs.strict)?;
    let found = find(&unit, &needs).await?;
    // A unit that is dropped is rolled back.
    let Ok(changes) = stored::decide(write, &found) else {
        return Ok(StoredResult::Refused);
    };
    let mut added = None;
    if let Some(row) = &changes.outbox_add {
        added = Some(OrderNumber(unit.add(OUTBOX, row).await?));
    }
    for (key, row) in &changes.outbox_put {
        unit.put(OUTBOX, &number_key(*key), row)?;
    }
    for key in &changes.outbox_delete {
        unit.delete(OUTBOX, &number_key(*key))?;
    }
    if let Some(thread_id) = &changes.thread {
        let thread = JsValue::from_str(thread_id.as_str());
        if changes.clear_thread {
            unit.delete(CURSORS, &thread)?;
            unit.delete(PARTICIPANTS, &thread)?;
            let (first, last) = (bucket_key(&thread, 0), last_bucket_key(&thread));
            unit.delete_between(BUCKETS, &first, &last)?;
        }
        if let Some(row) = &changes.cursor {
            unit.put(CURSORS, &thread, row)?;
        }
        if let Some(row) = &changes.participants {
            unit.put(PARTICIPANTS, &thread, row)?;
        }
        for (number, row) in &changes.buckets {
            unit.put(BUCKETS, &bucket_key(&thread, *number), row)?;
        }
    }
    unit.finish().await?;
    Ok(StoredResult::Committed {
        answer: changes.answer,
        added,
    })
}

async fn find(unit: &Unit<'_>, needs: &stored::Needs) -> Result<Found, StorageError> {
    let mut found = Found::default();
    if needs.outbox {
        found.outbox = unit.rows(OUTBOX).await?;
    }
    if let Some(thread_id) = &needs.thread {
        let thread = JsValue::from_str(thread_id.as_str());
        found.cursor = unit.get(CURSORS, &thread).await?;
        found.participants = unit.get(PARTICIPANTS, &thread).await?;
        for number in &needs.buckets {
            if let Some(row) = unit.get(BUCKETS, &bucket_key(&thread, *number)).await? {
                found.buckets.push((*number, row));
            }
        }
    }
    Ok(found)
}

fn number_key(number: u64) -> JsValue {
    JsValue::from_f64(number as f64)
}

fn bucket_key(thread: &JsValue, number: u64) -> JsValue {
    Array::of2(thread, &number_key(number)).into()
}

fn last_bucket_key(thread: &JsValue) -> JsValue {
    Array::of2(thread, &JsValue::from_f64(f64::INFINITY)).into()
}

fn failure(error: &StorageError) -> StorageFailure {
    match error {
        StorageError::Full => StorageFailure::Quota,
        StorageError::Closed => StorageFailure::Closed,
        StorageError::Newer => StorageFailure::VersionTooNew,
        StorageError::Missing => StorageFailure::Unavailable,
        StorageError::Aborted | StorageError::Duplicate | StorageError::Other(_) => {
            StorageFailure::Aborted
        }
    }
}

/// The engine and the application get a code; the browser's words are for whoever debugs.
fn warn(error: &StorageError) {
    let words = ["Rejoinder: ", &error.to_string()].concat();
    web_sys::console::warn_1(&JsValue::from_str(&words));
}
