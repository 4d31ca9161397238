//! What others wrote into the store, and how those who are here learn of it.

use rejoinder_protocol::ThreadId;

use super::{Gateway, Purpose};
use crate::core::input::DoneContent;
use crate::core::{Effect, Now, ReadDone};
use crate::store::{Read, StoreError};

impl Gateway {
    /// Looks at threads that somebody else may have changed.
    pub(super) fn look(&mut self, effects: &mut Vec<Effect>) {
        while let Some(thread_id) = self.watch.as_mut().and_then(|watch| watch.next_look()) {
            let question = Read::Overview {
                thread_id: thread_id.clone(),
            };
            self.ask(question, Purpose::Look(thread_id), effects);
        }
    }

    /// Takes what a look has found. Only the store is believed: a thread that is no further than what
    /// was told here is no news.
    pub(super) fn looked(
        &mut self,
        now: Now,
        thread_id: &ThreadId,
        result: Result<ReadDone, StoreError>,
    ) {
        let Some(watch) = &mut self.watch else {
            return;
        };
        let Ok(ReadDone {
            text,
            content:
                DoneContent::Overview {
                    revision,
                    participants,
                    left,
                },
            ..
        }) = result
        else {
            // What does not exist concerns nobody; what could not be read is polled.
            return watch.looked(thread_id);
        };
        let is_news = watch.found(thread_id, revision);
        let fallen = self.hub.head_at_least(thread_id, revision);
        self.fall_back(thread_id, fallen);
        if is_news {
            self.remove(now, thread_id, &left);
            self.participants(now, thread_id, revision, &participants);
            let sessions = self.sessions_of_all(&participants);
            self.show(now, sessions, thread_id, text.as_ref());
        }
    }

    /// Asks what may have changed without a word, when it is time for it.
    pub(super) fn poll(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let watch = self.watch.as_mut();
        if let Some(question) = watch.and_then(|watch| watch.tick(now, &self.hub)) {
            self.ask(question, Purpose::Poll, effects);
        }
    }

    pub(super) fn polled(
        &mut self,
        result: Result<ReadDone, StoreError>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(watch) = &mut self.watch else {
            return;
        };
        let Ok(ReadDone {
            content: DoneContent::Heads(heads),
            ..
        }) = result
        else {
            return watch.give_up();
        };
        for (thread_id, revision) in heads {
            watch.hint(&thread_id, Some(revision));
        }
        if let Some(question) = watch.next_question() {
            self.ask(question, Purpose::Poll, effects);
        }
    }
}
