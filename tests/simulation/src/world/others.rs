//! Others who write into the database, past the gateway, and what it is told of that.

use std::sync::Arc;

use rejoinder_gateway::core::Input;
use rejoinder_gateway::store::{Command, NewMessage};

use super::World;
use super::acting::participant;
use super::queue::Event;
use crate::action::Action;

/// News travel so long at most, in virtual milliseconds.
const NEWS_MS: u64 = 50;

/// Others who write into the database.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// The gateway is told nothing before this.
    deaf_until: u64,
    /// So many of their changes are not told, and nobody notices.
    untold: u32,
}

impl World {
    pub(super) fn act_others(&mut self, action: &Action) {
        match action {
            Action::OthersSend { thread, count } => {
                let commands = (0..*count).map(|number| self.others_message(*thread, number));
                let commands = commands.collect();
                self.others_do(commands);
            }
            Action::OthersChange {
                thread,
                which,
                is_deleted,
            } => {
                let command = self.change_of(*thread, *which, *is_deleted);
                self.others_do(command.into_iter().collect());
            }
            Action::OthersRemove { thread, who } => {
                let thread_id = self.thread_id(*thread);
                let user_id = participant(&thread_id, *who);
                self.others_do(vec![Command::Remove { thread_id, user_id }]);
            }
            Action::Admit {
                thread,
                who,
                by_others,
            } => {
                let thread_id = self.thread_id(*thread);
                let user_id = participant(&thread_id, *who);
                let admit = Command::Admit { thread_id, user_id };
                match by_others {
                    true => self.others_do(vec![admit]),
                    false => self.backend(admit),
                }
            }
            Action::Deafen { ms } => {
                self.others.deaf_until = self.others.deaf_until.max(self.now + ms);
                self.tell_soon(None, || Input::Heard { is_heard: false });
                self.queue.push(self.others.deaf_until, Event::Hear);
            }
            Action::LoseNews { changes } => self.others.untold += changes,
            Action::Hold { thread, ms } => {
                let thread_id = self.thread_id(*thread);
                self.records.hold(thread_id, self.now + ms);
            }
            _ => {}
        }
    }

    fn others_message(&mut self, thread: usize, number: u32) -> Command {
        let thread_id = self.thread_id(thread);
        let client_msg_id = self.new_key();
        let server_msg_id = format!("others-{}", client_msg_id.uuid().simple());
        Command::Send(NewMessage {
            sender_id: participant(&thread_id, number % 2),
            thread_id,
            client_msg_id,
            server_msg_id: server_msg_id.parse().expect("a valid id"),
            body: format!("others {number}"),
            attachments: Vec::new(),
            create_dev_pair: false,
        })
    }

    /// Others commit a transaction.
    fn others_do(&mut self, commands: Vec<Command>) {
        let Some(thread_id) = commands.first().map(|one| one.thread_id().clone()) else {
            return;
        };
        if self.records.is_held(&thread_id, self.now) {
            return; // They would wait for each other, too.
        }
        let commands: Arc<[Command]> = commands.into();
        let wall = self.wall(0);
        let Some(applied) = self.records.others(wall, &commands) else {
            return;
        };
        self.trace.note(|| format!("others commit {commands:?}"));
        let truth = self.truths.entry(applied.epoch.clone()).or_default();
        let result = truth.apply(wall, &commands, &applied.outcomes);
        self.check(result);
        let mut outcomes = applied.outcomes.iter().flatten();
        if outcomes.all(|one| one.publication.is_none()) {
            return;
        }
        if self.others.deaf_until > self.now {
            self.coverage.see("state", "a change of others untold");
        } else if self.others.untold > 0 {
            self.others.untold -= 1;
            self.coverage.see("state", "a change of others lost");
        } else {
            self.tell_soon(None, || Input::Hint {
                thread_id: thread_id.clone(),
                revision: None,
            });
        }
    }

    /// Tells every gateway, or one.
    fn tell_soon(&mut self, whom: Option<u64>, input: impl Fn() -> Input) {
        for number in self.numbers() {
            if whom.is_none_or(|whom| whom == number) {
                let at = self.now + self.rng.u64(0..NEWS_MS);
                self.queue.push(at, Event::Gateway(number, input()));
            }
        }
    }

    /// The gateways, or one of them, are told what others write from now on, if they are.
    pub(super) fn hear(&mut self, whom: Option<u64>) {
        if self.setting.others_write && self.others.deaf_until <= self.now {
            self.tell_soon(whom, || Input::Heard { is_heard: true });
        }
    }

    /// Nothing keeps the gateway from being told any more. What was lost stays lost.
    pub(super) fn heal_others(&mut self) {
        self.records.release();
        self.others.untold = 0;
        if self.others.deaf_until > self.now {
            self.others.deaf_until = self.now;
            self.hear(None);
        }
    }
}
