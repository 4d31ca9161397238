//! The way of a message out: queued, stored, sent, acknowledged, confirmed; or refused, retried,
//! taken back.

use rejoinder_protocol::{
    Ack, Attachment, ClientFrame, ClientMsgId, ErrorCode, SEND_BYTES_MAX, Send, ThreadId,
    check_content, encode,
};

use super::Engine;
use super::config::{ACK_TIMEOUT_MS, OUTBOX_ENTRIES_MAX, STORAGE_TIMEOUT_MS};
use super::effect::Effect;
use super::notice::{DiscardOutcome, Durability, Notice, Reason, SendRefusal, SendResult};
use super::outbox::{Entry, Flight, Next, Saved};
use super::stored::{EntryRecord, Write};
use super::storing::PendingWrite;

/// `bad_json` and `unknown_type` are believed after so many times.
const STRANGE_ERRORS_MAX: u8 = 3;

impl Engine {
    pub(super) fn send(
        &mut self,
        thread_id: ThreadId,
        client_msg_id: ClientMsgId,
        body: String,
        attachments: Vec<Attachment>,
        effects: &mut Vec<Effect>,
    ) {
        let send = Send {
            thread_id,
            client_msg_id,
            body,
            attachments,
        };
        if let Err(code) = self.check_send(&send) {
            let result = SendResult::Refused { code };
            effects.push(Effect::Notify(Notice::Settled {
                client_msg_id,
                result,
            }));
            return;
        }
        let Send {
            thread_id,
            client_msg_id,
            body,
            attachments,
        } = send;
        let record = EntryRecord {
            thread_id: thread_id.clone(),
            client_msg_id,
            body,
            attachments,
            created_at: self.clock.now.wall,
            // One strict commit instead of two: it will be sent as soon as it is stored.
            attempted: self.connection.live().is_some(),
            failed: None,
            cancel_wanted: false,
        };
        let deadline = self.clock.now.monotonic.after(STORAGE_TIMEOUT_MS);
        let saved = if self.storage.is_on() {
            Saved::Writing { deadline }
        } else {
            Saved::Memory
        };
        self.outbox.push(Entry::new(record.clone(), saved));
        self.ensure_thread(&thread_id, effects);
        if let Some(thread) = self.threads.get_mut(&thread_id) {
            thread.own_typing = None;
            thread.touch_list();
        }
        if self.storage.is_on() {
            let pending = PendingWrite::Enqueue(client_msg_id);
            let seen = self.outbox.seen();
            self.persist(
                pending,
                Write::Enqueue {
                    entry: record,
                    seen,
                },
                effects,
            );
        } else {
            self.settle(client_msg_id, Durability::Memory, effects);
        }
    }

    fn check_send(&self, send: &Send) -> Result<(), SendRefusal> {
        check_content(&send.body, &send.attachments).map_err(|error| {
            if error.code() == ErrorCode::TooLarge {
                SendRefusal::TooLarge
            } else {
                SendRefusal::Invalid
            }
        })?;
        let limit = self.connection.live().map_or(SEND_BYTES_MAX, |live| {
            live.limits.send_bytes_max.min(SEND_BYTES_MAX)
        });
        let body_max = self
            .connection
            .live()
            .map_or(usize::MAX, |live| live.limits.body_bytes_max);
        if encode(&ClientFrame::Send(send.clone())).len() > limit || send.body.len() > body_max {
            return Err(SendRefusal::TooLarge);
        }
        if self.outbox.len() >= OUTBOX_ENTRIES_MAX {
            return Err(SendRefusal::OutboxFull);
        }
        let log = self
            .threads
            .get(&send.thread_id)
            .and_then(|thread| thread.log.as_ref());
        let is_confirmed = log.is_some_and(|log| log.holds_own(send.client_msg_id));
        if is_confirmed || self.outbox.get(send.client_msg_id).is_some() {
            return Err(SendRefusal::IdConflict);
        }
        Ok(())
    }

    /// Answers `sendMessage`, once.
    pub(super) fn settle(
        &mut self,
        client_msg_id: ClientMsgId,
        durability: Durability,
        effects: &mut Vec<Effect>,
    ) {
        let Some(entry) = self.outbox.get_mut(client_msg_id) else {
            return;
        };
        if !std::mem::replace(&mut entry.is_settled, true) {
            let result = SendResult::Taken { durability };
            effects.push(Effect::Notify(Notice::Settled {
                client_msg_id,
                result,
            }));
        }
    }

    /// Transmits, for every thread, what may leave now.
    pub(super) fn pump_outbox(&mut self, effects: &mut Vec<Effect>) {
        let Some(live) = self.connection.live() else {
            return;
        };
        if live.is_congested {
            return;
        }
        let now = self.clock.now.monotonic;
        self.pump_cancels(effects);
        for thread_id in self.outbox.thread_ids() {
            match self.outbox.next(&thread_id, now, self.config.skip_failed) {
                Some(Next::Transmit(client_msg_id)) => self.transmit_entry(client_msg_id, effects),
                // Storage works no more: what it holds leaves without its help.
                Some(Next::Mark(client_msg_id)) if !self.storage.is_on() => {
                    self.transmit_entry(client_msg_id, effects);
                }
                Some(Next::Mark(client_msg_id)) => {
                    if let Some(entry) = self.outbox.get_mut(client_msg_id) {
                        entry.flight = Flight::Marking;
                    }
                    let pending = PendingWrite::Mark(client_msg_id);
                    let seen = self.outbox.seen();
                    self.persist(
                        pending,
                        Write::MarkAttempted {
                            client_msg_id,
                            seen,
                        },
                        effects,
                    );
                }
                None => {}
            }
        }
    }

    fn transmit_entry(&mut self, client_msg_id: ClientMsgId, effects: &mut Vec<Effect>) {
        let now = self.clock.now.monotonic;
        let Some(entry) = self.outbox.get_mut(client_msg_id) else {
            return;
        };
        #[cfg(feature = "mutants")]
        if entry.record.attempted && rejoinder_mutants::planted!(ResendNewKey) {
            let key = entry.record.client_msg_id.to_string();
            entry.record.client_msg_id = key
                .replace("7000-8", "7000-9")
                .parse()
                .unwrap_or(client_msg_id);
        }
        entry.flight = Flight::Sent { at: now };
        entry.record.attempted = true;
        let frame = ClientFrame::Send(Send {
            thread_id: entry.record.thread_id.clone(),
            client_msg_id: entry.record.client_msg_id,
            body: entry.record.body.clone(),
            attachments: entry.record.attachments.clone(),
        });
        self.transmit(frame, effects);
        #[cfg(feature = "mutants")]
        if rejoinder_mutants::planted!(RowDeletedAtSend) {
            self.delete_entries(vec![client_msg_id], effects);
        }
    }

    pub(super) fn acknowledge(&mut self, ack: Ack, effects: &mut Vec<Effect>) {
        let client_msg_id = ack.client_msg_id;
        let thread_id = ack.thread_id.clone();
        let Some(entry) = self.outbox.get_mut(client_msg_id) else {
            return;
        };
        let was_cancelling = std::mem::take(&mut entry.record.cancel_wanted);
        entry.flight = Flight::Acked;
        entry.record.failed = None;
        let place = ack.sequence_number;
        entry.ack = Some(ack);
        #[cfg(feature = "mutants")]
        if rejoinder_mutants::planted!(RowDroppedAtAck) {
            self.outbox.remove(client_msg_id);
            self.delete_entries(vec![client_msg_id], effects);
            return self.touch_list(&thread_id);
        }
        self.outbox.unpause(&thread_id);
        if was_cancelling {
            let outcome = DiscardOutcome::Sent;
            effects.push(Effect::Notify(Notice::Discarded {
                client_msg_id,
                outcome,
            }));
        }
        // Held already, or below what a reset left: its change will not come again.
        let thread = self.threads.get(&thread_id);
        let is_over = thread
            .and_then(|thread| thread.log.as_ref())
            .is_some_and(|log| {
                log.cursor.is_some() && (log.holds_own(client_msg_id) || place < log.oldest)
            });
        let is_removed = thread.is_some_and(|thread| thread.is_removed());
        if is_over || is_removed {
            self.confirm_entry(client_msg_id, effects);
            self.delete_entries(vec![client_msg_id], effects);
        }
        self.touch_pending(&thread_id);
    }

    /// The message is part of the log now: the optimistic one goes.
    pub(super) fn confirm_entry(&mut self, client_msg_id: ClientMsgId, effects: &mut Vec<Effect>) {
        // A confirmed message is as safe as can be.
        self.settle(client_msg_id, Durability::Disk, effects);
        let Some(entry) = self.outbox.remove(client_msg_id) else {
            return;
        };
        if entry.record.cancel_wanted {
            let outcome = DiscardOutcome::Sent;
            effects.push(Effect::Notify(Notice::Discarded {
                client_msg_id,
                outcome,
            }));
        }
        self.touch_list(&entry.record.thread_id);
    }

    /// The gateway refused a message, for good or for now.
    pub(super) fn refused(
        &mut self,
        client_msg_id: ClientMsgId,
        code: ErrorCode,
        retry_after_ms: Option<u64>,
        effects: &mut Vec<Effect>,
    ) {
        let now = self.clock.now.monotonic;
        let Some(entry) = self.outbox.get_mut(client_msg_id) else {
            return;
        };
        let thread_id = entry.record.thread_id.clone();
        if entry.flight == Flight::Acked {
            return;
        }
        // Only a discard voids a key, so somebody discarded it.
        if code == ErrorCode::Gone {
            self.cancelled(client_msg_id, effects);
            return;
        }
        if matches!(code, ErrorCode::BadJson | ErrorCode::UnknownType) {
            entry.strange_errors += 1;
        }
        entry.flight = Flight::Waiting;
        let is_final = code.is_permanent() || entry.strange_errors >= STRANGE_ERRORS_MAX;
        #[cfg(feature = "mutants")]
        let is_final = is_final || rejoinder_mutants::planted!(BusyIsPermanent);
        if is_final {
            entry.record.failed = Some(code);
            let write = Write::SetFailed {
                client_msg_id,
                code: Some(code),
            };
            self.persist(PendingWrite::Other, write, effects);
        } else {
            self.outbox.pause(&thread_id, now, retry_after_ms);
        }
        self.touch_pending(&thread_id);
    }

    pub(super) fn retry(&mut self, client_msg_id: ClientMsgId, effects: &mut Vec<Effect>) {
        let Some(entry) = self.outbox.get_mut(client_msg_id) else {
            return;
        };
        if entry.record.failed.take().is_none() {
            return;
        }
        entry.strange_errors = 0;
        let thread_id = entry.record.thread_id.clone();
        self.outbox.unpause(&thread_id);
        let write = Write::SetFailed {
            client_msg_id,
            code: None,
        };
        self.persist(PendingWrite::Other, write, effects);
        self.touch_pending(&thread_id);
    }

    /// The probe was answered: what went before it without an answer was lost, and goes again.
    pub(super) fn requeue_suspects(&mut self) {
        for entry in self.outbox.iter_mut() {
            if matches!(entry.flight, Flight::Suspect { .. }) {
                entry.flight = Flight::Waiting;
            }
        }
    }

    pub(super) fn check_outbox(&mut self, effects: &mut Vec<Effect>) {
        let now = self.clock.now.monotonic;
        let mut late = Vec::new();
        let mut is_silent = false;
        let mut is_dead = false;
        for entry in self.outbox.iter_mut() {
            if matches!(entry.saved, Saved::Writing { deadline } if deadline <= now) {
                entry.saved = Saved::Late;
                late.push((entry.record.client_msg_id, entry.record.thread_id.clone()));
            }
            if matches!(entry.flight, Flight::Sent { at } if at.after(ACK_TIMEOUT_MS) <= now) {
                entry.flight = Flight::Suspect { at: now };
                is_silent = true;
            }
            is_dead |=
                matches!(entry.flight, Flight::Suspect { at } if at.after(ACK_TIMEOUT_MS) <= now);
            if entry
                .cancel_sent_at
                .is_some_and(|at| at.after(ACK_TIMEOUT_MS) <= now)
            {
                entry.cancel_sent_at = None;
                is_silent = true;
            }
        }
        for (client_msg_id, thread_id) in late {
            self.settle(client_msg_id, Durability::Memory, effects);
            self.touch_pending(&thread_id);
        }
        if is_dead {
            // It talks, but does not answer what it was asked.
            self.give_up(Reason::Silent, effects);
        } else if is_silent {
            self.probe(effects);
        }
    }

    /// A pending message of the thread changed, but not which ones there are.
    pub(super) fn touch_pending(&mut self, thread_id: &ThreadId) {
        if let Some(thread) = self.threads.get_mut(thread_id) {
            thread.touch();
        }
    }

    pub(super) fn touch_list(&mut self, thread_id: &ThreadId) {
        if let Some(thread) = self.threads.get_mut(thread_id) {
            thread.touch_list();
        }
    }
}
