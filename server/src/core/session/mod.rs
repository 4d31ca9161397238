//! One client's connection: its handshake, its limits, and what waits for it.
//!
//! [`requests`] turns frames into steps, [`subscriptions`] is the pump. A session knows no other
//! session; what concerns others leaves it as a [`Step`].

pub(super) mod requests;
mod subscriptions;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rejoinder_protocol::{
    Ack, Authenticated, ClientFrameType, CloseCode, ErrorCode, ErrorFrame, ErrorRef, Goodbye,
    HELLO_TIMEOUT_MS, Heartbeat, IDLE_MS, Limits, PING_INTERVAL_MS, Resume, ServerFrame, ThreadId,
    Token, UnixMillis, UserId, Welcome, encode,
};

use super::config::{BUSY_RETRY_MS, DRAIN_MS, QUESTIONS_MAX, TOKEN_LEEWAY_MS};
use super::input::SessionName;
use super::{Batch, Config, Identity, Lane, Measure, Millis, Now, Outbound, Refusal};
use crate::store::{Command, Read};

pub(crate) use subscriptions::{Pumped, Subscriptions};

/// What a session asks of the gateway around it.
#[derive(Debug)]
pub(crate) enum Step {
    /// Answered by [`Session::verified`].
    Verify(Token),
    /// The user is known.
    Arrived(UserId),
    /// Holds the place of its reply.
    Command(Command),
    /// Whose question holds the place of its reply; the reference is for an error.
    Question(UserId, Read, ErrorRef),
    Subscribe(ThreadId),
    Unsubscribe(ThreadId),
    Typing(ThreadId, bool),
}

#[derive(Debug)]
enum Phase {
    Greeting { until: Millis },
    Verifying { until: Millis, resume: Vec<Resume> },
    Ready { expires_at: Option<Millis> },
    Closed(CloseCode),
}

/// By what a client came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// A request of one frame.
    Post,
    /// A socket: frames go both ways.
    Socket,
    /// A stream: frames go to the client only.
    Stream,
}

/// One client's connection.
#[derive(Debug)]
pub(crate) struct Session {
    kind: Kind,
    phase: Phase,
    name: Option<SessionName>,
    user_id: Option<UserId>,
    pub(crate) outbound: Outbound,
    pub(crate) subscriptions: Subscriptions,
    /// Threads in which the client said it is writing, until when that counts.
    pub(crate) typing: BTreeMap<ThreadId, Millis>,
    bad_json: VecDeque<Millis>,
    heard_at: Millis,
    ping_at: Millis,
    drain: Option<(Millis, u64)>,
    /// What the gateway has not handed on yet.
    pub(crate) measures: Vec<Measure>,
    /// Questions to the store that are not answered yet.
    pub(crate) questions: usize,
    /// Whether the gateway has been told to flush.
    pub(crate) signalled: bool,
    /// Whether the close was handed to the shell.
    close_taken: bool,
    /// Whether the gateway has taken this session out of its indexes.
    pub(crate) left: bool,
    /// The deadline that the gateway has noted for this session.
    pub(crate) noted: Option<Millis>,
}

impl Session {
    pub(crate) fn new(now: Millis, name: Option<SessionName>, kind: Kind) -> Self {
        Self {
            kind,
            phase: Phase::Greeting {
                until: now.after(HELLO_TIMEOUT_MS),
            },
            name,
            user_id: None,
            outbound: Outbound::new(now),
            subscriptions: Subscriptions::default(),
            typing: BTreeMap::new(),
            bad_json: VecDeque::new(),
            heard_at: now,
            ping_at: now.after(PING_INTERVAL_MS),
            drain: None,
            measures: Vec::new(),
            questions: 0,
            signalled: false,
            close_taken: false,
            left: false,
            noted: None,
        }
    }

    /// Returns the user, once known.
    pub(crate) fn user_id(&self) -> Option<&UserId> {
        self.user_id.as_ref()
    }

    /// Returns why the gateway ended it; `None` if it did not.
    pub(crate) fn close_code(&self) -> Option<CloseCode> {
        match self.phase {
            Phase::Closed(code) => Some(code),
            Phase::Greeting { .. } | Phase::Verifying { .. } | Phase::Ready { .. } => None,
        }
    }

    /// Returns whether its user is here because of it.
    pub(crate) fn is_counted(&self) -> bool {
        self.kind != Kind::Post
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed(_))
    }

    /// Returns whether the shell may read another frame.
    pub(crate) fn may_read(&self) -> bool {
        match self.phase {
            Phase::Greeting { .. } => true,
            Phase::Ready { .. } => {
                let asks_little = self.questions < QUESTIONS_MAX;
                self.drain.is_none() && asks_little && self.outbound.may_read()
            }
            Phase::Verifying { .. } | Phase::Closed(_) => false,
        }
    }

    /// Takes the greeting of a stream, whose user is known already.
    pub(crate) fn greeted(
        &mut self,
        now: Now,
        config: &Config,
        identity: Identity,
        resume: Vec<Resume>,
        steps: &mut Vec<Step>,
    ) {
        if let Phase::Greeting { until } = self.phase {
            self.phase = Phase::Verifying { until, resume };
            self.verified(now, config, identity, steps);
        }
    }

    /// Takes the user of a request of one frame. Nobody is told that they are here.
    pub(crate) fn posted(&mut self, identity: Identity) {
        if let Phase::Greeting { .. } = self.phase {
            self.user_id = Some(identity.user_id);
            // It was looked at just now.
            self.phase = Phase::Ready { expires_at: None };
        }
    }

    /// Takes the answer to [`Step::Verify`]: the token is good.
    pub(crate) fn verified(
        &mut self,
        now: Now,
        config: &Config,
        identity: Identity,
        steps: &mut Vec<Step>,
    ) {
        if self.is_closed() {
            return;
        }
        let Identity {
            user_id,
            expires_at,
        } = identity;
        let is_other = |known: &UserId| *known != user_id;
        #[cfg(feature = "mutants")]
        let is_other =
            |known: &UserId| is_other(known) && !rejoinder_mutants::planted!(SessionChangesUser);
        if self.user_id.as_ref().is_some_and(is_other) {
            return self.close(now.monotonic, CloseCode::WrongUser, None);
        }
        let until = expires_at.map(|at| deadline(now, at));
        let ready = Phase::Ready { expires_at: until };
        match std::mem::replace(&mut self.phase, ready) {
            Phase::Ready { expires_at: before } => {
                // Two tokens may be verified at once, and the older one last: what the newer one
                // gave stays. No end is later than any end.
                let later = before.zip(until).map(|(before, until)| before.max(until));
                self.phase = Phase::Ready { expires_at: later };
                self.authenticated(now, expires_at);
            }
            Phase::Verifying { resume, .. } => {
                self.user_id = Some(user_id.clone());
                let identity = Identity {
                    user_id,
                    expires_at,
                };
                self.welcome(now, config, identity, steps);
                if !resume.is_empty() {
                    let threads = resume.len();
                    self.measures.push(Measure::Resumed { threads });
                }
                for Resume { thread_id, since } in resume {
                    self.subscribe(now.monotonic, thread_id, since, steps);
                }
            }
            // Nothing was asked.
            unasked @ (Phase::Greeting { .. } | Phase::Closed(_)) => self.phase = unasked,
        }
    }

    /// Takes the answer to [`Step::Verify`]: the token is not good, or nobody can say.
    pub(crate) fn not_verified(&mut self, now: Millis, refusal: Refusal, retry_after_ms: u64) {
        match refusal {
            Refusal::Expired => self.close(now, CloseCode::TokenExpired, None),
            Refusal::Invalid => self.close(now, CloseCode::TokenInvalid, None),
            Refusal::Unavailable if matches!(self.phase, Phase::Ready { .. }) => {
                // The token before it still counts; the client asks again.
                let reference = ErrorRef {
                    frame_type: ClientFrameType::Auth,
                    thread_id: None,
                    client_msg_id: None,
                };
                self.refuse(now, Some(reference), ErrorCode::Busy);
            }
            // Not a code that costs the token: it may be good.
            Refusal::Unavailable => self.close(now, CloseCode::Internal, Some(retry_after_ms)),
        }
    }

    fn authenticated(&mut self, now: Now, expires_at: Option<UnixMillis>) {
        // A token without an end is told as a day; the client comes with a newer one then.
        let day = now.wall.get().saturating_add(24 * 3600 * 1000);
        let expires_at = expires_at.or(UnixMillis::try_from(day).ok());
        let expires_at = expires_at.unwrap_or(now.wall);
        self.reply(
            now.monotonic,
            &ServerFrame::Authenticated(Authenticated { expires_at }),
        );
    }

    fn welcome(&mut self, now: Now, config: &Config, identity: Identity, steps: &mut Vec<Step>) {
        let user_id = identity.user_id;
        let Some(session_id) = self.name.clone() else {
            return self.close(now.monotonic, CloseCode::Internal, None);
        };
        let welcome = Welcome {
            user_id: user_id.clone(),
            session_id,
            epoch: config.epoch.clone(),
            server_time: now.wall,
            token_expires_at: identity.expires_at,
            heartbeat: Heartbeat {
                interval_ms: PING_INTERVAL_MS,
                idle_ms: IDLE_MS,
            },
            limits: Limits::default(),
        };
        self.reply(now.monotonic, &ServerFrame::Welcome(welcome));
        steps.push(Step::Arrived(user_id));
    }

    /// Answers a request.
    pub(crate) fn reply(&mut self, now: Millis, frame: &ServerFrame) {
        self.push(now, Lane::Reply, encode(frame).into());
    }

    /// Answers a message, and measures since when it waited.
    pub(crate) fn ack(&mut self, now: Millis, since: Millis, ack: Ack) {
        let text: Arc<str> = encode(&ServerFrame::Ack(ack)).into();
        if !self.is_closed() {
            // A reply has a place: its request reserved it.
            let _ = self
                .outbound
                .push_measured(now, Lane::Reply, text, Some(since));
        }
    }

    /// Answers a request with an error.
    pub(crate) fn refuse(&mut self, now: Millis, reference: Option<ErrorRef>, code: ErrorCode) {
        let passing = matches!(code, ErrorCode::Busy | ErrorCode::Internal);
        let retry_after_ms = passing.then_some(BUSY_RETRY_MS);
        self.refuse_until(now, reference, code, retry_after_ms);
    }

    fn refuse_until(
        &mut self,
        now: Millis,
        reference: Option<ErrorRef>,
        code: ErrorCode,
        retry_after_ms: Option<u64>,
    ) {
        self.measures.push(Measure::Refused { code });
        let error = ErrorFrame {
            reference,
            code,
            retry_after_ms,
        };
        self.reply(now, &ServerFrame::Error(error));
    }

    /// Queues a frame that may not be lost; a client for which no place is left is closed.
    pub(crate) fn push(&mut self, now: Millis, lane: Lane, frame: Arc<str>) {
        if !self.is_closed() && self.outbound.push(now, lane, frame).is_err() {
            self.close(now, CloseCode::SlowConsumer, None);
        }
    }

    /// Ends the session; `goodbye` is the last thing the client hears.
    pub(crate) fn close(&mut self, now: Millis, code: CloseCode, retry_after_ms: Option<u64>) {
        if self.is_closed() {
            return;
        }
        if code == CloseCode::SlowConsumer {
            self.outbound.clear();
        }
        let goodbye = ServerFrame::Goodbye(Goodbye {
            code: code.number(),
            retry_after_ms,
        });
        let text: Arc<str> = encode(&goodbye).into();
        if self
            .outbound
            .push(now, Lane::Control, Arc::clone(&text))
            .is_err()
        {
            self.outbound.clear();
            // An empty queue has a place.
            let _ = self.outbound.push(now, Lane::Control, text);
        }
        self.phase = Phase::Closed(code);
    }

    /// Lets what is under way come to its end, then closes.
    pub(crate) fn drain(&mut self, now: Millis, retry_after_ms: u64) {
        if self.drain.is_none() {
            self.drain = Some((now.after(DRAIN_MS), retry_after_ms));
        }
        self.drained(now);
    }

    /// Closes if it drains and everything is answered, or it takes too long.
    pub(crate) fn drained(&mut self, now: Millis) {
        if let Some((until, retry_after_ms)) = self.drain
            && (self.outbound.all_answered() || until <= now)
        {
            self.close(now, CloseCode::Draining, Some(retry_after_ms));
        }
    }

    /// Takes what to write next; `None` when there is nothing for now.
    pub(crate) fn take(&mut self, now: Millis) -> Option<Batch> {
        self.measures.extend(self.outbound.written(now));
        let frames = self.outbound.take(now);
        let mut close = None;
        if let Phase::Closed(code) = self.phase
            && !self.outbound.has_frames()
            && !self.close_taken
        {
            self.close_taken = true;
            close = Some(code);
        }
        (!frames.is_empty() || close.is_some()).then_some(Batch { frames, close })
    }

    /// Returns when [`Self::tick`] has something to do.
    pub(crate) fn next_wakeup(&self) -> Option<Millis> {
        match self.phase {
            Phase::Closed(_) => None,
            Phase::Greeting { until } | Phase::Verifying { until, .. } => Some(until),
            Phase::Ready { expires_at } => [
                expires_at,
                (self.kind != Kind::Post).then_some(self.ping_at),
                self.idles_at(),
                self.outbound.stalls_at(),
                self.subscriptions.next_wakeup(),
                self.drain.map(|(until, _)| until),
            ]
            .into_iter()
            .flatten()
            .min(),
        }
    }

    /// When a silent client counts as gone. On a stream it is never heard; that it does not read shows
    /// when something is written.
    fn idles_at(&self) -> Option<Millis> {
        (self.kind == Kind::Socket).then(|| self.heard_at.after(IDLE_MS))
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Millis) {
        match self.phase {
            Phase::Closed(_) => return,
            Phase::Greeting { until } | Phase::Verifying { until, .. } => {
                if until <= now {
                    self.close(now, CloseCode::HelloTimeout, None);
                }
                return;
            }
            Phase::Ready { expires_at } => {
                if expires_at.is_some_and(|at| at <= now) {
                    return self.close(now, CloseCode::TokenExpired, None);
                }
            }
        }
        if self.outbound.stalls_at().is_some_and(|at| at <= now) {
            return self.close(now, CloseCode::SlowConsumer, None);
        }
        if self.idles_at().is_some_and(|at| at <= now) {
            return self.close(now, CloseCode::Idle, None);
        }
        if self.ping_at <= now && self.kind != Kind::Post {
            self.ping_at = now.after(PING_INTERVAL_MS);
            // Whoever is being sent something else needs no sign of life.
            if self.outbound.is_idle() {
                self.push(now, Lane::Control, encode(&ServerFrame::Ping).into());
            }
        }
        self.subscriptions.tick(now);
        self.drained(now);
    }
}

/// Returns when a token that expires at a wall time stops counting.
fn deadline(now: Now, expires_at: UnixMillis) -> Millis {
    #[cfg(feature = "mutants")]
    if rejoinder_mutants::planted!(TokenNeverExpires) {
        return now.monotonic.after(1_000_000_000);
    }
    let left = expires_at.get().saturating_add(TOKEN_LEEWAY_MS);
    now.monotonic.after(left.saturating_sub(now.wall.get()))
}
