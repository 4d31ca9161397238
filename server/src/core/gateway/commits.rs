//! Commands to the store, and what becomes of them.

use rejoinder_protocol::{
    Cancelled, ClientFrameType, CloseCode, Epoch, ErrorCode, ErrorRef, ServerFrame, ThreadId,
};

use super::Gateway;
use crate::core::config::UNSURE_MAX;
use crate::core::{BatchId, Effect, Measure, Millis, News, Now, Origin, SessionKey, Settled};
use crate::store::{Answer, Applied, Command, NewMessage, Outcome, StoreError};

impl Gateway {
    pub(super) fn command(&mut self, now: Now, session: SessionKey, command: Command) {
        let reference = reference(&command);
        if self
            .committer
            .push(Origin::Frame(session, now.monotonic), command)
            .is_err()
            && let Some((one, _)) = self.touch(session)
        {
            one.refuse(now.monotonic, Some(reference), ErrorCode::Busy);
        }
    }

    pub(super) fn committed(
        &mut self,
        now: Now,
        batch: BatchId,
        result: Result<Applied, StoreError>,
        effects: &mut Vec<Effect>,
    ) {
        let epoch = result.as_ref().ok().map(|applied| applied.epoch.clone());
        let Some(settled) = self.committer.settle(batch, result) else {
            return;
        };
        match settled {
            Settled::Known(outcomes) => {
                let is_mine = epoch.is_none_or(|epoch| self.is_my_epoch(now, &epoch, effects));
                for (origin, command, outcome) in outcomes {
                    if is_mine {
                        self.outcome(now, origin, &command, outcome, effects);
                    } else {
                        self.void(now, origin, &command, effects);
                    }
                }
            }
            Settled::Unknown(commands) => {
                for (origin, command) in commands {
                    self.look_again(command.thread_id());
                    let unknown = Outcome::refused(ErrorCode::Busy);
                    self.outcome(now, origin, &command, unknown, effects);
                }
            }
            Settled::Void(commands) => {
                for (origin, command) in commands {
                    self.void(now, origin, &command, effects);
                }
            }
        }
    }

    /// Answers a command that was asked in another history: it is to be asked again.
    fn void(&mut self, now: Now, origin: Origin, command: &Command, effects: &mut Vec<Effect>) {
        let refused = Outcome::refused(ErrorCode::Internal);
        self.outcome(now, origin, command, refused, effects);
    }

    /// Compares the epoch of an answer with the gateway's; on another, everybody must start over.
    pub(super) fn is_my_epoch(
        &mut self,
        now: Now,
        epoch: &Epoch,
        effects: &mut Vec<Effect>,
    ) -> bool {
        if *epoch == self.config.epoch {
            return true;
        }
        self.config.epoch = epoch.clone();
        // Answers that are on their way are of the old history.
        self.reads.clear();
        self.unsure.clear();
        if let Some(watch) = &mut self.watch {
            watch.begin_anew();
        }
        for session in self.sessions.keys().copied().collect::<Vec<_>>() {
            let retry_after_ms = self.come_back_ms();
            if let Some((one, _)) = self.touch(session) {
                one.outbound.clear();
                one.close(now.monotonic, CloseCode::Draining, Some(retry_after_ms));
            }
            self.leave(now, session);
        }
        for (origin, command) in self.committer.begin_anew() {
            self.void(now, origin, &command, effects);
        }
        // Nobody is subscribed any more; what the hub remembers belongs to the old history.
        false
    }

    /// Nobody knows how far a thread has come: whoever watches must look for themselves.
    fn look_again(&mut self, thread_id: &ThreadId) {
        #[cfg(feature = "mutants")]
        if rejoinder_mutants::planted!(UnknownFateForgotten) {
            return;
        }
        let fallen = self.hub.unknown(thread_id);
        self.fall_back(thread_id, fallen);
        if self.unsure.len() < UNSURE_MAX {
            self.unsure.insert(thread_id.clone());
        }
    }

    /// Answers the one who asked, then tells everybody else.
    fn outcome(
        &mut self,
        now: Now,
        origin: Origin,
        command: &Command,
        outcome: Outcome,
        effects: &mut Vec<Effect>,
    ) {
        if let Answer::Stored(ack) = &outcome.answer
            && ack.duplicate
        {
            self.measures.push(Measure::Duplicate);
            // The attempt that stored it may have died before it was published.
            let fallen = self.hub.head_at_least(&ack.thread_id, ack.revision);
            self.fall_back(&ack.thread_id, fallen);
            if self.unsure.remove(&ack.thread_id) {
                self.owe_summaries(now, &ack.thread_id, &outcome.participants);
            }
        }
        let from = match origin {
            Origin::Frame(session, since) => {
                self.reply(now, session, since, command, outcome.answer);
                Some((session, since))
            }
            Origin::Request(request) => {
                let answer = outcome.answer;
                effects.push(Effect::Answer { request, answer });
                None
            }
            Origin::Subscription(session, thread_id) => {
                if let Some((one, _)) = self.touch(session) {
                    match outcome.answer {
                        Answer::Refused(code) if !code.is_permanent() => {
                            one.subscriptions.make_again(now.monotonic, &thread_id);
                        }
                        Answer::Cancelled
                        | Answer::Done
                        | Answer::Refused(_)
                        | Answer::Stored(_) => {
                            one.subscriptions.again(&thread_id);
                        }
                    }
                }
                None
            }
        };
        if let Some(publication) = outcome.publication {
            self.publish(now, from, &publication);
            self.tell_peers(|epoch| News::Changed {
                epoch: epoch.clone(),
                publication,
            });
        }
    }

    fn reply(
        &mut self,
        now: Now,
        session: SessionKey,
        since: Millis,
        command: &Command,
        answer: Answer,
    ) {
        let Some((one, _)) = self.touch(session) else {
            return;
        };
        match answer {
            Answer::Stored(ack) => one.ack(now.monotonic, since, ack),
            Answer::Cancelled => {
                if let Command::Cancel {
                    thread_id,
                    client_msg_id,
                    ..
                } = command
                {
                    let cancelled = Cancelled {
                        thread_id: thread_id.clone(),
                        client_msg_id: *client_msg_id,
                    };
                    one.reply(now.monotonic, &ServerFrame::Cancelled(cancelled));
                }
            }
            // No frame asks for what is answered so.
            Answer::Done => one.outbound.release(),
            Answer::Refused(code) => {
                one.refuse(now.monotonic, Some(reference(command)), code);
            }
        }
    }
}

fn reference(command: &Command) -> ErrorRef {
    let (frame_type, key) = match command {
        Command::Send(NewMessage { client_msg_id, .. }) => {
            (ClientFrameType::Send, Some(*client_msg_id))
        }
        Command::Cancel { client_msg_id, .. } => (ClientFrameType::Cancel, Some(*client_msg_id)),
        Command::Admit { .. }
        | Command::Create { .. }
        | Command::Edit { .. }
        | Command::Remove { .. }
        | Command::Tombstone { .. } => (ClientFrameType::Unknown, None),
    };
    ErrorRef {
        frame_type,
        thread_id: Some(command.thread_id().clone()),
        client_msg_id: key,
    }
}
