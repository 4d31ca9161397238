//! What other gateways on the same store tell us, and what we tell them.

use std::collections::BTreeSet;

use rejoinder_protocol::{
    Epoch, Presence as PresenceFrame, PresenceState, ServerFrame, ThreadId, UserId,
};

use super::Gateway;
use crate::core::config::LEASES_MAX;
use crate::core::{Effect, FromPeers, Lane, Lease, News, Now, Others, ToPeers};
use crate::store::Publication;

impl Gateway {
    /// Tells the other gateways, if there may be any.
    pub(super) fn tell_peers(&mut self, news: impl FnOnce(&Epoch) -> News) {
        if self.peers.is_some() {
            self.to_peers.push(ToPeers::Tell(news(&self.config.epoch)));
        }
    }

    pub(super) fn heard_of_peers(&mut self, now: Now, heard: FromPeers) {
        let Some(peers) = &mut self.peers else {
            return;
        };
        match heard {
            FromPeers::Down => {
                peers.down();
                self.peers_heard(false);
                for user_id in self.users_elsewhere() {
                    self.tell_presence(now, &user_id);
                }
            }
            FromPeers::Leases(leases) => self.leases(now, leases),
            FromPeers::Missed => {
                peers.missed();
                self.peers_heard(true);
            }
            FromPeers::News(news) => self.news(now, news),
            FromPeers::Up { settled_in_ms } => {
                peers.up(now.monotonic.after(settled_in_ms));
                self.peers_heard(true);
            }
        }
    }

    fn peers_heard(&mut self, are_heard: bool) {
        #[cfg(feature = "mutants")]
        if rejoinder_mutants::planted!(PeersNotPolled) {
            self.watch = None;
        }
        if let Some(watch) = &mut self.watch {
            watch.heard(Others::Gateways, are_heard);
        }
    }

    /// Takes what another gateway tells.
    fn news(&mut self, now: Now, news: News) {
        match news {
            News::Changed { epoch, publication } => {
                self.changed_elsewhere(now, &epoch, &publication)
            }
            News::Moved {
                thread_id,
                revision,
                user_ids,
            } => {
                if self.concerns(&thread_id, [&user_ids[..]])
                    && let Some(watch) = &mut self.watch
                {
                    watch.hint(&thread_id, Some(revision));
                }
            }
            News::Presence { user_id } => {
                if !self.hub.presence_audience(&user_id).is_empty()
                    && let Some(peers) = &mut self.peers
                {
                    peers.want(&user_id);
                }
            }
            News::Typing {
                thread_id,
                user_id,
                is_typing,
            } => {
                self.show_typing(now, &user_id, thread_id, is_typing);
            }
        }
    }

    /// Returns whether somebody here wants to hear of a thread.
    fn concerns<'a>(
        &self,
        thread_id: &ThreadId,
        users: impl IntoIterator<Item = &'a [UserId]>,
    ) -> bool {
        let mut users = users.into_iter().flatten();
        self.hub.is_watched(thread_id) || users.any(|one| self.hub.is_connected(one))
    }

    /// A change that another gateway has committed is told on as it came if it follows what was told
    /// here. In every other case only the store is believed.
    fn changed_elsewhere(&mut self, now: Now, epoch: &Epoch, publication: &Publication) {
        let thread_id = &publication.thread_id;
        let users = [&publication.participants[..], &publication.removed];
        if !self.concerns(thread_id, users) {
            return;
        }
        let (Some(watch), Some(first)) = (&mut self.watch, publication.changes.first()) else {
            return;
        };
        #[cfg(feature = "mutants")]
        let epoch = match rejoinder_mutants::planted!(NewsOfAnotherHistory) {
            true => &self.config.epoch,
            false => epoch,
        };
        if *epoch != self.config.epoch {
            watch.hint(thread_id, None);
        } else if !watch.is_news(thread_id, publication.head()) {
            // It was told here already, by a look or a poll.
        } else if watch.follows(thread_id, first.revision) {
            self.publish(now, None, publication);
        } else {
            watch.hint(thread_id, Some(publication.head()));
        }
    }

    /// Takes what leases were found.
    fn leases(&mut self, now: Now, leases: Vec<(UserId, Lease)>) {
        for (user_id, lease) in leases {
            let Some(peers) = &mut self.peers else {
                return;
            };
            if peers.answered(user_id.clone(), lease) && !self.presence.is_here(&user_id) {
                self.tell_presence(now, &user_id);
            }
        }
    }

    /// Renews our users' leases and looks at those of others again, when it is time for it.
    pub(super) fn renew_leases(&mut self, now: Now) {
        if !self
            .peers
            .as_mut()
            .is_some_and(|peers| peers.renews(now.monotonic))
        {
            return;
        }
        let here: Vec<_> = self.presence.users().cloned().collect();
        #[cfg(feature = "mutants")]
        let here = match rejoinder_mutants::planted!(LeaseNotRenewed) {
            true => Vec::new(),
            false => here,
        };
        if self.draining {
            self.leave_peers();
        } else {
            for user_ids in here.chunks(LEASES_MAX) {
                self.to_peers.push(ToPeers::Hold(user_ids.to_vec()));
            }
        }
        let elsewhere = self.users_elsewhere();
        if let Some(peers) = &mut self.peers {
            peers.keep(&elsewhere);
            elsewhere.iter().for_each(|user_id| peers.want(user_id));
        }
    }

    /// Lets the leases of all users here end soon, since the gateway does.
    pub(super) fn leave_peers(&mut self) {
        if self.peers.is_some() {
            let here: Vec<_> = self.presence.users().cloned().collect();
            let orders = here.chunks(LEASES_MAX).map(<[UserId]>::to_vec);
            self.to_peers.extend(orders.map(ToPeers::Leave));
        }
    }

    /// Returns the users whom somebody here watches, and who have no connection here.
    fn users_elsewhere(&self) -> BTreeSet<UserId> {
        let watched = self.hub.watched_users();
        let elsewhere = watched.filter(|user_id| !self.presence.is_here(user_id));
        elsewhere.cloned().collect()
    }

    /// A user has a connection here and had none.
    pub(super) fn came(&mut self, now: Now, user_id: &UserId) {
        if self.peers.is_some() {
            self.to_peers.push(ToPeers::Hold(vec![user_id.clone()]));
            let user_id = user_id.clone();
            self.tell_peers(|_| News::Presence { user_id });
        }
        self.tell_presence(now, user_id);
    }

    /// A user's last connection here ended a while ago.
    pub(super) fn went(&mut self, now: Now, user_id: &UserId) {
        let Some(peers) = &mut self.peers else {
            return self.tell_presence(now, user_id);
        };
        // They may still be somewhere else: the leases say it.
        peers.forget(user_id);
        peers.want(user_id);
        let is_up = peers.is_up();
        self.to_peers.push(ToPeers::Release(user_id.clone()));
        let gone = user_id.clone();
        self.tell_peers(|_| News::Presence { user_id: gone });
        if !is_up {
            self.tell_presence(now, user_id);
        }
    }

    /// Returns what others are told about a user. Of users without a connection here nothing is
    /// known until their lease was looked at, nor while it cannot be.
    pub(super) fn presence_of(&self, user_id: &UserId) -> PresenceFrame {
        let here = self.presence.frame(user_id);
        let Some(peers) = &self.peers else {
            return here;
        };
        if here.state == PresenceState::Online {
            return here;
        }
        let (state, last_seen_at) = match peers.lease(user_id) {
            Some(Lease::Held) => (PresenceState::Online, None),
            Some(Lease::Free { last_seen_at }) => (PresenceState::Offline, last_seen_at),
            None => (PresenceState::Unknown, None),
        };
        PresenceFrame {
            user_id: here.user_id,
            state,
            last_seen_at,
        }
    }

    /// The same, for somebody who is told it for the first time: what is not known is asked for.
    pub(super) fn presence_to_tell(&mut self, user_id: &UserId) -> PresenceFrame {
        let frame = self.presence_of(user_id);
        if frame.state == PresenceState::Unknown
            && let Some(peers) = &mut self.peers
        {
            peers.want(user_id);
        }
        frame
    }

    /// Asks for leases, and hands on what others are to be told.
    pub(super) fn settle_peers(&mut self, now: Now, effects: &mut Vec<Effect>) {
        effects.extend(self.to_peers.drain(..).map(Effect::Peers));
        let Some(peers) = &mut self.peers else {
            return;
        };
        loop {
            let question = peers.next_question(now.monotonic);
            if question.is_empty() {
                break;
            }
            effects.push(Effect::Peers(ToPeers::Look(question)));
        }
    }

    pub(super) fn tell_presence(&mut self, now: Now, user_id: &UserId) {
        let audience = self.hub.presence_audience(user_id);
        let frame = ServerFrame::Presence(self.presence_of(user_id));
        // Never dropped: it would stay wrong until somebody changes again.
        self.tell(now, audience, Lane::Control, &frame);
    }
}
