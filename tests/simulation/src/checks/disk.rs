//! What is stored in a browser.

use rejoinder_protocol::ThreadId;

use crate::invariant::Invariant;
use crate::truth::Wrong;
use crate::world::World;
use crate::world::disk::StoredThread;

impl World {
    /// Checks everything that a device has stored.
    pub fn check_disk(&mut self, device: usize) {
        for (thread_id, stored) in self.devices[device].disk.threads() {
            let result = self.check_stored(&thread_id, &stored);
            let result = result.map_err(|(invariant, detail)| {
                (
                    invariant,
                    format!("device {device} stores {thread_id}: {detail}"),
                )
            });
            self.check(result);
        }
    }

    fn check_stored(&self, thread_id: &ThreadId, stored: &StoredThread) -> Result<(), Wrong> {
        let wrong = |detail: String| Err((Invariant::StoredIsWhole, detail));
        let cursor = &stored.cursor;
        let Some(truth) = self.truths.get(&cursor.epoch) else {
            return wrong(format!("of the unknown history {}", cursor.epoch));
        };
        let Some(thread) = truth.threads.get(thread_id) else {
            return wrong("which does not exist".to_owned());
        };
        let revision = cursor.revision.get();
        if revision > thread.head() {
            return wrong(format!("up to {revision}, the head is {}", thread.head()));
        }
        let newest = thread.messages_at(revision);
        for place in cursor.oldest.get()..=newest {
            let row = stored
                .messages
                .iter()
                .find(|row| row.sequence_number.get() == place);
            let due = thread.message_at(place, revision);
            let is_right = match (row, due) {
                (Some(row), Some(due)) => {
                    // Older messages may have been read later than the cursor.
                    row.revision >= due.revision
                        && thread.message_at(place, row.revision.get()) == Some(row)
                }
                _ => false,
            };
            if !is_right {
                return wrong(format!("up to {revision}, with {row:?} instead of {due:?}"));
            }
        }
        Ok(())
    }
}
