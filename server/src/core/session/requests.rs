//! From a frame to a reply, a command or a question.

use rejoinder_protocol::{
    Cancel, ClientFrame, ClientFrameType, CloseCode, DecodeError, DecodeErrorKind, ErrorCode,
    ErrorRef, HELLO_BYTES_MAX, Hello, HistoryRequest, InboxRequest, PROTOCOL_VERSION,
    RESUME_THREADS_MAX, SEND_BYTES_MAX, Send, ServerFrame, Since, Sync, TOKEN_BYTES_MAX, ThreadId,
    Token, Typing, UserId, check_content,
};

use super::{Kind, Phase, Session, Step};
use crate::core::config::{
    BAD_JSON_MAX, BAD_JSON_WINDOW_MS, BUSY_RETRY_MS, LIMITED_RETRY_MS, TYPING_LEASE_MS,
};
use crate::core::{Config, Ids, Millis, NotAsked, Now, Rates};
use crate::store::{Command, NewMessage, Read};

/// What a frame needs besides the session.
pub(crate) struct Surroundings<'a> {
    pub(crate) now: Now,
    pub(crate) config: &'a Config,
    pub(crate) ids: &'a mut Ids,
    pub(crate) rates: &'a mut Rates,
}

impl Session {
    /// Takes a frame of `bytes` length.
    pub(crate) fn frame(
        &mut self,
        around: Surroundings<'_>,
        bytes: usize,
        frame: Result<ClientFrame, DecodeError>,
        steps: &mut Vec<Step>,
    ) {
        let now = around.now.monotonic;
        self.heard_at = now;
        match &self.phase {
            Phase::Closed(_) => return,
            Phase::Greeting { until } => {
                let until = *until;
                return self.greeting(now, until, bytes, frame, steps);
            }
            // The shell reads nothing before the token is verified.
            Phase::Verifying { .. } => {
                return self.close(now, CloseCode::ProtocolError, None);
            }
            // The next tick would end it; after a pause of the process a frame may come before that.
            Phase::Ready { expires_at } if expires_at.is_some_and(|at| at <= now) => {
                return self.close(now, CloseCode::TokenExpired, None);
            }
            Phase::Ready { .. } => {}
        }
        // A request of one frame was counted when it came.
        if self.kind != Kind::Post
            && let Some(user_id) = &self.user_id
            && let rate = around.rates.of(now, around.config, user_id)
            && rate.requests.take(now).is_err()
        {
            let retry_after_ms = around.ids.spread_ms(LIMITED_RETRY_MS);
            return self.close(now, CloseCode::Limited, Some(retry_after_ms));
        }
        // Every frame holds a place for its reply; those without one give it back.
        if self.outbound.reserve().is_err() {
            return self.close(now, CloseCode::SlowConsumer, None);
        }
        match frame {
            Ok(frame) => self.request(around, bytes, frame, steps),
            Err(error) => self.unreadable(now, error),
        }
    }

    /// Reads the first frame. Nothing but a `hello` makes sense here.
    fn greeting(
        &mut self,
        now: Millis,
        until: Millis,
        bytes: usize,
        frame: Result<ClientFrame, DecodeError>,
        steps: &mut Vec<Step>,
    ) {
        let Ok(ClientFrame::Hello(hello)) = frame else {
            return self.close(now, CloseCode::ProtocolError, None);
        };
        let Hello {
            protocol_version,
            token,
            resume,
        } = hello;
        if protocol_version != PROTOCOL_VERSION {
            return self.close(now, CloseCode::UnsupportedVersion, None);
        }
        if token.secret().len() > TOKEN_BYTES_MAX {
            return self.close(now, CloseCode::TokenInvalid, None);
        }
        if bytes > HELLO_BYTES_MAX || resume.len() > RESUME_THREADS_MAX {
            return self.close(now, CloseCode::ProtocolError, None);
        }
        self.phase = Phase::Verifying { until, resume };
        steps.push(Step::Verify(token));
    }

    fn unreadable(&mut self, now: Millis, error: DecodeError) {
        let code = error.kind.code();
        self.refuse(now, error.reference, code);
        if error.kind != DecodeErrorKind::BadJson {
            return;
        }
        self.bad_json.push_back(now);
        self.bad_json
            .retain(|at| now.since(*at) < BAD_JSON_WINDOW_MS);
        if self.bad_json.len() >= BAD_JSON_MAX {
            self.close(now, CloseCode::ProtocolError, None);
        }
    }

    fn request(
        &mut self,
        around: Surroundings<'_>,
        bytes: usize,
        frame: ClientFrame,
        steps: &mut Vec<Step>,
    ) {
        let now = around.now.monotonic;
        let Some(user_id) = self.user_id.clone() else {
            return self.close(now, CloseCode::Internal, None);
        };
        if self.kind == Kind::Post && needs_connection(&frame) {
            let reference = ErrorRef {
                frame_type: frame.frame_type(),
                thread_id: None,
                client_msg_id: None,
            };
            return self.refuse(now, Some(reference), ErrorCode::Invalid);
        }
        match frame {
            ClientFrame::Hello(_) => self.close(now, CloseCode::ProtocolError, None),
            ClientFrame::Auth(auth) => self.auth(now, auth.token, steps),
            ClientFrame::Ping => self.reply(now, &ServerFrame::Pong),
            ClientFrame::Pong => self.outbound.release(),
            ClientFrame::Send(send) => self.send(around, bytes, user_id, send, steps),
            ClientFrame::Cancel(cancel) => self.cancel(around, user_id, cancel, steps),
            ClientFrame::Subscribe(subscribe) => {
                self.outbound.release();
                self.subscribe(now, subscribe.thread_id, subscribe.since, steps);
            }
            ClientFrame::Unsubscribe(unsubscribe) => {
                self.outbound.release();
                if self.typing.remove(&unsubscribe.thread_id).is_some() {
                    steps.push(Step::Typing(unsubscribe.thread_id.clone(), false));
                }
                if self.subscriptions.end(&unsubscribe.thread_id) {
                    steps.push(Step::Unsubscribe(unsubscribe.thread_id));
                }
            }
            ClientFrame::Typing(typing) => {
                self.typing(around, &user_id, typing, steps);
            }
            ClientFrame::History(request) => {
                let question = history(user_id.clone(), request);
                self.question(around, user_id, question, steps);
            }
            ClientFrame::Inbox(request) => {
                let question = inbox(user_id.clone(), request);
                self.question(around, user_id, question, steps);
            }
            ClientFrame::Sync(request) => {
                let question = sync(user_id.clone(), request);
                self.question(around, user_id, question, steps);
            }
        }
    }

    fn question(
        &mut self,
        around: Surroundings<'_>,
        user_id: UserId,
        (read, reference): (Read, ErrorRef),
        steps: &mut Vec<Step>,
    ) {
        let now = around.now.monotonic;
        let (code, retry_after_ms) = match around.rates.of(now, around.config, &user_id).ask(now) {
            Ok(()) => {
                self.questions += 1;
                return steps.push(Step::Question(user_id, read, reference));
            }
            Err(NotAsked::Busy) => (ErrorCode::Busy, BUSY_RETRY_MS),
            Err(NotAsked::Often(wait_ms)) => (ErrorCode::RateLimited, wait_ms),
        };
        self.refuse_until(now, Some(reference), code, Some(retry_after_ms));
    }

    fn auth(&mut self, now: Millis, token: Token, steps: &mut Vec<Step>) {
        if token.secret().len() > TOKEN_BYTES_MAX {
            return self.close(now, CloseCode::TokenInvalid, None);
        }
        steps.push(Step::Verify(token));
    }

    fn send(
        &mut self,
        around: Surroundings<'_>,
        bytes: usize,
        user_id: UserId,
        send: Send,
        steps: &mut Vec<Step>,
    ) {
        let now = around.now.monotonic;
        let reference = ErrorRef {
            frame_type: ClientFrameType::Send,
            thread_id: Some(send.thread_id.clone()),
            client_msg_id: Some(send.client_msg_id),
        };
        if bytes > SEND_BYTES_MAX {
            return self.refuse(now, Some(reference), ErrorCode::TooLarge);
        }
        if let Err(error) = check_content(&send.body, &send.attachments) {
            return self.refuse(now, Some(reference), error.code());
        }
        let rate = around.rates.of(now, around.config, &user_id);
        if let Err(wait_ms) = rate.messages.take(now) {
            let code = ErrorCode::RateLimited;
            return self.refuse_until(now, Some(reference), code, Some(wait_ms));
        }
        let Some(server_msg_id) = around.ids.server_msg_id(around.now.wall) else {
            return self.refuse(now, Some(reference), ErrorCode::Internal);
        };
        // A message ends the sender's typing on the other side by itself.
        self.typing.remove(&send.thread_id);
        steps.push(Step::Command(Command::Send(NewMessage {
            thread_id: send.thread_id,
            sender_id: user_id,
            client_msg_id: send.client_msg_id,
            server_msg_id,
            body: send.body,
            attachments: send.attachments,
            create_dev_pair: around.config.dev_pairs,
        })));
    }

    fn cancel(
        &mut self,
        around: Surroundings<'_>,
        sender_id: UserId,
        cancel: Cancel,
        steps: &mut Vec<Step>,
    ) {
        let now = around.now.monotonic;
        let rate = around.rates.of(now, around.config, &sender_id);
        if let Err(wait_ms) = rate.messages.take(now) {
            let reference = ErrorRef {
                frame_type: ClientFrameType::Cancel,
                thread_id: Some(cancel.thread_id),
                client_msg_id: Some(cancel.client_msg_id),
            };
            let code = ErrorCode::RateLimited;
            return self.refuse_until(now, Some(reference), code, Some(wait_ms));
        }
        steps.push(Step::Command(Command::Cancel {
            thread_id: cancel.thread_id,
            sender_id,
            client_msg_id: cancel.client_msg_id,
        }));
    }

    /// Begins a subscription. It is answered by the pump, which needs no reserved place.
    pub(super) fn subscribe(
        &mut self,
        now: Millis,
        thread_id: ThreadId,
        since: Since,
        steps: &mut Vec<Step>,
    ) {
        if self.subscriptions.begin(&thread_id, since) {
            steps.push(Step::Subscribe(thread_id));
        } else if self.outbound.reserve().is_ok() {
            let reference = thread_reference(ClientFrameType::Subscribe, thread_id);
            self.refuse(now, Some(reference), ErrorCode::Limit);
        } else {
            self.close(now, CloseCode::SlowConsumer, None);
        }
    }

    fn typing(
        &mut self,
        around: Surroundings<'_>,
        user_id: &UserId,
        typing: Typing,
        steps: &mut Vec<Step>,
    ) {
        let now = around.now.monotonic;
        let Typing {
            thread_id,
            is_typing,
        } = typing;
        let is_post = self.kind == Kind::Post;
        // Of a request nobody knows here what its user is subscribed to.
        if !is_post && !self.subscriptions.contains(&thread_id) {
            let reference = thread_reference(ClientFrameType::Typing, thread_id);
            return self.refuse(now, Some(reference), ErrorCode::NotFound);
        }
        self.outbound.release();
        // The end of typing is never dropped: it would show until the lease ends.
        let rate = around.rates.of(now, around.config, user_id);
        // Of a request nobody knows whether there is something to end.
        if (is_typing || is_post) && rate.typing.take(now).is_err() {
            return;
        }
        if is_post {
            return steps.push(Step::Typing(thread_id, is_typing));
        }
        if is_typing {
            let until = now.after(TYPING_LEASE_MS);
            self.typing.insert(thread_id.clone(), until);
        } else if self.typing.remove(&thread_id).is_none() {
            return;
        }
        steps.push(Step::Typing(thread_id, is_typing));
    }
}

/// Returns whether a frame means something only on a connection that stays.
fn needs_connection(frame: &ClientFrame) -> bool {
    match frame {
        ClientFrame::Auth(_)
        | ClientFrame::Hello(_)
        | ClientFrame::Pong
        | ClientFrame::Subscribe(_)
        | ClientFrame::Unsubscribe(_) => true,
        ClientFrame::Cancel(_)
        | ClientFrame::History(_)
        | ClientFrame::Inbox(_)
        | ClientFrame::Ping
        | ClientFrame::Send(_)
        | ClientFrame::Sync(_)
        | ClientFrame::Typing(_) => false,
    }
}

/// Returns a reference to a frame about a thread.
pub(crate) fn thread_reference(frame_type: ClientFrameType, thread_id: ThreadId) -> ErrorRef {
    ErrorRef {
        frame_type,
        thread_id: Some(thread_id),
        client_msg_id: None,
    }
}

fn history(user_id: UserId, request: HistoryRequest) -> (Read, ErrorRef) {
    let reference = thread_reference(ClientFrameType::History, request.thread_id.clone());
    let read = Read::History {
        reader: user_id.into(),
        thread_id: request.thread_id,
        before: request.before_sequence_number,
        limit: request.limit,
    };
    (read, reference)
}

fn inbox(user_id: UserId, request: InboxRequest) -> (Read, ErrorRef) {
    let reference = ErrorRef {
        frame_type: ClientFrameType::Inbox,
        thread_id: None,
        client_msg_id: None,
    };
    let read = Read::Inbox {
        user_id,
        limit: request.limit,
        before: request.before,
    };
    (read, reference)
}

fn sync(user_id: UserId, request: Sync) -> (Read, ErrorRef) {
    let reference = thread_reference(ClientFrameType::Sync, request.thread_id.clone());
    let read = Read::Page {
        user_id,
        thread_id: request.thread_id,
        since: request.since,
        to_revision: request.to_revision,
    };
    (read, reference)
}
