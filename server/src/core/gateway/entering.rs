//! How sessions begin: by a socket, by a request for a stream, or by a request of one frame.

use rejoinder_protocol::{CloseCode, Epoch, Resume, UserId};

use super::Gateway;
use crate::core::config::LIMITED_RETRY_MS;
use crate::core::session::{Kind, Session};
use crate::core::{Effect, Identity, Now, SessionKey};

impl Gateway {
    /// A socket: its first frame says who it is.
    pub(super) fn opened(&mut self, now: Now, session: SessionKey) {
        self.begin(now, session, Kind::Socket);
    }

    /// A stream of what happens: what its client asks comes by requests of their own.
    pub(super) fn streamed(
        &mut self,
        now: Now,
        session: SessionKey,
        identity: Identity,
        resume: Vec<Resume>,
        effects: &mut Vec<Effect>,
    ) {
        self.begin(now, session, Kind::Stream);
        let mut steps = Vec::new();
        if self.is_crowded(&identity.user_id) {
            return self.turn_away(now, session);
        }
        if let Some((one, config)) = self.touch(session) {
            one.greeted(now, config, identity, resume, &mut steps);
        }
        self.steps(now, session, steps, effects);
    }

    /// Whether a user has as many connections as one may have.
    pub(super) fn is_crowded(&self, user_id: &UserId) -> bool {
        #[cfg(feature = "mutants")]
        if rejoinder_mutants::planted!(ConnectionsUncounted) {
            return false;
        }
        self.hub.session_count_of(user_id) >= self.config.user_connections
    }

    /// Ends the newest connection of a user who has too many: the others stay.
    pub(super) fn turn_away(&mut self, now: Now, session: SessionKey) {
        let retry_after_ms = self.ids.spread_ms(LIMITED_RETRY_MS);
        if let Some((one, _)) = self.touch(session) {
            one.close(now.monotonic, CloseCode::Limited, Some(retry_after_ms));
        }
    }

    /// Counts a request of a user that came by no connection.
    ///
    /// # Errors
    ///
    /// The milliseconds after which another one may come: this is one too many.
    pub fn admit(&mut self, now: Now, user_id: &UserId) -> Result<(), u64> {
        let now = now.monotonic;
        self.rates.of(now, &self.config, user_id).requests.take(now)
    }

    /// A request of one frame: nobody's presence, and no subscription.
    pub(super) fn posted(
        &mut self,
        now: Now,
        session: SessionKey,
        identity: Identity,
        epoch: Option<&Epoch>,
    ) {
        self.begin(now, session, Kind::Post);
        let is_other = epoch.is_some_and(|epoch| *epoch != self.config.epoch);
        #[cfg(feature = "mutants")]
        let is_other = is_other && !rejoinder_mutants::planted!(PostOfAnotherHistoryTaken);
        let retry_after_ms = self.come_back_ms();
        let Some((one, _)) = self.touch(session) else {
            return;
        };
        if is_other {
            return one.close(now.monotonic, CloseCode::Draining, Some(retry_after_ms));
        }
        one.posted(identity);
    }

    fn begin(&mut self, now: Now, session: SessionKey, kind: Kind) {
        let name = self.ids.session_id(now.wall);
        let one = Session::new(now.monotonic, name, kind);
        self.sessions.insert(session, one);
        if self.draining {
            self.drain_session(now, session);
        }
        self.touched.insert(session);
    }
}
