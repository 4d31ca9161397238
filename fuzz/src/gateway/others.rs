//! What others do: the application's back end, other gateways, and whoever has the database.

use rejoinder_gateway::core::{FromPeers, Input, Lease, News, RequestId, ToPeers};
use rejoinder_gateway::store::{Command, NewMessage};
use rejoinder_protocol::UnixMillis;

use super::World;

impl World<'_> {
    /// The back end asks this gateway for a change.
    pub(super) fn command(&mut self) {
        let command = self.any_command();
        let request = RequestId(self.next());
        self.input(Input::Command { request, command });
    }

    fn any_command(&mut self) -> Command {
        let (thread_id, user_id) = (self.thread(), self.user());
        match self.choices.below(12) {
            0..3 => Command::Create {
                thread_id,
                participants: [user_id, self.user()],
            },
            3..5 => Command::Admit { thread_id, user_id },
            5..8 => Command::Remove { thread_id, user_id },
            8 | 9 => {
                let (key, number) = (self.key(), self.next());
                self.witness.key(user_id.clone(), thread_id.clone(), key);
                Command::Send(NewMessage {
                    thread_id,
                    sender_id: user_id,
                    client_msg_id: key,
                    server_msg_id: format!("other-{number}").parse().unwrap(),
                    body: "theirs".to_owned(),
                    attachments: Vec::new(),
                    create_dev_pair: false,
                })
            }
            _ => {
                let index = self.choices.below(64);
                let Some((server_msg_id, its_thread, sender_id)) = self.witness.message(index)
                else {
                    return Command::Admit { thread_id, user_id };
                };
                let is_theirs = !self.choices.one_in(4);
                let user_id = if is_theirs { sender_id } else { user_id };
                let thread_id = if is_theirs { its_thread } else { thread_id };
                if self.choices.bool() {
                    Command::Tombstone {
                        thread_id,
                        user_id,
                        server_msg_id,
                    }
                } else {
                    Command::Edit {
                        thread_id,
                        user_id,
                        server_msg_id,
                        body: "edited".to_owned(),
                    }
                }
            }
        }
    }

    pub(super) fn others(&mut self) {
        match self.choices.below(12) {
            0..3 => self.elsewhere(),
            3..6 => self.tell_news(),
            6 => {
                let thread_id = self.thread();
                let revision = self.choices.bool();
                let revision = revision.then(|| self.choices.below(20).try_into().unwrap());
                self.input(Input::Hint {
                    thread_id,
                    revision,
                });
            }
            7 => {
                let is_heard = self.choices.bool();
                self.input(Input::Heard { is_heard });
            }
            8 => self.input(Input::Peers(FromPeers::Up { settled_in_ms: 0 })),
            9 => self.input(Input::Peers(FromPeers::Down)),
            10 => self.input(Input::Peers(FromPeers::Missed)),
            _ if self.choices.one_in(4) => {
                let number = self.next();
                let epoch = format!("rotated-{number}").parse().unwrap();
                self.store.rotate_epoch(epoch).unwrap();
            }
            _ if self.choices.one_in(8) => self.input(Input::Drain),
            _ => {
                let (thread_id, user_id) = (self.thread(), self.user());
                let news = match self.choices.below(3) {
                    0 => News::Presence { user_id },
                    1 => News::Moved {
                        thread_id,
                        revision: self.choices.below(20).try_into().unwrap(),
                        user_ids: vec![user_id, self.user()],
                    },
                    _ => News::Typing {
                        thread_id,
                        user_id,
                        is_typing: self.choices.bool(),
                    },
                };
                self.input(Input::Peers(FromPeers::News(news)));
            }
        }
    }

    /// Another gateway commits something, and has something to tell.
    fn elsewhere(&mut self) {
        let command = self.any_command();
        let epoch = self.store.epoch().clone();
        let applied = self.store.apply(&epoch, self.now.wall, &[command]).unwrap();
        self.witness.committed(&applied);
        let outcomes = applied.outcomes.into_iter().flatten();
        let news = outcomes.filter_map(|outcome| {
            let epoch = applied.epoch.clone();
            let publication = outcome.publication?;
            Some(News::Changed { epoch, publication })
        });
        self.news.extend(news);
    }

    /// What other gateways tell comes late, twice, in another order, shortened, or never.
    fn tell_news(&mut self) {
        if self.news.is_empty() {
            return;
        }
        let index = usize::try_from(self.choices.below(self.news.len() as u64)).unwrap();
        let mut news = self.news[index].clone();
        if self.choices.one_in(4) {
            news = news.shortened();
        }
        if self.choices.bool() {
            self.news.swap_remove(index);
        }
        self.input(Input::Peers(FromPeers::News(news)));
    }

    /// What this gateway wants of the others is done, or gets lost.
    pub(super) fn peers(&mut self, order: ToPeers) {
        let ToPeers::Look(user_ids) = order else {
            return;
        };
        let mut leases = Vec::new();
        for user_id in user_ids {
            leases.push((
                user_id,
                if self.choices.bool() {
                    Lease::Held
                } else {
                    Lease::Free {
                        last_seen_at: UnixMillis::try_from(self.choices.below(9)).ok(),
                    }
                },
            ));
        }
        if !self.choices.one_in(8) {
            self.input(Input::Peers(FromPeers::Leases(leases)));
        }
    }
}
