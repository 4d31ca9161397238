//! Who is told what: an index of sessions by thread and by user, and how far each thread has been
//! published.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use rejoinder_protocol::{Revision, ThreadId, UserId};

use super::SessionKey;

/// How a subscriber that has read up to a cursor goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arrival {
    /// It must read another page.
    Behind,
    /// It is live: every later change will be told.
    Live,
    /// It is ahead of what was published, and becomes live when that catches up.
    Parked,
}

/// A subscriber that was live and must read again from a revision.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fallen {
    /// The session.
    pub session: SessionKey,
    /// The last change it was told; `None` if it knows better itself.
    pub told: Option<Revision>,
}

/// Who must be told about a change.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Told {
    /// Live subscribers: the change itself.
    pub live: Vec<SessionKey>,
    /// Subscribers that had read it already and are live from now on.
    pub arrived: Vec<SessionKey>,
    /// Subscribers that must read, for a change is missing before this one.
    pub fallen: Vec<Fallen>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Standing {
    Live,
    Paging,
    Parked(Revision),
}

/// A thread that somebody is subscribed to.
#[derive(Debug, Default)]
struct Entry {
    /// The last change told to live subscribers; `None` until the head was read.
    published: Option<Revision>,
    /// What was published meanwhile.
    at_least: Revision,
    /// Reads that began before this stamp say nothing about the head.
    stamp: u64,
    subscribers: BTreeMap<SessionKey, Standing>,
    participants: BTreeSet<UserId>,
    /// The change after which those were the participants, and a stamp of when that was heard.
    participants_at: Revision,
    participants_stamp: u64,
}

impl Entry {
    /// Forgets how far the thread is published; whoever was live or waited must read.
    fn forget(&mut self, stamp: u64) -> Vec<Fallen> {
        let told = self.published.take();
        self.stamp = stamp;
        let mut fallen = Vec::new();
        for (session, standing) in &mut self.subscribers {
            match standing {
                Standing::Live => fallen.push(Fallen {
                    session: *session,
                    told,
                }),
                Standing::Parked(_) => fallen.push(Fallen {
                    session: *session,
                    told: None,
                }),
                Standing::Paging => {}
            }
            *standing = Standing::Paging;
        }
        fallen
    }
}

/// The index of one gateway.
#[derive(Debug, Default)]
pub struct Hub {
    threads: BTreeMap<ThreadId, Entry>,
    sessions: HashMap<SessionKey, UserId>,
    users: BTreeMap<UserId, BTreeSet<SessionKey>>,
    /// The watched threads of each user, for presence.
    watched: BTreeMap<UserId, BTreeSet<ThreadId>>,
    stamp: u64,
}

impl Hub {
    /// Adds a session of a user.
    pub fn connect(&mut self, session: SessionKey, user_id: &UserId) {
        self.sessions.insert(session, user_id.clone());
        self.users
            .entry(user_id.clone())
            .or_default()
            .insert(session);
    }

    /// Takes a session away, its subscriptions excepted.
    pub fn disconnect(&mut self, session: SessionKey) {
        let Some(user_id) = self.sessions.remove(&session) else {
            return;
        };
        if let Some(sessions) = self.users.get_mut(&user_id) {
            sessions.remove(&session);
            if sessions.is_empty() {
                self.users.remove(&user_id);
            }
        }
    }

    /// Returns the threads that somebody is subscribed to.
    pub fn threads(&self) -> impl Iterator<Item = &ThreadId> {
        self.threads.keys()
    }

    /// Returns whether somebody is subscribed to a thread.
    #[must_use]
    pub fn is_watched(&self, thread_id: &ThreadId) -> bool {
        self.threads.contains_key(thread_id)
    }

    /// Returns the users who take part in a thread that somebody is subscribed to.
    pub fn watched_users(&self) -> impl Iterator<Item = &UserId> {
        self.watched.keys()
    }

    /// Returns the users who have a session, in their order, after one of them.
    pub fn users_after(&self, after: Option<&UserId>) -> impl Iterator<Item = &UserId> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let users = self.users.range::<UserId, _>((from, Bound::Unbounded));
        users.map(|(user_id, _)| user_id)
    }

    /// Returns whether a user has a session.
    #[must_use]
    pub fn is_connected(&self, user_id: &UserId) -> bool {
        self.users.contains_key(user_id)
    }

    /// Returns the sessions of a user.
    #[must_use]
    pub fn sessions_of(&self, user_id: &UserId) -> Vec<SessionKey> {
        let sessions = self.users.get(user_id).into_iter().flatten();
        sessions.copied().collect()
    }

    /// Returns how many sessions a user has.
    #[must_use]
    pub fn session_count_of(&self, user_id: &UserId) -> usize {
        self.users.get(user_id).map_or(0, BTreeSet::len)
    }

    /// Adds a subscriber, which must read before it is told anything. From here on the hub records
    /// how far the thread is published, so what that read misses is not missed.
    pub fn subscribe(&mut self, thread_id: &ThreadId, session: SessionKey) {
        let stamp = self.stamp + 1;
        let entry = self
            .threads
            .entry(thread_id.clone())
            .or_insert_with(|| Entry {
                stamp,
                ..Entry::default()
            });
        if entry.stamp == stamp {
            self.stamp = stamp;
        }
        entry.subscribers.insert(session, Standing::Paging);
    }

    /// Takes a subscriber away.
    pub fn unsubscribe(&mut self, thread_id: &ThreadId, session: SessionKey) {
        let Some(entry) = self.threads.get_mut(thread_id) else {
            return;
        };
        entry.subscribers.remove(&session);
        if !entry.subscribers.is_empty() {
            return;
        }
        if let Some(entry) = self.threads.remove(thread_id) {
            for user_id in &entry.participants {
                self.unwatch(user_id, thread_id);
            }
        }
    }

    /// Returns the stamp for a read that begins now.
    #[must_use]
    pub fn stamp(&self) -> u64 {
        self.stamp
    }

    /// Takes what a subscriber has read, and decides how it goes on.
    ///
    /// `stamp` is that of the read, `head` what it found, `cursor` how far the subscriber has come.
    pub fn arrive(
        &mut self,
        thread_id: &ThreadId,
        session: SessionKey,
        cursor: Revision,
        head: Revision,
        stamp: u64,
    ) -> Arrival {
        let Some(entry) = self.threads.get_mut(thread_id) else {
            return Arrival::Behind;
        };
        #[cfg(feature = "mutants")]
        if entry.published.is_none() && rejoinder_mutants::planted!(StaleHeadBelieved) {
            entry.published = Some(head);
        }
        if entry.published.is_none() && stamp >= entry.stamp {
            entry.published = Some(head.max(entry.at_least));
        }
        let Some(published) = entry.published else {
            return Arrival::Behind;
        };
        let Some(standing) = entry.subscribers.get_mut(&session) else {
            return Arrival::Behind;
        };
        if cursor == published {
            *standing = Standing::Live;
            Arrival::Live
        } else if cursor > published {
            *standing = Standing::Parked(cursor);
            Arrival::Parked
        } else {
            *standing = Standing::Paging;
            Arrival::Behind
        }
    }

    /// Remembers who takes part in a watched thread after a change, and returns who came to those
    /// who were known; older news are ignored.
    pub fn participants(
        &mut self,
        thread_id: &ThreadId,
        at: Revision,
        participants: &[UserId],
    ) -> Vec<UserId> {
        let Some(entry) = self.threads.get_mut(thread_id) else {
            return Vec::new();
        };
        if at < entry.participants_at {
            return Vec::new();
        }
        let now: BTreeSet<_> = participants.iter().cloned().collect();
        let is_same = now == entry.participants;
        // Also if nothing is new about them: whoever is named may have gone and come back unheard.
        if at > entry.participants_at || !is_same {
            self.stamp += 1;
            entry.participants_stamp = self.stamp;
        }
        entry.participants_at = at;
        if is_same {
            return Vec::new();
        }
        let before = std::mem::replace(&mut entry.participants, now.clone());
        for user_id in before.difference(&now) {
            self.unwatch(user_id, thread_id);
        }
        let came = now.difference(&before).cloned();
        let came = came.filter(|_| !before.is_empty());
        #[cfg(feature = "mutants")]
        let came = came.filter(|_| !rejoinder_mutants::planted!(NewcomerUnshown));
        let came = came.collect();
        for user_id in now {
            let threads = self.watched.entry(user_id).or_default();
            threads.insert(thread_id.clone());
        }
        came
    }

    /// Returns whether it was heard since a stamp that a user takes part in a watched thread: a read
    /// that began before knows nothing of it.
    #[must_use]
    pub fn takes_part_since(&self, thread_id: &ThreadId, user: &UserId, stamp: u64) -> bool {
        let entry = self.threads.get(thread_id);
        entry.is_some_and(|entry| {
            entry.participants_stamp > stamp && entry.participants.contains(user)
        })
    }

    /// Returns who takes part in a watched thread, as far as is known.
    pub fn participants_of(&self, thread_id: &ThreadId) -> impl Iterator<Item = &UserId> {
        let entry = self.threads.get(thread_id);
        entry.into_iter().flat_map(|entry| &entry.participants)
    }

    fn unwatch(&mut self, user_id: &UserId, thread_id: &ThreadId) {
        if let Some(threads) = self.watched.get_mut(user_id) {
            threads.remove(thread_id);
            if threads.is_empty() {
                self.watched.remove(user_id);
            }
        }
    }

    /// Takes the next committed change of a thread; must be called in the order of the commits.
    pub fn publish(&mut self, thread_id: &ThreadId, revision: Revision) -> Told {
        let mut told = Told::default();
        let stamp = self.stamp + 1;
        let Some(entry) = self.threads.get_mut(thread_id) else {
            return told;
        };
        entry.at_least = entry.at_least.max(revision);
        let Some(published) = entry.published else {
            return told;
        };
        if revision <= published {
            return told; // Whoever is live went live at or above it.
        }
        if revision != published.next() {
            self.stamp = stamp;
            told.fallen = entry.forget(stamp);
            return told;
        }
        entry.published = Some(revision);
        for (session, standing) in &mut entry.subscribers {
            match *standing {
                Standing::Live => told.live.push(*session),
                Standing::Parked(cursor) if cursor == revision => {
                    *standing = Standing::Live;
                    told.arrived.push(*session);
                }
                Standing::Parked(_) | Standing::Paging => {}
            }
        }
        told
    }

    /// Takes a hint that a thread's head is at least this far. Only the store is believed: if the
    /// hint is news, everybody reads, also whoever has begun to before it.
    pub fn head_at_least(&mut self, thread_id: &ThreadId, revision: Revision) -> Vec<Fallen> {
        let published = self.threads.get(thread_id).map(|entry| entry.published);
        let is_news = |published: Option<Revision>| match published {
            Some(published) => revision > published,
            #[cfg(feature = "mutants")]
            None if rejoinder_mutants::planted!(EarlierReadBelieved) => false,
            None => true,
        };
        if published.is_some_and(is_news) {
            return self.unknown(thread_id);
        }
        Vec::new()
    }

    /// Takes the news that a commit of this thread has an unknown fate: everybody reads.
    pub fn unknown(&mut self, thread_id: &ThreadId) -> Vec<Fallen> {
        let Some(entry) = self.threads.get_mut(thread_id) else {
            return Vec::new();
        };
        self.stamp += 1;
        entry.forget(self.stamp)
    }

    /// Takes the news that a subscriber is no longer told, for its queue was full.
    pub fn fell_back(&mut self, thread_id: &ThreadId, session: SessionKey) {
        let entry = self.threads.get_mut(thread_id);
        if let Some(standing) = entry.and_then(|entry| entry.subscribers.get_mut(&session)) {
            *standing = Standing::Paging;
        }
    }

    /// Returns who is told that a user writes in a thread: the other participants' subscribed
    /// sessions. `None` if the user does not take part, as far as is known.
    #[must_use]
    pub fn typing_audience(&self, thread_id: &ThreadId, user: &UserId) -> Option<Vec<SessionKey>> {
        let entry = self.threads.get(thread_id)?;
        if !entry.participants.contains(user) {
            return None;
        }
        Some(self.subscribed_others(entry, user).collect())
    }

    /// Returns who is told of somebody who came to a thread: the others who are subscribed to it.
    #[must_use]
    pub fn audience(&self, thread_id: &ThreadId, user: &UserId) -> Vec<SessionKey> {
        let entry = self.threads.get(thread_id).into_iter();
        entry
            .flat_map(|entry| self.subscribed_others(entry, user))
            .collect()
    }

    /// Returns who is told whether a user is online: sessions subscribed to a thread of theirs.
    #[must_use]
    pub fn presence_audience(&self, user: &UserId) -> BTreeSet<SessionKey> {
        let threads = self.watched.get(user).into_iter().flatten();
        threads
            .filter_map(|thread_id| self.threads.get(thread_id))
            .flat_map(|entry| self.subscribed_others(entry, user))
            .collect()
    }

    fn subscribed_others<'a>(
        &'a self,
        entry: &'a Entry,
        user: &'a UserId,
    ) -> impl Iterator<Item = SessionKey> + 'a {
        // A session may be subscribed before the store said that its user may.
        let may = move |session: &SessionKey| {
            let of = self.sessions.get(session);
            of.is_some_and(|of| of != user && entry.participants.contains(of))
        };
        entry.subscribers.keys().copied().filter(may)
    }
}

#[cfg(test)]
mod tests;
