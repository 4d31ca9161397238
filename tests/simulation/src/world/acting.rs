//! How an action happens in the world. What makes no sense at its moment does nothing, so a
//! schedule stays a schedule whatever is left out of it.

use rejoinder::engine::{AppInput, Input, Lifecycle};
use rejoinder_gateway::core::{Input as GatewayInput, RequestId};
use rejoinder_gateway::store::{Command, NewMessage};
use rejoinder_protocol::{ClientMsgId, ThreadId, UserId};
use uuid::Uuid;

use crate::action::{Action, Hint, Key, Size};
use crate::ledger::Sent;
use crate::schedule::USERS;
use crate::truth::ThreadTruth;

use super::World;

impl World {
    /// Lets an action happen.
    pub fn act(&mut self, action: &Action) {
        self.coverage.see("action", action.kind());
        self.trace.note(|| format!("* {action:?}"));
        match action {
            Action::Send {
                tab,
                thread,
                size,
                key,
            } => self.act_send(*tab, *thread, *size, *key),
            Action::Discard { tab, which } => self.act_discard(*tab, *which),
            Action::Retry { tab } => self.act_retry(*tab),
            Action::LoadOlder { tab, thread } => {
                let thread_id = self.thread_id(*thread);
                self.ask(*tab, AppInput::LoadOlder { thread_id });
            }
            Action::Open { tab, thread } => {
                let thread_id = self.thread_id(*thread);
                self.ask(*tab, AppInput::OpenThread { thread_id });
            }
            Action::Close { tab, thread } => {
                let thread_id = self.thread_id(*thread);
                self.ask(*tab, AppInput::CloseThread { thread_id });
            }
            Action::Type {
                tab,
                thread,
                is_typing,
            } => {
                let (thread_id, is_typing) = (self.thread_id(*thread), *is_typing);
                self.ask(
                    *tab,
                    AppInput::SetTyping {
                        thread_id,
                        is_typing,
                    },
                );
            }
            Action::WatchInbox { tab } => self.ask(*tab, AppInput::WatchInbox),
            Action::Connect { tab } => self.ask(*tab, AppInput::Connect),
            Action::Disconnect { tab } => self.ask(*tab, AppInput::Disconnect),
            Action::Logout { tab } => self.ask(*tab, AppInput::Logout),
            Action::SwitchUser { tab } => self.switch_user(*tab),
            Action::Tell { tab, hint } => self.act_tell(*tab, *hint),
            Action::Edit { thread, which } => self.act_on_message(*thread, *which, false),
            Action::Delete { thread, which } => self.act_on_message(*thread, *which, true),
            Action::Remove { thread, who } => self.act_remove(*thread, *who),
            Action::Import { thread, count } => self.act_import(*thread, *count),
            _ => {
                // Each takes what is its own.
                self.act_device(action);
                self.act_network(action);
                self.act_gateway(action);
                self.act_others(action);
                self.act_peers(action);
            }
        }
    }

    /// The application in a tab asks for something, if a page is awake there.
    fn ask(&mut self, tab: usize, input: AppInput) {
        if let Some(page) = self.awake_page(tab) {
            self.app(page, input);
        }
    }

    fn awake_page(&self, tab: usize) -> Option<usize> {
        let page = self.page_in(tab)?;
        let one = &self.pages[page];
        (!one.is_asleep() && !one.is_logged_out).then_some(page)
    }

    /// Makes a key that was never used.
    pub(super) fn new_key(&mut self) -> ClientMsgId {
        self.keys += 1;
        let number = u128::from(self.keys);
        ClientMsgId::new(Uuid::from_u128((0x7000_8000 << 64) | number))
    }

    fn act_send(&mut self, tab: usize, thread: usize, size: Size, key: Key) {
        let Some(page) = self.awake_page(tab) else {
            return;
        };
        let thread_id = self.thread_id(thread);
        let device = self.pages[page].device;
        if !self.threads_of(device).contains(&thread_id) {
            return;
        }
        let user_id = self.pages[page].user_id.clone();
        let mut of_thread = self
            .ledger
            .calls
            .iter()
            .rev()
            .filter(|one| one.thread_id == thread_id);
        let model = match key {
            Key::Fresh => None,
            Key::Stolen => of_thread.find(|one| one.user_id != user_id),
            Key::Copied | Key::Clashing => {
                of_thread.find(|one| one.user_id == user_id && one.device != device)
            }
        };
        let model = model.map(|one| (one.client_msg_id, one.body.clone()));
        let number = self.ledger.calls.len();
        let (client_msg_id, body, is_unusual) = match (key, model) {
            (Key::Copied, Some((key, body))) => (key, body, true),
            (Key::Stolen | Key::Clashing, Some((key, _))) => (key, format!("{number} again"), true),
            (_, None) | (Key::Fresh, _) => (self.new_key(), text(number, size), false),
        };
        self.ledger.add(Sent {
            user_id,
            thread_id: thread_id.clone(),
            client_msg_id,
            body: body.clone(),
            device,
            page,
            answer: None,
            safe_since: None,
            is_unusual,
            is_failed: false,
            has_failed: false,
            is_discarded: false,
            told_by: None,
            outcome: None,
            is_orphan: false,
            is_forgotten: false,
        });
        let attachments = Vec::new();
        self.app(
            page,
            AppInput::Send {
                thread_id,
                client_msg_id,
                body,
                attachments,
            },
        );
    }

    fn act_discard(&mut self, tab: usize, which: u32) {
        let Some(page) = self.awake_page(tab) else {
            return;
        };
        let waiting: Vec<_> = self.pages[page]
            .screen
            .waiting()
            .map(|row| row.client_msg_id)
            .collect();
        if waiting.is_empty() {
            return;
        }
        let client_msg_id = waiting[which as usize % waiting.len()];
        self.discard(page, client_msg_id);
    }

    /// A user takes a message back.
    pub fn discard(&mut self, page: usize, client_msg_id: ClientMsgId) {
        let user_id = self.pages[page].user_id.clone();
        let device = self.pages[page].device;
        self.ledger
            .update(&user_id, client_msg_id, device, |sent, _| {
                sent.is_discarded = true
            });
        self.app(page, AppInput::Discard { client_msg_id });
    }

    fn act_retry(&mut self, tab: usize) {
        let Some(page) = self.awake_page(tab) else {
            return;
        };
        for client_msg_id in self.pages[page].screen.failed() {
            let (user_id, device) = (self.pages[page].user_id.clone(), self.pages[page].device);
            let retried = |sent: &mut Sent, _| sent.is_failed = false;
            self.ledger.update(&user_id, client_msg_id, device, retried);
            self.app(page, AppInput::Retry { client_msg_id });
        }
    }

    fn act_tell(&mut self, tab: usize, hint: Hint) {
        let lifecycle = match hint {
            Hint::Hidden => Lifecycle::Hidden,
            Hint::Offline => Lifecycle::Offline,
            Hint::Online => Lifecycle::Online,
            Hint::Visible => Lifecycle::Visible,
        };
        if let Some(page) = self
            .page_in(tab)
            .filter(|page| !self.pages[*page].is_asleep())
        {
            self.feed(page, Input::Lifecycle(lifecycle));
        }
    }

    /// The application's own backend asks the gateway for a change.
    pub(super) fn backend(&mut self, command: Command) {
        if let Some(number) = self.any_process(|_| true) {
            let request = RequestId(self.events);
            self.tell_gateway(number, GatewayInput::Command { request, command });
        }
    }

    fn act_on_message(&mut self, thread: usize, which: u32, is_deleted: bool) {
        if let Some(command) = self.change_of(thread, which, is_deleted) {
            self.backend(command);
        }
    }

    /// Returns a change of one of a thread's messages.
    pub(super) fn change_of(&self, thread: usize, which: u32, is_deleted: bool) -> Option<Command> {
        let thread_id = self.thread_id(thread);
        let number = self.ledger.calls.len();
        let thread = self.truth().threads.get(&thread_id);
        let messages = &thread.filter(|all| !all.messages.is_empty())?.messages;
        // Mostly new ones, which people still look at.
        let range = if which.is_multiple_of(4) {
            messages.len()
        } else {
            8
        };
        let back = (which as usize / 4 % range).min(messages.len() - 1);
        let message = &messages[messages.len() - 1 - back];
        let (user_id, server_msg_id) = (message.sender_id.clone(), message.server_msg_id.clone());
        Some(if is_deleted {
            Command::Tombstone {
                thread_id,
                user_id,
                server_msg_id,
            }
        } else {
            let body = format!("edited {which} of {number}");
            Command::Edit {
                thread_id,
                user_id,
                server_msg_id,
                body,
            }
        })
    }

    fn act_remove(&mut self, thread: usize, who: u32) {
        let thread_id = self.thread_id(thread);
        let user_id = participant(&thread_id, who);
        self.backend(Command::Remove { thread_id, user_id });
    }

    fn act_import(&mut self, thread: usize, count: u32) {
        let thread_id = self.thread_id(thread);
        let is_there = |thread: &&ThreadTruth| !thread.participants.is_empty();
        if self
            .truth()
            .threads
            .get(&thread_id)
            .filter(is_there)
            .is_none()
        {
            return;
        }
        for number in 0..count {
            let client_msg_id = self.new_key();
            let sender_id = participant(&thread_id, number % 2);
            let body = format!("imported {number}");
            let server_msg_id = format!("import-{}", client_msg_id.uuid().simple());
            self.backend(Command::Send(NewMessage {
                thread_id: thread_id.clone(),
                sender_id,
                client_msg_id,
                server_msg_id: server_msg_id.parse().expect("a valid id"),
                body,
                attachments: Vec::new(),
                create_dev_pair: false,
            }));
        }
    }
}

/// Returns one of the two whose thread it is.
pub(super) fn participant(thread_id: &ThreadId, number: u32) -> UserId {
    let name = thread_id.as_str().split('|').nth(number as usize % 2);
    name.unwrap_or(USERS[0]).parse().expect("a valid user")
}

fn text(number: usize, size: Size) -> String {
    match size {
        Size::Short => format!("message {number}"),
        Size::Long => format!("message {number} {}", "long ".repeat(700)),
        Size::TooLong => "too long ".repeat(4_000),
    }
}
