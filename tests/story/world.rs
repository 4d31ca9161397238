//! Everybody and everything between them: tabs, their networks, and a gateway that can be killed.
//! One thread, one virtual clock, no waiting.

use std::collections::VecDeque;
use std::path::PathBuf;

use rejoinder::engine::{Attempt, Input as TabInput, Millis};
use rejoinder_gateway::core::{
    self, Config, Effect, Gateway, Identity, Input, NextBatch, ReadDone, Refusal, SessionKey,
    dev_user,
};
use rejoinder_gateway::store::{Answer, Command, Sqlite, StoreError};
use rejoinder_protocol::{ClientFrame, CloseCode, ServerFrame, decode_client_frame, encode};

use super::browser::{Browser, Output, at};
use super::storage::Storage;

/// Names a tab.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TabId(usize);

/// What a tab's network does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Network {
    Works,
    /// Nothing can be opened; what was open is reset.
    Cut,
    /// What the tab says arrives; what it should hear does not, and nothing tells it.
    Deaf,
    /// What the tab should hear arrives; what it says does not, and nothing tells it.
    Mute,
}

struct Tab {
    browser: Browser,
    network: Network,
    link: Option<(Attempt, SessionKey)>,
}

/// Something that happened on a socket, which is named by its session.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    Closes(u64),
    Hears(u64, String),
    Opens(u64),
    Says(u64, String),
}

struct Running {
    gateway: Gateway,
    store: Sqlite,
}

/// Everybody and everything between them.
pub(crate) struct World {
    now: rejoinder::engine::Now,
    tabs: Vec<Tab>,
    running: Option<Running>,
    database: PathBuf,
    _folder: tempfile::TempDir,
    sessions: u64,
    starts: u64,
    /// The next commit is stored, but its outcome is not known.
    pub(crate) lose_next_commit: bool,
    /// Frames for this session stay in the gateway: its client reads nothing.
    stuck: Vec<SessionKey>,
    /// Reads wait until this is lifted, so that others can write meanwhile.
    pub(crate) hold_reads: bool,
    held: VecDeque<Effect>,
    /// What became of the backend's commands.
    answers: Vec<Answer>,
    /// What went over every socket, in its order.
    pub(crate) recording: Vec<Line>,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut world = Self {
            now: at(0),
            tabs: Vec::new(),
            running: None,
            database: folder.path().join("gateway.db"),
            _folder: folder,
            sessions: 0,
            starts: 0,
            lose_next_commit: false,
            stuck: Vec::new(),
            hold_reads: false,
            held: VecDeque::new(),
            answers: Vec::new(),
            recording: Vec::new(),
        };
        world.start_gateway();
        world
    }

    pub(crate) fn start_gateway(&mut self) {
        self.starts += 1;
        let fresh = format!("epoch-{}", self.starts).parse().unwrap();
        let store = Sqlite::open(&self.database, &fresh).unwrap();
        let mut config = Config::new(store.epoch().clone(), self.starts);
        config.dev_pairs = true;
        config.messages_burst = 100_000;
        self.running = Some(Running {
            gateway: Gateway::new(config),
            store,
        });
    }

    /// Ends the gateway as a power cut would: nobody is told, nothing is finished.
    pub(crate) fn kill_gateway(&mut self) {
        self.running = None;
        self.held.clear();
        self.stuck.clear();
        for tab in &mut self.tabs {
            if let Some((attempt, _)) = tab.link.take() {
                tab.browser.feed(TabInput::SocketClosed {
                    attempt,
                    code: 1006,
                    retry_after_ms: None,
                });
            }
        }
        self.settle();
    }

    /// Puts an older backup in place of the database: here, one from before anything.
    pub(crate) fn restore_empty_database(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            let mut path = self.database.clone().into_os_string();
            path.push(suffix);
            let _ = std::fs::remove_file(PathBuf::from(path));
        }
    }

    pub(crate) fn open_tab(&mut self, user: &str, storage: Storage) -> TabId {
        let seed = self.tabs.len() as u64 + 1;
        let browser = Browser::new(user, storage, self.now, seed);
        self.tabs.push(Tab {
            browser,
            network: Network::Works,
            link: None,
        });
        TabId(self.tabs.len() - 1)
    }

    /// A tab of `user` that shows the thread and is connected.
    pub(crate) fn join(&mut self, user: &str, thread_id: &rejoinder_protocol::ThreadId) -> TabId {
        let tab = self.open_tab(user, Storage::default());
        self.with(tab, |browser| {
            browser.open(thread_id);
            browser.app(rejoinder::engine::AppInput::Connect);
        });
        tab
    }

    /// The page is loaded anew: the same database, a new engine, no goodbye.
    pub(crate) fn reload(&mut self, tab: TabId, thread_id: &rejoinder_protocol::ThreadId) -> TabId {
        let old = &mut self.tabs[tab.0];
        let user = old.browser.engine.user_id().to_string();
        let (storage, network) = (old.browser.storage.clone(), old.network);
        self.close_tab(tab);
        let new = self.open_tab(&user, storage);
        self.tabs[new.0].network = network;
        self.with(new, |browser| {
            browser.open(thread_id);
            browser.app(rejoinder::engine::AppInput::Connect);
        });
        new
    }

    pub(crate) fn close_tab(&mut self, tab: TabId) {
        let link = self.tabs[tab.0].link.take();
        self.tabs[tab.0].network = Network::Cut;
        if let Some((_, session)) = link {
            self.gateway_input(Input::Closed { session });
        }
        // A closed tab must not wake up again.
        self.tabs[tab.0]
            .browser
            .app(rejoinder::engine::AppInput::Disconnect);
        self.tabs[tab.0].browser.outputs.clear();
        self.settle();
    }

    pub(crate) fn tab(&self, tab: TabId) -> &Browser {
        &self.tabs[tab.0].browser
    }

    /// Does something in a tab, and lets everything follow that follows at once.
    pub(crate) fn with<T>(&mut self, tab: TabId, act: impl FnOnce(&mut Browser) -> T) -> T {
        let result = act(&mut self.tabs[tab.0].browser);
        self.settle();
        result
    }

    pub(crate) fn set_network(&mut self, tab: TabId, network: Network) {
        self.tabs[tab.0].network = network;
        if network == Network::Cut
            && let Some((attempt, session)) = self.tabs[tab.0].link.take()
        {
            self.gateway_input(Input::Closed { session });
            self.tabs[tab.0].browser.feed(TabInput::SocketClosed {
                attempt,
                code: 1006,
                retry_after_ms: None,
            });
        }
        self.settle();
    }

    /// The tab's client reads nothing from its socket until `unstick`.
    pub(crate) fn stick(&mut self, tab: TabId) {
        let (_, session) = self.tabs[tab.0].link.unwrap();
        self.stuck.push(session);
    }

    pub(crate) fn unstick(&mut self, tab: TabId) {
        let (_, session) = self.tabs[tab.0].link.unwrap();
        self.stuck.retain(|one| *one != session);
        let mut effects = VecDeque::new();
        self.flush(session, &mut effects);
        self.run(effects);
        self.settle();
    }

    pub(crate) fn release_reads(&mut self) {
        self.hold_reads = false;
        let held = std::mem::take(&mut self.held);
        self.run(held);
        self.settle();
    }

    /// The application's own backend changes something.
    pub(crate) fn command(&mut self, command: Command) -> Answer {
        let request = core::RequestId(self.answers.len() as u64 + 1);
        self.gateway_input(Input::Command { request, command });
        self.settle();
        self.answers.last().unwrap().clone()
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        let end = self.now.monotonic.after(ms);
        loop {
            let tabs = self
                .tabs
                .iter()
                .filter_map(|tab| tab.browser.engine.next_wakeup());
            let gateway = self
                .running
                .as_ref()
                .and_then(|one| one.gateway.next_wakeup());
            let next = tabs.chain(gateway.map(|due| Millis(due.0))).min();
            let Some(due) = next.filter(|due| *due <= end) else {
                break;
            };
            self.set_time(due.max(self.now.monotonic));
            for index in 0..self.tabs.len() {
                let engine = &self.tabs[index].browser.engine;
                if engine
                    .next_wakeup()
                    .is_some_and(|due| due <= self.now.monotonic)
                {
                    self.tabs[index].browser.feed(TabInput::Woke);
                }
            }
            self.gateway_input(Input::Tick);
            self.settle();
        }
        self.set_time(end);
    }

    fn set_time(&mut self, monotonic: Millis) {
        self.now = at(monotonic.0);
        for tab in &mut self.tabs {
            tab.browser.set_time(monotonic);
        }
    }

    fn gateway_now(&self) -> core::Now {
        core::Now {
            monotonic: core::Millis(self.now.monotonic.0),
            wall: self.now.wall,
        }
    }

    /// Carries what tabs want to the network, until nobody wants anything any more.
    fn settle(&mut self) {
        loop {
            let next = self.tabs.iter_mut().enumerate().find_map(|(index, tab)| {
                tab.browser
                    .outputs
                    .pop_front()
                    .map(|output| (index, output))
            });
            let Some((index, output)) = next else { break };
            match output {
                Output::Open(attempt) => self.open_link(index, attempt),
                Output::Close(attempt) => self.close_link(index, attempt),
                Output::Frame(attempt, frame) => self.carry(index, attempt, &frame),
            }
        }
    }

    fn open_link(&mut self, index: usize, attempt: Attempt) {
        let is_possible = self.running.is_some() && self.tabs[index].network != Network::Cut;
        if !is_possible {
            self.tabs[index].browser.feed(TabInput::SocketClosed {
                attempt,
                code: 1006,
                retry_after_ms: None,
            });
            return;
        }
        self.sessions += 1;
        let session = SessionKey(self.sessions);
        self.tabs[index].link = Some((attempt, session));
        self.recording.push(Line::Opens(session.0));
        self.gateway_input(Input::Opened { session });
        self.tabs[index]
            .browser
            .feed(TabInput::SocketOpened { attempt });
    }

    fn close_link(&mut self, index: usize, attempt: Attempt) {
        if let Some((_, session)) = self.tabs[index].link.filter(|(open, _)| *open == attempt) {
            self.tabs[index].link = None;
            self.recording.push(Line::Closes(session.0));
            self.gateway_input(Input::Closed { session });
        }
    }

    fn carry(&mut self, index: usize, attempt: Attempt, frame: &ClientFrame) {
        if self.tabs[index].network == Network::Mute {
            return;
        }
        if let Some((_, session)) = self.tabs[index].link.filter(|(open, _)| *open == attempt) {
            let text = encode(frame);
            self.recording.push(Line::Says(session.0, text.clone()));
            let bytes = text.len();
            let frame = decode_client_frame(&text);
            self.gateway_input(Input::Frame {
                session,
                bytes,
                frame,
            });
        }
    }

    fn gateway_input(&mut self, input: Input) {
        let now = self.gateway_now();
        let mut effects = Vec::new();
        if let Some(running) = &mut self.running {
            running.gateway.handle(now, input, &mut effects);
        }
        self.run(effects.into());
    }

    fn run(&mut self, mut effects: VecDeque<Effect>) {
        let now = self.gateway_now();
        while let Some(effect) = effects.pop_front() {
            let Some(running) = &mut self.running else {
                return;
            };
            let input = match effect {
                Effect::Answer { answer, .. } => {
                    self.answers.push(answer);
                    continue;
                }
                Effect::Commit(NextBatch {
                    batch,
                    asked_in,
                    commands,
                    ..
                }) => {
                    let mut result = running.store.apply(&asked_in, now.wall, &commands);
                    if std::mem::take(&mut self.lose_next_commit) {
                        result = Err(StoreError::UnknownFate("the connection died".to_owned()));
                    }
                    Input::Committed { batch, result }
                }
                Effect::Flush { session } => {
                    self.flush(session, &mut effects);
                    continue;
                }
                Effect::Measure(_) | Effect::Peers(_) => continue,
                effect @ Effect::Read { .. } if self.hold_reads => {
                    self.held.push_back(effect);
                    continue;
                }
                Effect::Read { read, question } => Input::Read {
                    read,
                    result: running.store.read(&question).map(ReadDone::from),
                },
                Effect::Verify { session, token } => {
                    let identity = |user_id| Identity {
                        user_id,
                        expires_at: None,
                    };
                    let result = dev_user(&token).map(identity).ok_or(Refusal::Invalid);
                    Input::Verified { session, result }
                }
            };
            let mut more = Vec::new();
            if let Some(running) = &mut self.running {
                running.gateway.handle(now, input, &mut more);
            }
            effects.extend(more);
        }
    }

    /// Delivers what waits for a session.
    fn flush(&mut self, session: SessionKey, effects: &mut VecDeque<Effect>) {
        if self.stuck.contains(&session) {
            return;
        }
        loop {
            let now = self.gateway_now();
            let mut more = Vec::new();
            let batch = self
                .running
                .as_mut()
                .and_then(|running| running.gateway.take(now, session, &mut more));
            effects.extend(more);
            let Some(batch) = batch else { return };
            for text in batch.frames {
                self.deliver(session, &text);
            }
            if let Some(code) = batch.close {
                self.hang_up(session, code, effects);
                return;
            }
        }
    }

    fn deliver(&mut self, session: SessionKey, text: &str) {
        let linked = |tab: &&mut Tab| tab.link.is_some_and(|(_, one)| one == session);
        let Some(tab) = self.tabs.iter_mut().find(linked) else {
            return;
        };
        if let (Network::Works, Some((attempt, _))) = (tab.network, tab.link) {
            let heard = Line::Hears(session.0, text.to_owned());
            self.recording.push(heard);
            tab.browser.feed(TabInput::Frame {
                attempt,
                text: text.to_owned(),
            });
        }
    }

    fn hang_up(&mut self, session: SessionKey, code: CloseCode, effects: &mut VecDeque<Effect>) {
        let linked = |tab: &&mut Tab| tab.link.is_some_and(|(_, one)| one == session);
        if let Some(tab) = self.tabs.iter_mut().find(linked)
            && let Some((attempt, _)) = tab.link.take()
        {
            let code = code.number();
            tab.browser.feed(TabInput::SocketClosed {
                attempt,
                code,
                retry_after_ms: None,
            });
        }
        let now = self.gateway_now();
        let mut more = Vec::new();
        if let Some(running) = &mut self.running {
            running
                .gateway
                .handle(now, Input::Closed { session }, &mut more);
        }
        effects.extend(more);
    }

    /// Sends a frame to the gateway as this tab's client would, whatever its engine thinks.
    pub(crate) fn inject(&mut self, tab: TabId, frame: &ClientFrame) {
        let (attempt, _) = self.tabs[tab.0].link.unwrap();
        self.carry(tab.0, attempt, frame);
        self.settle();
    }

    /// Repeats a frame to a tab, as a buggy network would.
    pub(crate) fn repeat(&mut self, tab: TabId, frame: &ServerFrame) {
        let (_, session) = self.tabs[tab.0].link.unwrap();
        self.deliver(session, &encode(frame));
        self.settle();
    }

    /// Reads the store as `user` sees it.
    pub(crate) fn stored(
        &self,
        user: &str,
        thread_id: &rejoinder_protocol::ThreadId,
    ) -> Vec<rejoinder_protocol::Message> {
        let store = &self.running.as_ref().unwrap().store;
        let answer = store
            .read(&rejoinder_gateway::store::Read::History {
                reader: rejoinder_gateway::store::Reader::User(user.parse().unwrap()),
                thread_id: thread_id.clone(),
                before: 1_000_000.try_into().unwrap(),
                limit: 200,
            })
            .unwrap();
        match answer.content {
            rejoinder_gateway::store::Content::History(page) => page.messages,
            other => panic!("the store answers with history, not {other:?}"),
        }
    }
}
