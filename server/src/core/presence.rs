//! Who is online: a lease per connection, and a grace period against flaps.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use rejoinder_protocol::{Presence as PresenceFrame, PresenceState, UnixMillis, UserId};

use super::config::{LAST_SEEN_MAX, PRESENCE_GRACE_MS};
use super::{Millis, Now};

#[derive(Debug)]
struct Standing {
    connections: u32,
    /// When the last connection ended, and until when that is not told.
    leaving: Option<(Millis, UnixMillis)>,
}

/// The users of one gateway.
#[derive(Debug, Default)]
pub struct Presence {
    users: BTreeMap<UserId, Standing>,
    leaving: BTreeSet<(Millis, UserId)>,
    last_seen: HashMap<UserId, UnixMillis>,
    /// In the order of leaving, for forgetting.
    seen_order: VecDeque<UserId>,
}

impl Presence {
    /// Counts a connection; returns whether the user came online by it.
    pub fn connect(&mut self, user_id: &UserId) -> bool {
        let new = !self.users.contains_key(user_id);
        let standing = self.users.entry(user_id.clone()).or_insert(Standing {
            connections: 0,
            leaving: None,
        });
        standing.connections += 1;
        if let Some((until, _)) = standing.leaving.take() {
            self.leaving.remove(&(until, user_id.clone()));
        }
        new
    }

    /// Ends a connection. Whether the user went offline shows after the grace period.
    pub fn disconnect(&mut self, now: Now, user_id: &UserId) {
        let Some(standing) = self.users.get_mut(user_id) else {
            return;
        };
        standing.connections = standing.connections.saturating_sub(1);
        #[cfg(feature = "mutants")]
        if rejoinder_mutants::planted!(PresenceWithoutCount) {
            standing.connections = 0;
        }
        if standing.connections == 0 && standing.leaving.is_none() {
            let until = now.monotonic.after(PRESENCE_GRACE_MS);
            standing.leaving = Some((until, now.wall));
            self.leaving.insert((until, user_id.clone()));
        }
    }

    /// Returns who went offline until now.
    pub fn tick(&mut self, now: Millis) -> Vec<UserId> {
        let mut gone = Vec::new();
        while self.leaving.first().is_some_and(|(until, _)| *until <= now) {
            let Some((_, user_id)) = self.leaving.pop_first() else {
                break;
            };
            let standing = self.users.remove(&user_id);
            if let Some((_, seen_at)) = standing.and_then(|standing| standing.leaving) {
                self.remember(user_id.clone(), seen_at);
            }
            gone.push(user_id);
        }
        gone
    }

    fn remember(&mut self, user_id: UserId, seen_at: UnixMillis) {
        if self.last_seen.insert(user_id.clone(), seen_at).is_none() {
            self.seen_order.push_back(user_id);
        }
        if self.seen_order.len() > LAST_SEEN_MAX
            && let Some(oldest) = self.seen_order.pop_front()
        {
            self.last_seen.remove(&oldest);
        }
    }

    /// Returns the users who have a connection, or had one until a moment ago.
    pub fn users(&self) -> impl Iterator<Item = &UserId> {
        self.users.keys()
    }

    /// Returns whether a user is one of them.
    #[must_use]
    pub fn is_here(&self, user_id: &UserId) -> bool {
        self.users.contains_key(user_id)
    }

    /// Returns what others are told about a user.
    #[must_use]
    pub fn frame(&self, user_id: &UserId) -> PresenceFrame {
        let online = self.is_here(user_id);
        PresenceFrame {
            user_id: user_id.clone(),
            state: if online {
                PresenceState::Online
            } else {
                PresenceState::Offline
            },
            last_seen_at: if online {
                None
            } else {
                self.last_seen.get(user_id).copied()
            },
        }
    }

    /// Returns when `tick` has something to say.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Millis> {
        self.leaving.first().map(|(until, _)| *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(monotonic: u64) -> Now {
        Now {
            monotonic: Millis(monotonic),
            wall: UnixMillis::try_from(1_000_000 + monotonic).unwrap(),
        }
    }

    #[test]
    fn a_reload_is_not_told() {
        let alice: UserId = "alice".parse().unwrap();
        let mut presence = Presence::default();
        assert!(presence.connect(&alice));
        presence.disconnect(now(0), &alice);
        assert!(!presence.connect(&alice));
        assert_eq!(presence.tick(Millis(60_000)), []);
        assert_eq!(presence.frame(&alice).state, PresenceState::Online);
    }

    #[test]
    fn the_last_device_that_leaves_makes_offline_with_the_moment_it_left() {
        let alice: UserId = "alice".parse().unwrap();
        let mut presence = Presence::default();
        presence.connect(&alice);
        presence.connect(&alice);
        presence.disconnect(now(0), &alice);
        assert_eq!(presence.next_wakeup(), None);
        presence.disconnect(now(5_000), &alice);
        assert_eq!(presence.tick(Millis(14_999)), []);
        assert_eq!(presence.tick(Millis(15_000)), std::slice::from_ref(&alice));
        let frame = presence.frame(&alice);
        assert_eq!(frame.state, PresenceState::Offline);
        assert_eq!(frame.last_seen_at, Some(now(5_000).wall));
    }
}
