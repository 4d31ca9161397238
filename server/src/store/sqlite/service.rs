//! SQLite on threads of its own, so that no async task ever waits for a disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rejoinder_protocol::{Epoch, UnixMillis};
use tokio::sync::{mpsc, oneshot};

use super::{OpenError, Sqlite};
use crate::store::{Applied, Command, Locked, Read, ReadAnswer, Store, StoreError};

/// Questions and batches that may wait; askers beyond it wait for a place.
const WAITING_MAX: usize = 1024;

/// Threads that read beside the one that writes.
const READERS: usize = 2;

enum Job {
    Apply(
        Epoch,
        UnixMillis,
        Arc<[Command]>,
        oneshot::Sender<Result<Applied, StoreError>>,
    ),
    Read(Read, oneshot::Sender<Result<ReadAnswer, StoreError>>),
}

/// A SQLite database behind one writing thread and some reading ones.
///
/// The threads end when the last clone is dropped, after what already waits.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    writer: mpsc::Sender<Job>,
    readers: Arc<[mpsc::Sender<Job>]>,
    next_reader: Arc<std::sync::atomic::AtomicUsize>,
    epoch: Epoch,
}

impl SqliteStore {
    /// Opens a database file; see [`Sqlite::open`].
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(path: &Path, fresh_epoch: &Epoch) -> Result<Self, OpenError> {
        let writer = Sqlite::open(path, fresh_epoch)?;
        let epoch = writer.epoch().clone();
        let readers = (0..READERS)
            .map(|_| Sqlite::reader(path, &epoch).map(run))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            writer: run(writer),
            readers: readers.into(),
            next_reader: Arc::default(),
            epoch,
        })
    }

    /// Opens a database in memory, whose one connection also reads; see [`Sqlite::memory`].
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn memory(fresh_epoch: &Epoch) -> Result<Self, OpenError> {
        let writer = Sqlite::memory(fresh_epoch)?;
        let epoch = writer.epoch().clone();
        Ok(Self {
            writer: run(writer),
            readers: Arc::new([]),
            next_reader: Arc::default(),
            epoch,
        })
    }

    fn reader(&self) -> &mpsc::Sender<Job> {
        let turn = &self.next_reader;
        let turn = turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let index = turn.checked_rem(self.readers.len()).unwrap_or(0);
        self.readers.get(index).unwrap_or(&self.writer)
    }
}

fn run(mut sqlite: Sqlite) -> mpsc::Sender<Job> {
    let (sender, mut receiver) = mpsc::channel(WAITING_MAX);
    thread::spawn(move || {
        while let Some(job) = receiver.blocking_recv() {
            // Whoever asked may be gone; the answer then has no reader.
            let work = AssertUnwindSafe(|| match job {
                Job::Apply(asked_in, now, batch, answer) => {
                    let _ = answer.send(sqlite.apply(&asked_in, now, &batch));
                }
                Job::Read(read, answer) => {
                    let _ = answer.send(sqlite.read(&read));
                }
            });
            // A panic, which is a bug, rolled its transaction back: it costs this answer, and not the
            // thread that works for everybody.
            let _ = catch_unwind(work);
        }
    });
    sender
}

fn gone() -> StoreError {
    StoreError::UnknownFate("the store's thread did not answer".to_owned())
}

impl Store for SqliteStore {
    fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    async fn apply(
        &self,
        asked_in: Epoch,
        now: UnixMillis,
        batch: Arc<[Command]>,
        _: Locked,
    ) -> Result<Applied, StoreError> {
        let (sender, answer) = oneshot::channel();
        let job = Job::Apply(asked_in, now, batch, sender);
        self.writer.send(job).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    async fn read(&self, read: Read) -> Result<ReadAnswer, StoreError> {
        let (sender, answer) = oneshot::channel();
        let job = Job::Read(read, sender);
        self.reader().send(job).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}
