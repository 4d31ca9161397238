//! What goes over the connections.

use std::collections::BTreeMap;

use rejoinder_gateway::core::SessionKey;
use rejoinder_protocol::{
    ClientFrame, DecodeError, Epoch, ServerFrame, Since, ThreadId, UserId, decode_server_frame,
};

use crate::checks::{frames, tokens};
use crate::invariant::Invariant;
use crate::ledger::Sent;
use crate::truth::Key;
use crate::world::World;

/// A token still counts for so long after its end, in milliseconds.
const LEEWAY_MS: u64 = 30_000;
/// The gateway's shell looks at deadlines this often, in milliseconds.
const TICK_MS: u64 = 400;

/// What a session's client was told of a thread.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The last revision, if it was told any.
    pub(super) last: Option<u64>,
    /// Where its client asked to continue, and was not answered yet.
    pub(super) asked: Vec<Since>,
}

/// One connection, as seen from between.
#[derive(Debug)]
pub(super) struct Session {
    /// The gateway has welcomed it as this user.
    welcomed: Option<UserId>,
    /// It is a request of one frame.
    is_post: bool,
    /// Whose token it was given last.
    pub(super) user_id: Option<UserId>,
    /// When that was.
    pub(super) verified_at: u64,
    pub(super) epoch: Option<Epoch>,
    pub(super) threads: BTreeMap<ThreadId, Told>,
    /// When its token ends.
    pub(super) ends_at: Option<u64>,
}

/// Every connection, as seen from between.
#[derive(Debug, Default)]
pub struct Wire {
    pub(super) sessions: BTreeMap<SessionKey, Session>,
}

impl Wire {
    /// A connection begins.
    pub fn open(&mut self, session: SessionKey) {
        let one = Session {
            welcomed: None,
            is_post: false,
            user_id: None,
            verified_at: 0,
            epoch: None,
            threads: BTreeMap::new(),
            ends_at: None,
        };
        self.sessions.insert(session, one);
    }

    /// A request of one frame is answered to its user, in a history.
    pub fn posted(&mut self, session: SessionKey, epoch: Option<Epoch>) {
        if let Some(one) = self.sessions.get_mut(&session) {
            one.welcomed = one.user_id.clone();
            one.is_post = true;
            one.epoch = epoch;
        }
    }

    /// Returns the history that a connection was welcomed in.
    pub fn epoch_of(&self, session: SessionKey) -> Option<Epoch> {
        self.sessions.get(&session)?.epoch.clone()
    }

    /// A user's token was taken for a connection, until a moment.
    pub fn verified(
        &mut self,
        session: SessionKey,
        user_id: UserId,
        now: u64,
        ends_at: Option<u64>,
    ) {
        if let Some(one) = self.sessions.get_mut(&session) {
            one.user_id = Some(user_id);
            one.verified_at = now;
            one.ends_at = ends_at;
        }
    }
}

/// An engine sends a frame.
pub fn transmitted(world: &mut World, page: usize, link: Option<usize>, frame: &ClientFrame) {
    let user_id = world.pages[page].user_id.clone();
    let (key, thread_id) = match frame {
        ClientFrame::Send(send) => (send.client_msg_id, send.thread_id.clone()),
        ClientFrame::Cancel(cancel) => (cancel.client_msg_id, cancel.thread_id.clone()),
        ClientFrame::Auth(auth) => return tokens::given(world, page, auth),
        _ => return,
    };
    let calls = world.ledger.of_key(&user_id, key);
    let is_asked = calls.iter().any(|sent| sent.thread_id == thread_id);
    if !is_asked {
        let detail = format!("page {page} sends {key}, which {user_id} never sent");
        return world.fail(Invariant::NothingToStrangers, || detail);
    }
    let session = link.map(|link| world.links[link].session);
    // A token that was given later may be refused; what the gateway reads, `tokens::arrived` judges.
    let welcomed = session
        .and_then(|session| world.wire.sessions.get(&session))
        .and_then(|session| session.welcomed.clone());
    if welcomed.is_some_and(|welcomed| welcomed != user_id) {
        let detail = format!("page {page} of {user_id} sends {key} to somebody else's session");
        return world.fail(Invariant::NothingToStrangers, || detail);
    }
    let is_own = calls
        .iter()
        .any(|sent| sent.page == page && !sent.is_unusual);
    let holds_up =
        |sent: &&Sent| sent.page == page && sent.thread_id == thread_id && sent.is_failed;
    let before = world
        .ledger
        .calls
        .iter()
        .take_while(|sent| sent.client_msg_id != key);
    // Another tab may have sent it after its user was let in again.
    let is_stored = |sent: &&Sent| {
        let fates = world.fates(&sent.key_name());
        fates.iter().any(|key| matches!(key, Key::Stored { .. }))
    };
    let holder = before
        .filter(holds_up)
        .filter(|sent| !is_stored(sent))
        .find(|sent| !sent.is_discarded && !sent.is_forgotten && !sent.is_unusual);
    // In another history a message that failed may be somebody's stored one.
    let is_held = is_own && !world.setting.skip_failed && world.truths.len() == 1;
    if let (ClientFrame::Send(_), Some(holder), true) = (frame, holder, is_held) {
        let detail = format!(
            "page {page} sends {key} though {:?} has failed",
            holder.body
        );
        return world.fail(Invariant::OrderOfSending, || detail);
    }
    if let ClientFrame::Send(send) = frame
        && !calls.iter().any(|sent| sent.body == send.body)
    {
        let detail = format!("page {page} sends {key} with another text");
        world.fail(Invariant::NothingToStrangers, || detail);
    }
}

/// A frame reaches the gateway.
pub fn arrived(world: &mut World, session: SessionKey, frame: &Result<ClientFrame, DecodeError>) {
    tokens::arrived(world, session, frame);
    let Some(one) = world.wire.sessions.get_mut(&session) else {
        return;
    };
    match frame {
        Ok(ClientFrame::Hello(hello)) => {
            for resume in &hello.resume {
                let told = one.threads.entry(resume.thread_id.clone()).or_default();
                told.asked.push(resume.since.clone());
            }
        }
        Ok(ClientFrame::Subscribe(subscribe)) => {
            let told = one.threads.entry(subscribe.thread_id.clone()).or_default();
            told.asked.push(subscribe.since.clone());
        }
        Ok(_) => {}
        Err(error) => {
            let detail = format!("an engine sends what cannot be read: {error:?}");
            world.fail(Invariant::NoPanic, || detail);
        }
    }
}

/// A frame was taken by the gateway, which may want more.
pub fn served(world: &mut World, session: SessionKey) {
    let ends_at = world
        .wire
        .sessions
        .get(&session)
        .and_then(|one| one.ends_at);
    let is_late = ends_at.is_some_and(|end| world.now > end + LEEWAY_MS + TICK_MS);
    if is_late
        && world
            .running()
            .any(|process| process.has(session) && process.may_read(session))
    {
        world.fail(Invariant::ExpiryEnds, || {
            format!("{session:?} is still served")
        });
    }
}

/// The gateway writes a frame.
pub fn told(world: &mut World, session: SessionKey, text: &str) {
    let Ok(frame) = decode_server_frame(text) else {
        return world.fail(Invariant::NoPanic, || format!("unreadable: {text}"));
    };
    if let Some(name) = coverage_name(&frame) {
        world.coverage.see("frame", name);
    }
    let Some(one) = world.wire.sessions.get_mut(&session) else {
        return;
    };
    if let ServerFrame::Welcome(welcome) = &frame {
        one.epoch = Some(welcome.epoch.clone());
        one.welcomed = Some(welcome.user_id.clone());
        return check_crowd(world, session, &welcome.user_id);
    }
    let Some(user_id) = one.welcomed.clone() else {
        return;
    };
    let truth = one.epoch.as_ref().and_then(|epoch| world.truths.get(epoch));
    let Some(truth) = truth else {
        return;
    };
    let result = frames::check(truth, one, &user_id, &frame);
    let result = result.map_err(|(invariant, detail)| {
        (
            invariant,
            format!("{user_id} in {session:?} is told {text}: {detail}"),
        )
    });
    world.check(result);
}

fn coverage_name(frame: &ServerFrame) -> Option<&'static str> {
    Some(match frame {
        ServerFrame::Ack(ack) if ack.duplicate => "duplicate ack",
        ServerFrame::Ack(_) => "ack",
        ServerFrame::Cancelled(_) => "cancelled",
        ServerFrame::Error(error) => error.code.as_str(),
        ServerFrame::History(_) => "history",
        ServerFrame::Inbox(_) => "inbox",
        ServerFrame::Page(page) if page.more => "page, more follow",
        ServerFrame::Page(_) => "page",
        ServerFrame::Removed(_) => "removed",
        ServerFrame::Reset(reset) if reset.answers.is_some() => "reset of a cursor",
        ServerFrame::Reset(_) => "reset of nothing",
        ServerFrame::Thread(_) => "thread",
        ServerFrame::Goodbye(_) => "goodbye",
        ServerFrame::Authenticated(_) => "authenticated",
        _ => return None,
    })
}

/// A connection is welcomed: it and its user's others at the same gateway are not too many. Those that
/// the gateway has ended, and reads no more, are none.
fn check_crowd(world: &mut World, session: SessionKey, user_id: &UserId) {
    let process = world.running().find(|process| process.has(session));
    let is_one = |(key, one): &(&SessionKey, &Session)| {
        let is_theirs = one.welcomed.as_ref() == Some(user_id) && !one.is_post;
        is_theirs && process.is_some_and(|process| process.has(**key) && process.may_read(**key))
    };
    let count = world.wire.sessions.iter().filter(is_one).count();
    if count > world.setting.user_connections {
        let detail = format!("{count} of {user_id}");
        world.fail(Invariant::ConnectionsAreBounded, || detail);
    }
}
