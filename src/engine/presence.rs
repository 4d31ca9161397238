//! Who is online, as far as this connection was told.

use std::collections::BTreeMap;

use rejoinder_protocol::{Presence, PresenceState, UnixMillis, UserId};

use super::notice::PartnerPresence;

/// People remembered at most; more than any inbox shows at once.
const PEOPLE_MAX: usize = 1_000;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) presence: PartnerPresence,
    pub(crate) last_seen_at: Option<UnixMillis>,
}

/// Who is online. Without a connection everybody is unknown.
#[derive(Clone, Debug, Default)]
pub(crate) struct PresenceTable {
    people: BTreeMap<UserId, Seen>,
}

impl PresenceTable {
    pub(crate) fn apply(&mut self, notice: &Presence) {
        if self.people.len() >= PEOPLE_MAX && !self.people.contains_key(&notice.user_id) {
            return;
        }
        let presence = match notice.state {
            PresenceState::Online => PartnerPresence::Online,
            PresenceState::Offline => PartnerPresence::Offline,
            PresenceState::Unknown => PartnerPresence::Unknown,
        };
        let seen = Seen {
            presence,
            last_seen_at: notice.last_seen_at,
        };
        self.people.insert(notice.user_id.clone(), seen);
    }

    pub(crate) fn get(&self, user_id: &UserId) -> Seen {
        self.people.get(user_id).copied().unwrap_or_default()
    }

    /// Nothing is known any more, but when somebody was last seen stays true.
    pub(crate) fn connection_lost(&mut self) {
        for seen in self.people.values_mut() {
            seen.presence = PartnerPresence::Unknown;
        }
    }
}
