//! What pages ask of their storage: one job after another, each done at once at some moment.

use rejoinder::engine::stored::Write;
use rejoinder::engine::{Input, StorageFailure, StoredResult, WriteId};
use rejoinder_protocol::{SequenceNumber, ThreadId};

use super::queue::Event;
use super::{FaultAt, World};
use crate::checks::client;
use crate::random::delay;

/// Something that a page's storage must do.
#[derive(Debug)]
pub(super) enum Job {
    /// Delete everything.
    Delete,
    /// Read the outbox.
    LoadOutbox,
    /// Read a part of a thread.
    LoadThread(ThreadId, Option<SequenceNumber>),
    /// Write.
    Persist(WriteId, Write),
}

impl World {
    pub(super) fn add_job(&mut self, page: usize, job: Job) {
        if !matches!(job, Job::Delete) {
            self.pages[page].outstanding += 1;
        }
        self.pages[page].jobs.push_back(job);
        self.begin_storage_job(page);
    }

    pub(super) fn begin_storage_job(&mut self, page: usize) {
        let one = &mut self.pages[page];
        if one.is_storage_busy || one.jobs.is_empty() {
            return;
        }
        one.is_storage_busy = true;
        let device = &mut self.devices[one.device];
        let wait = delay(&mut device.rng, self.setting.storage_ms) + device.slow.at(self.now);
        self.queue.push(self.now + wait, Event::Storage(page));
    }

    /// Runs a page's next storage job; it learns of that a little later.
    pub(super) fn do_storage_job(&mut self, page: usize) {
        if !self.pages[page].is_open {
            return;
        }
        let Some(job) = self.pages[page].jobs.pop_front() else {
            return;
        };
        let answer = self.perform(page, job);
        let Some(input) = answer else {
            self.pages[page].is_storage_busy = false;
            return self.begin_storage_job(page);
        };
        let device = &mut self.devices[self.pages[page].device];
        let wait = delay(&mut device.rng, self.setting.storage_ms);
        self.tell_page_later(page, wait, input);
    }

    pub(super) fn perform(&mut self, page: usize, job: Job) -> Option<Input> {
        let device = self.pages[page].device;
        let is_closed = self.pages[page].is_database_closed;
        self.trace.note(|| format!("page {page} storage {job:?}"));
        let disk = match is_closed {
            true => Err(StorageFailure::Closed),
            false => Ok(&self.devices[device].disk),
        };
        match job {
            Job::Delete => {
                self.forget(device);
                for other in self.pages.iter_mut().filter(|one| one.device == device) {
                    other.is_database_closed = true;
                }
                client::deleted(self, page);
                None
            }
            Job::LoadOutbox => Some(Input::OutboxLoaded(disk.map(|disk| disk.load_outbox()))),
            Job::LoadThread(thread_id, before) => {
                let result = disk.map(|disk| disk.load_thread(&thread_id, before));
                Some(Input::ThreadLoaded {
                    thread_id,
                    before,
                    result,
                })
            }
            Job::Persist(write_id, _) if is_closed => {
                let result = StoredResult::Failed(StorageFailure::Closed);
                Some(Input::Stored { write_id, result })
            }
            Job::Persist(write_id, write) => {
                if self.fault == Some(FaultAt::Write(self.writes)) {
                    self.fault = None;
                    self.devices[device].disk.quota = 2;
                }
                self.writes += 1;
                let written = self.devices[device].disk.write(&write);
                match written.result {
                    StoredResult::Refused => self.coverage.see("state", "write refused"),
                    StoredResult::Failed(_) => self.coverage.see("state", "write failed"),
                    StoredResult::Committed { .. } => {}
                }
                if let (Write::RemoveThread { thread_id, .. }, StoredResult::Committed { .. }) =
                    (&write, &written.result)
                {
                    let removed = &mut self.devices[device].removed;
                    // Nothing is known of it any more if the user was let in again meanwhile.
                    if let Some(heard) = removed.get_mut(thread_id) {
                        *heard = (page, true);
                    }
                }
                client::written(self, page, &written);
                let result = written.result;
                Some(Input::Stored { write_id, result })
            }
        }
    }
}
