//! What becomes of the requests of a connection without a socket.

use rejoinder_protocol::{ClientFrame, ErrorCode, decode_server_frame};

use super::Engine;
use super::effect::Effect;
use super::input::Attempt;
use super::notice::Reason;
use super::thread::Older;

impl Engine {
    /// What was asked by a request is answered, before or after what the stream says of it.
    pub(super) fn handle_answer(
        &mut self,
        attempt: Attempt,
        text: &str,
        effects: &mut Vec<Effect>,
    ) {
        if !self.connection.is_current(attempt) {
            return;
        }
        let Ok(frame) = decode_server_frame(text) else {
            return self.give_up(Reason::NotAGateway, effects);
        };
        if self.connection.live().is_some() {
            self.handle_frame(attempt, frame, effects);
        }
    }

    /// Something on the way may refuse one text for ever, and let all others pass: only its frame
    /// waits, as if the gateway were busy.
    pub(super) fn handle_refused(
        &mut self,
        attempt: Attempt,
        frame: &ClientFrame,
        retry_after_ms: Option<u64>,
        effects: &mut Vec<Effect>,
    ) {
        if !self.connection.is_current(attempt) {
            return;
        }
        #[cfg(feature = "mutants")]
        if rejoinder_mutants::planted!(RefusalEndsStream) {
            return self.give_up(Reason::Unreachable, effects);
        }
        match frame {
            ClientFrame::Send(send) => {
                self.refused(send.client_msg_id, ErrorCode::Busy, retry_after_ms, effects);
            }
            ClientFrame::History(request) => {
                if let Some(thread) = self.threads.get_mut(&request.thread_id) {
                    thread.older = Older::Idle;
                    thread.touch();
                }
            }
            ClientFrame::Inbox(_) => self.inbox_refused(ErrorCode::Busy, retry_after_ms),
            // A `cancel` is said again when its time is over; nothing is lost with `typing`.
            ClientFrame::Auth(_)
            | ClientFrame::Cancel(_)
            | ClientFrame::Hello(_)
            | ClientFrame::Ping
            | ClientFrame::Pong
            | ClientFrame::Subscribe(_)
            | ClientFrame::Sync(_)
            | ClientFrame::Typing(_)
            | ClientFrame::Unsubscribe(_) => {}
        }
    }

    /// Perhaps nothing reaches the gateway any more; perhaps only this did not.
    pub(super) fn handle_unanswered(
        &mut self,
        attempt: Attempt,
        frame: &ClientFrame,
        effects: &mut Vec<Effect>,
    ) {
        self.handle_refused(attempt, frame, None, effects);
        let is_passing = matches!(frame, ClientFrame::Typing(_));
        if self.connection.is_current(attempt) && !is_passing {
            self.probe(effects);
        }
    }
}
