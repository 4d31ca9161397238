//! What is between gateways: news, which may be late, doubled or lost, and leases.

use std::collections::BTreeMap;

use rejoinder_gateway::core::{FromPeers, Input, Lease, ToPeers};
use rejoinder_protocol::{UnixMillis, UserId};

use super::World;
use super::queue::Event;
use crate::action::Action;

/// News travel so long at most, in virtual milliseconds.
const NEWS_MS: u64 = 50;
/// A gateway tries again after so long at most, in virtual milliseconds.
const RETRY_MS: u64 = 5_000;
/// A lease lasts so long without renewal, in virtual milliseconds.
const LEASE_MS: u64 = 45_000;
/// A lease of a gateway that ends lasts so long, in virtual milliseconds.
const LEAVE_MS: u64 = 10_000;
/// Forgotten leases are held again by then, in virtual milliseconds.
const SETTLED_MS: u64 = 8_000;

/// What is between gateways.
#[derive(Debug, Default)]
pub(super) struct Peers {
    /// They do not reach each other before this.
    parted_until: u64,
    /// So many of their news are lost, and nobody notices.
    lost: u32,
    /// Who holds a lease for whom, and until when.
    leases: BTreeMap<UserId, BTreeMap<u64, u64>>,
    seen: BTreeMap<UserId, u64>,
    /// Since when there are leases.
    since: u64,
}

impl World {
    pub(super) fn act_peers(&mut self, action: &Action) {
        match action {
            Action::Part { ms, is_forgotten } => {
                self.peers.parted_until = self.peers.parted_until.max(self.now + ms);
                if *is_forgotten {
                    self.peers.leases.clear();
                    self.peers.seen.clear();
                    self.peers.since = self.peers.parted_until;
                }
                for number in self.numbers() {
                    self.tell_of_peers(number, NEWS_MS, FromPeers::Down);
                }
                self.queue.push(self.peers.parted_until, Event::Meet);
            }
            Action::LoseWords { count } => self.peers.lost += count,
            _ => {}
        }
    }

    /// The gateways, or one of them, reach each other from now on, if they do.
    pub(super) fn meet_peers(&mut self, whom: Option<u64>) {
        if self.gateways.len() < 2 || self.peers.parted_until > self.now {
            return;
        }
        for number in self.numbers() {
            if whom.is_none_or(|whom| whom == number) {
                let at = self.now + self.rng.u64(0..RETRY_MS);
                let settled_in_ms = (self.peers.since + SETTLED_MS).saturating_sub(at);
                let up = FromPeers::Up { settled_in_ms };
                self.queue
                    .push(at, Event::Gateway(number, Input::Peers(up)));
            }
        }
    }

    fn tell_of_peers(&mut self, number: u64, within_ms: u64, heard: FromPeers) {
        let at = self.now + self.rng.u64(0..within_ms);
        self.queue
            .push(at, Event::Gateway(number, Input::Peers(heard)));
    }

    /// Does what a gateway wants of others.
    pub(super) fn serve_peers(&mut self, number: u64, order: ToPeers) {
        if self.peers.parted_until > self.now {
            return;
        }
        let now = self.now;
        self.trace
            .note(|| format!("gateway {number} to others: {order:?}"));
        match order {
            ToPeers::Hold(users) => {
                for user_id in users {
                    let leases = self.peers.leases.entry(user_id).or_default();
                    leases.insert(number, now + LEASE_MS);
                }
            }
            ToPeers::Leave(users) => {
                for user_id in users {
                    let leases = self.peers.leases.entry(user_id.clone()).or_default();
                    leases.insert(number, now + LEAVE_MS);
                    self.peers.seen.insert(user_id, now);
                }
            }
            ToPeers::Look(users) => {
                let leases = users.into_iter().map(|user_id| {
                    let lease = self.look(&user_id);
                    (user_id, lease)
                });
                let leases = leases.collect();
                self.tell_of_peers(number, NEWS_MS, FromPeers::Leases(leases));
            }
            ToPeers::Release(user_id) => {
                let leases = self.peers.leases.get_mut(&user_id);
                if leases.and_then(|leases| leases.remove(&number)).is_some() {
                    self.peers.seen.insert(user_id, now);
                }
            }
            ToPeers::Tell(news) => {
                for other in self.numbers() {
                    if other == number {
                        continue;
                    }
                    if self.peers.lost > 0 {
                        self.peers.lost -= 1;
                        self.coverage.see("state", "news of a gateway lost");
                        continue;
                    }
                    self.tell_of_peers(other, NEWS_MS, FromPeers::News(news.clone()));
                    if self.rng.u8(0..20) == 0 {
                        self.tell_of_peers(other, 2_000, FromPeers::News(news.clone()));
                    }
                }
            }
        }
    }

    fn look(&mut self, user_id: &UserId) -> Lease {
        let now = self.now;
        let leases = self.peers.leases.entry(user_id.clone()).or_default();
        let ended: Vec<_> = leases
            .values()
            .copied()
            .filter(|until| *until <= now)
            .collect();
        leases.retain(|_, until| *until > now);
        if !leases.is_empty() {
            return Lease::Held;
        }
        let seen = self.peers.seen.entry(user_id.clone()).or_default();
        *seen = ended
            .into_iter()
            .map(|until| until.saturating_sub(LEASE_MS))
            .fold(*seen, u64::max);
        Lease::Free {
            last_seen_at: UnixMillis::try_from(*seen).ok().filter(|_| *seen > 0),
        }
    }

    /// Nothing is between gateways any more. What was lost stays lost.
    pub(super) fn heal_peers(&mut self) {
        self.peers.lost = 0;
        if self.peers.parted_until > self.now {
            self.peers.parted_until = self.now;
            self.meet_peers(None);
        }
    }
}
