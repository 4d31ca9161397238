//! What a gateway's frames mean.

use rejoinder_protocol::{
    Ack, ClientFrame, ClientFrameType, ErrorFrame, ErrorRef, Removed, ServerFrame, TypingNotice,
    decode_server_frame,
};

use super::Engine;
use super::config::TYPING_LEASE_MS;
use super::effect::Effect;
use super::input::Attempt;
use super::notice::Reason;
use super::stored::Write;
use super::thread::Older;

impl Engine {
    pub(super) fn handle_text(&mut self, attempt: Attempt, text: &str, effects: &mut Vec<Effect>) {
        if self.successor_text(attempt, text, effects) || !self.connection.is_current(attempt) {
            return;
        }
        let Ok(frame) = decode_server_frame(text) else {
            self.give_up(Reason::NotAGateway, effects);
            return;
        };
        self.heard();
        // A greeting comes before we know whose connection this is; nothing else means anything
        // until then.
        let is_greeting = matches!(
            frame,
            ServerFrame::Goodbye(_) | ServerFrame::Ping | ServerFrame::Welcome(_)
        );
        if is_greeting || self.connection.live().is_some() {
            self.handle_frame(attempt, frame, effects);
        }
    }

    pub(super) fn handle_heard(&mut self, attempt: Attempt) {
        if self.connection.is_current(attempt) {
            self.heard();
            // Perhaps a part of a page whose whole takes long.
            self.catching_up_goes_on();
        }
    }

    pub(super) fn handle_frame(
        &mut self,
        attempt: Attempt,
        frame: ServerFrame,
        effects: &mut Vec<Effect>,
    ) {
        match frame {
            ServerFrame::Ack(ack) => self.handle_ack(ack, effects),
            ServerFrame::Cancelled(cancelled) => self.cancelled(cancelled.client_msg_id, effects),
            ServerFrame::Change(change) => self.handle_change(&change, effects),
            ServerFrame::Error(error) => self.handle_error(&error, effects),
            ServerFrame::Goodbye(goodbye) => self.handle_goodbye(goodbye),
            ServerFrame::History(page) => self.handle_history(&page, effects),
            ServerFrame::Inbox(page) => self.handle_inbox(page),
            ServerFrame::Live(live) => self.handle_live(&live),
            ServerFrame::Page(page) => self.handle_page(&page, effects),
            ServerFrame::Ping => {
                effects.push(Effect::Transmit {
                    attempt,
                    frame: ClientFrame::Pong,
                });
            }
            ServerFrame::Pong => self.requeue_suspects(),
            ServerFrame::Presence(notice) => {
                self.presence.apply(&notice);
                self.clear_typing_of_offline(&notice);
                self.threads
                    .values_mut()
                    .for_each(super::thread::ThreadState::touch);
            }
            ServerFrame::Removed(removed) => self.handle_removed(&removed, effects),
            ServerFrame::Reset(reset) => self.handle_reset(&reset, effects),
            ServerFrame::Thread(summary) => self.handle_summary(summary),
            ServerFrame::Typing(notice) => self.handle_typing(&notice),
            ServerFrame::Welcome(welcome) => self.handle_welcome(welcome, effects),
            ServerFrame::Authenticated(answer) => self.handle_authenticated(answer),
            ServerFrame::Unknown => {}
        }
    }

    fn handle_ack(&mut self, ack: Ack, effects: &mut Vec<Effect>) {
        let thread_id = ack.thread_id.clone();
        if let Some(thread) = self.threads.get_mut(&thread_id) {
            thread.told = thread.told.max(ack.revision);
        }
        self.acknowledge(ack, effects);
        self.hint_told(&thread_id);
    }

    fn handle_error(&mut self, error: &ErrorFrame, effects: &mut Vec<Effect>) {
        let Some(ErrorRef {
            frame_type,
            thread_id,
            client_msg_id,
        }) = &error.reference
        else {
            return;
        };
        match frame_type {
            ClientFrameType::Send => {
                if let Some(client_msg_id) = client_msg_id {
                    self.refused(*client_msg_id, error.code, error.retry_after_ms, effects);
                }
            }
            ClientFrameType::Subscribe | ClientFrameType::Sync => {
                if let Some(thread_id) = thread_id {
                    self.subscription_refused(thread_id, error);
                }
            }
            ClientFrameType::History => {
                let thread = thread_id.as_ref().and_then(|id| self.threads.get_mut(id));
                if let Some(thread) = thread {
                    thread.older = Older::Idle;
                    thread.touch();
                }
            }
            ClientFrameType::Cancel => {
                if let Some(client_msg_id) = client_msg_id {
                    self.cancel_refused(*client_msg_id, error.code, effects);
                }
            }
            ClientFrameType::Auth => self.token_unchecked(),
            ClientFrameType::Inbox => self.inbox_refused(error.code, error.retry_after_ms),
            ClientFrameType::Hello
            | ClientFrameType::Ping
            | ClientFrameType::Pong
            | ClientFrameType::Typing
            | ClientFrameType::Unknown
            | ClientFrameType::Unsubscribe => {}
        }
    }

    fn handle_removed(&mut self, removed: &Removed, effects: &mut Vec<Effect>) {
        let thread_id = &removed.thread_id;
        let acked: Vec<_> = self
            .outbox
            .of_thread(thread_id)
            .filter(|entry| entry.ack.is_some())
            .map(|entry| entry.record.client_msg_id)
            .collect();
        for client_msg_id in &acked {
            self.confirm_entry(*client_msg_id, effects);
        }
        self.forget_in_inbox(thread_id);
        if let Some(thread) = self.threads.get_mut(thread_id) {
            thread.removed(self.config.user_id.clone());
        }
        self.drop_discarded_elsewhere(thread_id);
        #[cfg(feature = "mutants")]
        if rejoinder_mutants::planted!(RemovedKeepsRows) {
            return;
        }
        let write = Write::RemoveThread {
            thread_id: thread_id.clone(),
            settled: acked,
        };
        self.persist_thread(thread_id, write, effects);
    }

    fn handle_typing(&mut self, notice: &TypingNotice) {
        if notice.user_id == self.config.user_id {
            return;
        }
        let until = self.clock.now.monotonic.after(TYPING_LEASE_MS);
        #[cfg(feature = "mutants")]
        let until = match rejoinder_mutants::planted!(TypingWithoutLease) {
            true => until.after(1_000_000_000),
            false => until,
        };
        let Some(thread) = self.threads.get_mut(&notice.thread_id) else {
            return;
        };
        let is_participant = thread
            .log
            .as_ref()
            .is_some_and(|log| log.participants.contains_key(&notice.user_id));
        if !is_participant {
            return;
        }
        if notice.is_typing {
            thread.typing.insert(notice.user_id.clone(), until);
        } else {
            thread.typing.remove(&notice.user_id);
        }
        thread.touch();
    }

    fn clear_typing_of_offline(&mut self, notice: &rejoinder_protocol::Presence) {
        if notice.state == rejoinder_protocol::PresenceState::Offline {
            for thread in self.threads.values_mut() {
                thread.typing.remove(&notice.user_id);
            }
        }
    }
}
