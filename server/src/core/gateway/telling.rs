//! What a committed change means for those who watch.

use std::collections::BTreeSet;
use std::sync::Arc;

use rejoinder_protocol::{
    CloseCode, Removed, Revision, ServerFrame, ThreadId, ThreadSummary, UserId, encode,
};

use super::Gateway;
use crate::core::{Lane, Measure, Millis, Now, SessionKey};
use crate::store::{Publication, SummaryChange};

impl Gateway {
    /// Tells a thread's changes to its subscribers, and its new look to its participants.
    ///
    /// `from` is the session that caused it, whose user knows how the thread looks, and when.
    pub(super) fn publish(
        &mut self,
        now: Now,
        from: Option<(SessionKey, Millis)>,
        what: &Publication,
    ) {
        let (from, since) = from.unzip();
        let mut is_old = false;
        if let (Some(watch), Some(first)) = (&mut self.watch, what.changes.first()) {
            is_old = watch.is_old(&what.thread_id, what.head());
            watch.published(&what.thread_id, first.revision, what.head());
        }
        // A commit whose outcome came late: who takes part since is known already.
        if !is_old {
            self.remove(now, &what.thread_id, &what.removed);
        }
        self.participants(now, &what.thread_id, what.head(), &what.participants);
        for change in &what.changes {
            let told = self.hub.publish(&what.thread_id, change.revision);
            self.fall_back(&what.thread_id, told.fallen);
            if !told.live.is_empty() {
                let text: Arc<str> = encode(&ServerFrame::Change(change.clone())).into();
                for session in told.live {
                    self.tell_change(now, session, &what.thread_id, change.revision, &text, since);
                }
            }
            for session in told.arrived {
                self.went_live(now, session, &what.thread_id, change.revision);
            }
        }
        if !is_old {
            self.tell_summary(now, from, what);
        }
    }

    /// Remembers who takes part in a thread. Whoever came is shown to those who watch it.
    pub(super) fn participants(
        &mut self,
        now: Now,
        thread_id: &ThreadId,
        at: Revision,
        participants: &[UserId],
    ) {
        for user_id in self.hub.participants(thread_id, at, participants) {
            let audience = self.hub.audience(thread_id, &user_id);
            let frame = ServerFrame::Presence(self.presence_to_tell(&user_id));
            self.tell(now, audience, Lane::Control, &frame);
        }
    }

    fn tell_change(
        &mut self,
        now: Now,
        session: SessionKey,
        thread_id: &ThreadId,
        revision: Revision,
        text: &Arc<str>,
        since: Option<Millis>,
    ) {
        self.touched.insert(session);
        let Some(one) = self.sessions.get_mut(&session) else {
            return;
        };
        if one.is_closed() {
            return;
        }
        if one
            .outbound
            .push_measured(now.monotonic, Lane::Change, Arc::clone(text), since)
            .is_ok()
        {
            one.subscriptions
                .moved(thread_id, &self.config.epoch, revision);
        } else {
            #[cfg(feature = "mutants")]
            if rejoinder_mutants::planted!(OverflowDropsSilently) {
                return;
            }
            one.measures.push(Measure::FellBack);
            // Nothing is lost: the cursor still stands before this change, and the session reads
            // on from there when its client has taken what waits.
            one.subscriptions.again(thread_id);
            self.hub.fell_back(thread_id, session);
        }
    }

    /// Ends the subscriptions of those who no longer take part, before they hear of anything else.
    pub(super) fn remove(&mut self, now: Now, thread_id: &ThreadId, removed: &[UserId]) {
        for user_id in removed {
            for session in self.hub.sessions_of(user_id) {
                self.removed_elsewhere(now, session, thread_id);
            }
        }
    }

    /// Ends what a session has of a thread, and says so.
    pub(super) fn removed_elsewhere(
        &mut self,
        now: Now,
        session: SessionKey,
        thread_id: &ThreadId,
    ) {
        self.hub.unsubscribe(thread_id, session);
        if let Some((one, _)) = self.touch(session) {
            one.subscriptions.end(thread_id);
            one.typing.remove(thread_id);
        }
        let frame = ServerFrame::Removed(Removed {
            thread_id: thread_id.clone(),
        });
        self.tell(now, [session], Lane::Control, &frame);
    }

    fn tell_summary(&mut self, now: Now, from: Option<SessionKey>, what: &Publication) {
        let mut sessions = self.sessions_of_all(&what.participants);
        sessions.retain(|session| Some(*session) != from);
        let text = match &what.summary {
            SummaryChange::Known(preview) if !sessions.is_empty() => {
                let summary = ThreadSummary {
                    thread_id: what.thread_id.clone(),
                    participants: what.participants.clone(),
                    revision: what.head(),
                    sequence_number: what.sequence_number,
                    preview: preview.clone(),
                };
                Some(Arc::<str>::from(encode(&ServerFrame::Thread(summary))))
            }
            SummaryChange::Known(_) | SummaryChange::Unknown => None,
        };
        self.show(now, sessions, &what.thread_id, text.as_ref());
    }

    /// Shows a thread's look to sessions; without a text, or where it finds no place, they read it.
    pub(super) fn show(
        &mut self,
        now: Now,
        sessions: impl IntoIterator<Item = SessionKey>,
        thread_id: &ThreadId,
        text: Option<&Arc<str>>,
    ) {
        for session in sessions {
            let Some((one, _)) = self.touch(session) else {
                continue;
            };
            if one.is_closed() {
                continue;
            }
            let full = text.is_none_or(|text| {
                let text = Arc::clone(text);
                one.outbound
                    .push(now.monotonic, Lane::Change, text)
                    .is_err()
            });
            if full && !one.subscriptions.owe_summary(thread_id) {
                one.close(now.monotonic, CloseCode::SlowConsumer, None);
            }
        }
    }

    /// Shows a thread's look to all who take part, read from the store.
    pub(super) fn owe_summaries(&mut self, now: Now, thread_id: &ThreadId, to: &[UserId]) {
        for session in self.sessions_of_all(to) {
            if let Some((one, _)) = self.touch(session)
                && !one.subscriptions.owe_summary(thread_id)
            {
                one.close(now.monotonic, CloseCode::SlowConsumer, None);
            }
        }
    }

    pub(super) fn sessions_of_all(&self, users: &[UserId]) -> BTreeSet<SessionKey> {
        let of = |user_id| self.hub.sessions_of(user_id);
        users.iter().flat_map(of).collect()
    }
}
