//! Pages: an engine each, what it asks for, and what it shows.

use std::collections::{BTreeSet, VecDeque};

use rejoinder::engine::{
    AppInput, Attempt, Config, Effect, Engine, Input, Notice, Partner, Row, ThreadMeta,
};
use rejoinder_protocol::{ClientMsgId, ServerMsgId, ThreadId, UserId};

use super::jobs::Job;
use super::network::Link;
use super::queue::Event;
use super::screen::Screen;
use super::timers::Sleep;
use super::{FaultAt, World};
use crate::checks::flights::{self, Flight};
use crate::checks::{client, tokens, ways};
use crate::random::stream;
use crate::schedule::{other_user_of, threads_of};

/// A timer that fires later than this is suspect, in milliseconds.
const LATE_MS: u64 = 1_000;

/// Whoever's tab crashed opens it again after so long, in virtual milliseconds.
const REOPEN_MS: u64 = 300;

/// One page, from its loading to its end.
#[derive(Debug)]
pub struct Page {
    /// In which tab.
    pub tab: usize,
    /// On which device.
    pub device: usize,
    /// Whose.
    pub user_id: UserId,
    /// What it shows.
    pub screen: Screen,
    /// Whether it is open.
    pub is_open: bool,
    /// Whether its user wants to be connected.
    pub wants_connection: bool,
    /// Whether its user logged out.
    pub is_logged_out: bool,
    /// Threads that its user has open.
    pub open_threads: BTreeSet<ThreadId>,
    /// When it asked for a token, for each attempt.
    pub attempts: Vec<u64>,
    /// Its user asked to connect since the last attempt.
    pub is_hurried: bool,
    /// WebSockets in a row that are cut soon.
    pub cut_sockets: u32,
    /// Not to try again before this, for the gateway asked for it.
    pub not_before: u64,
    /// In which attempt.
    pub goodbye_of: Option<Attempt>,
    /// The last attempt whose connection it has left.
    pub left: Option<Attempt>,
    /// Messages that its user took back, for good.
    pub taken_back: BTreeSet<ClientMsgId>,
    /// Messages that were announced.
    pub announced: BTreeSet<ServerMsgId>,
    /// What it has sent and was not answered.
    pub flights: Vec<Flight>,
    /// What its tokens have come to.
    pub tokens: tokens::Watch,
    pub(super) jobs: VecDeque<Job>,
    /// Its connections: one, and perhaps one that is to follow it.
    pub(crate) links: Vec<usize>,
    /// The attempts whose connections are being opened.
    pub(super) dialing: Vec<Attempt>,
    /// Answers that are on their way.
    pub(super) outstanding: u32,
    pub(super) missed: VecDeque<Input>,
    /// It crashes after so many more effects.
    pub(super) crash_after: Option<u32>,
    /// Its connection to the database is lost for good.
    pub(super) is_database_closed: bool,
    pub(super) engine: Engine,
    pub(super) is_storage_busy: bool,
    pub(super) wake_at: Option<u64>,
    pub(super) sleep: Option<Sleep>,
    /// How far its monotonic clock is behind.
    pub(super) behind_ms: u64,
}

impl Page {
    pub(super) fn is_dialing(&self, attempt: Attempt) -> bool {
        self.dialing.contains(&attempt)
    }

    /// Returns its connection of an attempt.
    pub(super) fn link_of(&self, links: &[Link], attempt: Attempt) -> Option<usize> {
        let mut own = self.links.iter().copied();
        own.find(|link| links[*link].attempt == attempt)
    }

    /// Whether it takes part in nothing for now.
    pub fn is_asleep(&self) -> bool {
        self.sleep.is_some()
    }
}

impl World {
    /// Opens a page in a tab, which shows all threads and connects.
    pub fn open_tab(&mut self, tab: usize) {
        if self.tabs[tab].page.is_some() {
            return;
        }
        let device = self.tabs[tab].device;
        let user_id = self.devices[device].user_id.clone();
        let number = self.pages.len();
        let config = Config {
            user_id: user_id.clone(),
            skip_failed: self.setting.skip_failed,
        };
        let seed = stream(self.seed, "engine", number as u64).u64(..);
        self.pages.push(Page {
            tab,
            device,
            user_id,
            screen: Screen::default(),
            is_open: true,
            wants_connection: true,
            is_logged_out: false,
            open_threads: BTreeSet::new(),
            attempts: Vec::new(),
            is_hurried: true,
            cut_sockets: 0,
            not_before: 0,
            goodbye_of: None,
            left: None,
            taken_back: BTreeSet::new(),
            announced: BTreeSet::new(),
            flights: Vec::new(),
            tokens: tokens::Watch::default(),
            jobs: VecDeque::new(),
            links: Vec::new(),
            dialing: Vec::new(),
            outstanding: 0,
            missed: VecDeque::new(),
            crash_after: None,
            is_database_closed: false,
            engine: Engine::new(config, seed),
            is_storage_busy: false,
            wake_at: None,
            sleep: None,
            behind_ms: 0,
        });
        self.tabs[tab].page = Some(number);
        self.trace
            .note(|| format!("page {number} is opened in tab {tab}"));
        for thread in self.threads_of(device) {
            self.app(number, AppInput::OpenThread { thread_id: thread });
        }
        self.app(number, AppInput::Connect);
    }

    /// Returns the threads that a device's user takes part in.
    pub fn threads_of(&self, device: usize) -> Vec<ThreadId> {
        threads_of(device)
            .map(|thread| self.thread_id(thread))
            .collect()
    }

    /// The application asks an engine for something.
    pub fn app(&mut self, page: usize, input: AppInput) {
        let one = &mut self.pages[page];
        if matches!(input, AppInput::Connect) && self.setting.is_token_text {
            // With another text.
            self.tabs[one.tab].token = None;
        }
        match &input {
            AppInput::OpenThread { thread_id } => {
                one.open_threads.insert(thread_id.clone());
            }
            AppInput::CloseThread { thread_id } => {
                one.open_threads.remove(thread_id);
            }
            AppInput::Connect => {
                one.wants_connection = true;
                one.is_hurried = true;
                tokens::connects(one);
            }
            AppInput::WatchInbox => {
                one.screen.inbox_is_current.get_or_insert(false);
            }
            AppInput::Disconnect => {
                one.wants_connection = false;
                one.not_before = 0;
            }
            AppInput::Logout => {
                one.wants_connection = false;
                one.is_logged_out = true;
            }
            _ => {}
        }
        self.feed(page, Input::App(input));
    }

    /// Something will reach a page, in so many virtual milliseconds.
    pub(super) fn tell_page_later(&mut self, page: usize, wait: u64, input: Input) {
        self.queue.push(self.now + wait, Event::Page(page, input));
    }

    /// Something reaches a page from outside.
    pub(super) fn tell_page(&mut self, page: usize, input: Input) {
        let one = &mut self.pages[page];
        let is_storage = matches!(
            input,
            Input::Stored { .. } | Input::OutboxLoaded(_) | Input::ThreadLoaded { .. }
        );
        if is_storage || matches!(input, Input::Token { .. } | Input::SocketOpened { .. }) {
            one.outstanding = one.outstanding.saturating_sub(1);
        }
        if !one.is_open {
            return;
        }
        if is_storage {
            one.is_storage_busy = false;
        }
        if one.sleep.is_some() {
            one.missed.push_back(input);
        } else {
            self.feed(page, input);
        }
        if is_storage {
            self.begin_storage_job(page);
        }
    }

    /// Hands an input to the engine and does what it asks for.
    pub(super) fn feed(&mut self, page: usize, input: Input) {
        if !self.pages[page].is_open || self.violation.is_some() {
            return;
        }
        if matches!(input, Input::Lifecycle(_)) {
            // It may be another network now.
            self.pages[page].cut_sockets = 0;
        }
        client::hears(self, page, &input);
        tokens::hears(self, page, &input);
        flights::hears(&mut self.pages[page], &input);
        let now = self.page_now(page);
        // An engine cannot know that a timer is late by less than a second.
        let due = self.next_wakeup(page);
        let is_late = due.is_some_and(|due| now.monotonic.since(due) > LATE_MS);
        let is_late_timer = is_late && matches!(input, Input::Woke);
        let mut effects = Vec::new();
        let late = tokens::late_token(&self.pages[page], &input);
        let living = ways::living_beside(self, page, &input);
        let succession = flights::succession(self, page, &input);
        self.pages[page].engine.handle(now, input, &mut effects);
        ways::stays(self, living, &effects);
        flights::goes_on(self, page, succession, &effects);
        if late {
            tokens::dropped(self, page, &effects);
        }
        for effect in effects {
            if let Some(left) = self.pages[page].crash_after {
                if left == 0 {
                    self.coverage.see("fault", "crash at an effect");
                    self.crash(page);
                    return;
                }
                self.pages[page].crash_after = Some(left - 1);
            }
            if self.fault == Some(FaultAt::PageEffect(self.effects.0)) {
                self.fault = None;
                self.crash(page);
                let tab = self.pages[page].tab;
                return self.queue.push(self.now + REOPEN_MS, Event::Open(tab));
            }
            self.effects.0 += 1;
            self.execute(page, effect, is_late_timer);
        }
        self.set_timer(page);
        client::after_step(self, page);
    }

    fn execute(&mut self, page: usize, effect: Effect, is_late_timer: bool) {
        match effect {
            Effect::CloseSocket { attempt } => self.close_socket(page, attempt, is_late_timer),
            Effect::DeleteDatabase => self.add_job(page, Job::Delete),
            Effect::LoadOutbox => self.add_job(page, Job::LoadOutbox),
            Effect::LoadThread { thread_id, before } => {
                self.add_job(page, Job::LoadThread(thread_id, before));
            }
            Effect::Notify(notice) => self.show(page, notice),
            Effect::OpenSocket { attempt, transport } => {
                self.open_connection(page, attempt, transport);
            }
            Effect::Persist { write_id, write } => {
                self.add_job(page, Job::Persist(write_id, write));
            }
            Effect::RequestToken { attempt } => self.bring_token(page, attempt),
            Effect::Transmit { attempt, frame } => self.transmit(page, attempt, &frame),
        }
    }

    fn show(&mut self, page: usize, notice: Notice) {
        self.trace
            .note(|| format!("page {page} is told {}", brief(&notice)));
        client::notice(self, page, notice);
    }

    /// Ends a page without warning: some of what it asked its storage for is still done.
    pub fn crash(&mut self, page: usize) {
        if !self.pages[page].is_open {
            return;
        }
        let jobs = std::mem::take(&mut self.pages[page].jobs);
        let device = self.pages[page].device;
        let done = self.devices[device].rng.usize(0..=jobs.len());
        self.trace.note(|| {
            format!(
                "page {page} crashes, {done} of {} jobs are done",
                jobs.len()
            )
        });
        for job in jobs.into_iter().take(done) {
            self.perform(page, job);
        }
        self.end_page(page);
        self.check_disk(device);
    }

    /// Ends a page properly: what it asked its storage for is done.
    pub fn close_tab(&mut self, tab: usize) {
        let Some(page) = self.tabs[tab].page else {
            return;
        };
        self.trace.note(|| format!("page {page} is closed"));
        for job in std::mem::take(&mut self.pages[page].jobs) {
            self.perform(page, job);
        }
        self.end_page(page);
    }

    /// Another user takes over a page, or gives it back: the application connects with their token,
    /// and nobody has logged out.
    pub fn switch_user(&mut self, tab: usize) {
        let other = other_user_of(self.tabs[tab].device);
        let page = self.page_in(tab);
        let is_awake = page.is_some_and(|page| !self.pages[page].is_asleep());
        if let (Some(other), true) = (other, is_awake) {
            self.close_tab(tab);
            self.tabs[tab].device = other;
            // Of whom the application's function knew already.
            self.tabs[tab].around.tokens.others_until = 0;
            self.open_tab(tab);
        }
    }

    fn end_page(&mut self, page: usize) {
        for index in 0..self.ledger.calls.len() {
            let sent = &self.ledger.calls[index];
            let is_orphan = sent.page == page && !sent.is_safe();
            if is_orphan && self.fates(&sent.key_name()).is_empty() {
                self.ledger.calls[index].is_orphan = true;
            }
        }
        let one = &mut self.pages[page];
        one.is_open = false;
        one.missed.clear();
        let (tab, links) = (one.tab, std::mem::take(&mut one.links));
        self.tabs[tab].page = None;
        for link in links {
            let attempt = self.links[link].attempt;
            self.leave_link(link);
            for request in self.requests_of(page, attempt) {
                self.leave_link(request);
            }
        }
    }
}

/// What an application is told, short enough to read.
fn brief(notice: &Notice) -> String {
    let row = |row: &Row| {
        let place = row.sequence_number.map_or(0, |place| place.get());
        let body: String = row.body.chars().take(20).collect();
        format!("#{place} {body:?} {:?}", row.delivery)
    };
    match notice {
        Notice::Thread(delta) => {
            let rows: Vec<_> = delta.upserted.iter().map(row).collect();
            let meta = delta.meta.as_ref().map(|meta| {
                let ThreadMeta {
                    sync_state,
                    has_gap,
                    unavailable,
                    partners,
                    ..
                } = meta;
                let brief = |one: &Partner| format!("{} {:?}", one.user_id, one.presence);
                let partners: Vec<_> = partners.iter().map(brief).collect();
                format!("{sync_state:?} gap {has_gap} {unavailable:?} {partners:?}")
            });
            let gone = delta.removed.len();
            let splice = delta
                .splice
                .as_ref()
                .map(|one| (one.at, one.delete_count, one.insert.len()));
            format!("{} {rows:?} -{gone} {splice:?} {meta:?}", delta.thread_id)
        }
        Notice::Message { message, .. } => format!("message {}", row(message)),
        Notice::Connection(one) => format!("{:?} {:?} {:?}", one.state, one.reason, one.storage),
        other => format!("{other:?}"),
    }
}
