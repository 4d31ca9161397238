//! What is so now, for whoever watches the gateway.

use super::Gateway;
use crate::core::{Levels, Peers};

impl Gateway {
    /// Returns whether it is being stopped.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    /// Returns whether other gateways can be reached; `None` if there cannot be any.
    #[must_use]
    pub fn are_peers_up(&self) -> Option<bool> {
        self.peers.as_ref().map(Peers::is_up)
    }

    /// Returns how much there is of what an operator watches. Looks at every session.
    #[must_use]
    pub fn levels(&self) -> Levels {
        let waiting = self.sessions.values().map(|one| one.outbound.waiting());
        Levels {
            sessions: self.sessions.len(),
            users: self.hub.users_after(None).count(),
            threads: self.hub.threads().count(),
            waiting_commands: self.committer.waiting(),
            waiting_frames: waiting.sum(),
            reads: self.reads.len(),
        }
    }
}
