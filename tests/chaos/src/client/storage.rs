//! A browser's storage: jobs wait in one queue and are done one after the other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use rejoinder::engine::stored::Write;
use rejoinder::engine::{Input, WriteId};
use rejoinder_protocol::{SequenceNumber, ThreadId};
use rejoinder_simulation::world::disk::Disk;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// A job takes so long at most, in milliseconds: what IndexedDB takes for a strict write.
const JOB_MS_MAX: u64 = 8;

/// What is stored on a device. It outlives its pages.
pub(super) type SharedDisk = Arc<Mutex<Disk>>;

/// Something to do.
pub(super) enum Job {
    LoadOutbox,
    LoadThread(ThreadId, Option<SequenceNumber>),
    Persist(WriteId, Write),
}

/// One page's queue to its device's database.
pub(super) struct Storage {
    jobs: UnboundedSender<Job>,
    worker: JoinHandle<()>,
    /// Jobs that are not answered.
    pub(super) waiting: usize,
}

impl Storage {
    pub(super) fn open(disk: SharedDisk, door: UnboundedSender<Input>, seed: u64) -> Self {
        let (jobs, queue) = unbounded_channel();
        let worker = tokio::spawn(work(disk, queue, door, Rng::with_seed(seed)));
        Self {
            jobs,
            worker,
            waiting: 0,
        }
    }

    pub(super) fn ask(&mut self, job: Job) {
        self.waiting += 1;
        // The worker ends only after this.
        let _ = self.jobs.send(job);
    }

    /// Ends it in the middle of its work: each job is done or not.
    pub(super) async fn crash(self) {
        self.worker.abort();
        let _ = self.worker.await;
    }
}

pub(super) fn lock(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn work(
    disk: SharedDisk,
    mut queue: UnboundedReceiver<Job>,
    door: UnboundedSender<Input>,
    mut rng: Rng,
) {
    while let Some(job) = queue.recv().await {
        sleep(Duration::from_millis(rng.u64(0..=JOB_MS_MAX))).await;
        let answer = perform(&mut lock(&disk), job);
        // A page may end between what is done and hearing of it.
        tokio::task::yield_now().await;
        let _ = door.send(answer);
    }
}

fn perform(disk: &mut Disk, job: Job) -> Input {
    match job {
        Job::LoadOutbox => Input::OutboxLoaded(Ok(disk.load_outbox())),
        Job::LoadThread(thread_id, before) => {
            let result = Ok(disk.load_thread(&thread_id, before));
            Input::ThreadLoaded {
                thread_id,
                before,
                result,
            }
        }
        Job::Persist(write_id, write) => {
            let result = disk.write(&write).result;
            Input::Stored { write_id, result }
        }
    }
}
