//! What was read, and how its reader goes on.

use rejoinder_protocol::{ClientFrameType, ErrorCode, Live, ServerFrame, ThreadId, encode};

use super::{Gateway, Purpose};
use crate::core::input::{DoneContent, PageDone};
use crate::core::session::Pumped;
use crate::core::session::requests::thread_reference;
use crate::core::{
    Arrival, Effect, Fallen, Lane, Measure, Now, Origin, ReadDone, ReadId, SessionKey,
};
use crate::store::{Command, Read, StoreError, dev_pair};

impl Gateway {
    pub(super) fn ask(&mut self, question: Read, purpose: Purpose, effects: &mut Vec<Effect>) {
        self.last_read += 1;
        let read = ReadId(self.last_read);
        self.reads.insert(read, purpose);
        effects.push(Effect::Read { read, question });
    }

    /// Reads on for a session whose client has taken everything.
    pub(super) fn pump(&mut self, session: SessionKey, effects: &mut Vec<Effect>) {
        let Some(one) = self.sessions.get_mut(&session) else {
            return;
        };
        if one.is_closed() || !one.outbound.is_idle() {
            return;
        }
        let Some(user_id) = one.user_id().cloned() else {
            return;
        };
        if let Some((question, pumped)) = one.subscriptions.next_read(&user_id) {
            let purpose = Purpose::Pump(session, pumped, self.hub.stamp());
            self.ask(question, purpose, effects);
        }
    }

    pub(super) fn read_done(
        &mut self,
        now: Now,
        read: ReadId,
        result: Result<ReadDone, StoreError>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(purpose) = self.reads.remove(&read) else {
            return;
        };
        if let Purpose::Reply(_, user_id, _) = &purpose {
            self.rates.answered(user_id);
        }
        if let Ok(done) = &result
            && !self.is_my_epoch(now, &done.epoch, effects)
        {
            return;
        }
        match purpose {
            Purpose::Look(thread_id) => self.looked(now, &thread_id, result),
            Purpose::Poll => self.polled(result, effects),
            Purpose::Reply(session, _, reference) => {
                let Some((one, _)) = self.touch(session) else {
                    return;
                };
                one.questions = one.questions.saturating_sub(1);
                let code = match result {
                    Ok(ReadDone {
                        text: Some(text),
                        cost,
                        ..
                    }) => {
                        one.measures.extend(cost);
                        return one.push(now.monotonic, Lane::Reply, text);
                    }
                    Ok(done) => match done.content {
                        DoneContent::NotFound => ErrorCode::NotFound,
                        DoneContent::Heads(_)
                        | DoneContent::Invalid
                        | DoneContent::Overview { .. }
                        | DoneContent::Page(_)
                        | DoneContent::Plain => ErrorCode::Invalid,
                    },
                    Err(_) => ErrorCode::Busy,
                };
                one.refuse(now.monotonic, Some(reference), code);
            }
            Purpose::Pump(session, pumped, stamp) => {
                let Some((one, _)) = self.touch(session) else {
                    return;
                };
                if one.subscriptions.answered(&pumped) {
                    self.pumped(now, session, pumped, stamp, result);
                }
            }
        }
    }

    fn pumped(
        &mut self,
        now: Now,
        session: SessionKey,
        pumped: Pumped,
        stamp: u64,
        result: Result<ReadDone, StoreError>,
    ) {
        let Some(one) = self.sessions.get_mut(&session) else {
            return;
        };
        match (pumped, result) {
            (Pumped::Summary { .. }, Ok(done)) => {
                // Whoever was removed meanwhile is owed nothing.
                if let Some(text) = done.text {
                    one.push(now.monotonic, Lane::Control, text);
                }
            }
            (Pumped::Summary { thread_id }, Err(_)) => {
                one.subscriptions
                    .owe_summary_later(now.monotonic, thread_id);
            }
            (Pumped::Page { thread_id, .. }, Err(_)) => {
                one.subscriptions.rest(now.monotonic, &thread_id);
            }
            (Pumped::Page { thread_id, .. }, Ok(done)) => match done.content {
                DoneContent::Page(page) => {
                    if let Some(text) = done.text
                        && !page.empty
                    {
                        one.measures.extend(done.cost);
                        one.push(now.monotonic, Lane::Control, text);
                    }
                    self.page_pumped(now, session, &thread_id, &page, stamp);
                }
                DoneContent::Heads(_)
                | DoneContent::Invalid
                | DoneContent::NotFound
                | DoneContent::Overview { .. }
                | DoneContent::Plain => {
                    self.subscription_refused(now, session, &thread_id, stamp);
                }
            },
        }
    }

    fn page_pumped(
        &mut self,
        now: Now,
        session: SessionKey,
        thread_id: &ThreadId,
        page: &PageDone,
        stamp: u64,
    ) {
        let Some(one) = self.sessions.get_mut(&session) else {
            return;
        };
        let cursor = page.to_revision;
        one.subscriptions
            .moved(thread_id, &self.config.epoch, cursor);
        if page.more {
            return one.subscriptions.again(thread_id);
        }
        self.participants(now, thread_id, page.head_revision, &page.participants);
        let arrival = self
            .hub
            .arrive(thread_id, session, cursor, page.head_revision, stamp);
        let Some(one) = self.sessions.get_mut(&session) else {
            return;
        };
        match arrival {
            Arrival::Behind => one.subscriptions.again(thread_id),
            Arrival::Live => self.went_live(now, session, thread_id, cursor),
            Arrival::Parked => one.subscriptions.rest(now.monotonic, thread_id),
        }
    }

    /// Tells a client that it has caught up, and who else is there.
    pub(super) fn went_live(
        &mut self,
        now: Now,
        session: SessionKey,
        thread_id: &ThreadId,
        revision: rejoinder_protocol::Revision,
    ) {
        self.touched.insert(session);
        let Some(one) = self.sessions.get_mut(&session) else {
            return;
        };
        one.subscriptions.told(thread_id);
        let live = ServerFrame::Live(Live {
            thread_id: thread_id.clone(),
            revision,
        });
        one.push(now.monotonic, Lane::Control, encode(&live).into());
        let user_id = one.user_id().cloned();
        let everybody: Vec<_> = self.hub.participants_of(thread_id).cloned().collect();
        for other in everybody {
            if Some(&other) != user_id.as_ref() {
                let frame = ServerFrame::Presence(self.presence_to_tell(&other));
                self.tell(now, [session], Lane::Control, &frame);
            }
        }
    }

    fn subscription_refused(
        &mut self,
        now: Now,
        session: SessionKey,
        thread_id: &ThreadId,
        stamp: u64,
    ) {
        let Some(one) = self.sessions.get_mut(&session) else {
            return;
        };
        // Somebody has let the user in since it was read: the next read knows it.
        let is_stale = |user| self.hub.takes_part_since(thread_id, user, stamp);
        #[cfg(feature = "mutants")]
        let is_stale = |user| is_stale(user) && !rejoinder_mutants::planted!(StaleRefusalBelieved);
        if one.user_id().is_some_and(is_stale) {
            return one.subscriptions.again(thread_id);
        }
        if self.config.dev_pairs
            && let Some(pair) = dev_pair(thread_id)
            && one.user_id().is_some_and(|user_id| pair.contains(user_id))
            && one.subscriptions.make_once(thread_id)
        {
            let origin = Origin::Subscription(session, thread_id.clone());
            let create = Command::Create {
                thread_id: thread_id.clone(),
                participants: pair,
            };
            if self.committer.push(origin, create).is_ok() {
                return;
            }
        }
        if one.subscriptions.was_admitted(thread_id) {
            // Somebody removed the user, and may have let them in again since: then they are shown
            // the thread anew.
            one.subscriptions.owe_summary(thread_id);
            return self.removed_elsewhere(now, session, thread_id);
        }
        one.subscriptions.end(thread_id);
        self.hub.unsubscribe(thread_id, session);
        let reference = thread_reference(ClientFrameType::Subscribe, thread_id.clone());
        let code = ErrorCode::NotFound;
        one.measures.push(Measure::Refused { code });
        let error = ServerFrame::Error(rejoinder_protocol::ErrorFrame {
            reference: Some(reference),
            code,
            retry_after_ms: None,
        });
        one.push(now.monotonic, Lane::Control, encode(&error).into());
    }

    /// Lets subscribers read again from where they were told last.
    pub(super) fn fall_back(&mut self, thread_id: &ThreadId, fallen: Vec<Fallen>) {
        for Fallen { session, told } in fallen {
            self.touched.insert(session);
            let Some(one) = self.sessions.get_mut(&session) else {
                continue;
            };
            if let Some(told) = told {
                one.subscriptions.moved(thread_id, &self.config.epoch, told);
            }
            one.subscriptions.again(thread_id);
        }
    }
}
