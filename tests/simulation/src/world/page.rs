//! Pages: an engine each, its timers, its storage jobs, and what it shows.

use std::collections::{BTreeSet, VecDeque};

use rejoinder::engine::stored::Write;
use rejoinder::engine::{
    AppInput, Attempt, Config, Effect, Engine, Input, Lifecycle, Millis, Notice, Now, Partner, Row,
    StorageFailure, StoredResult, ThreadMeta, TokenInput, WriteId,
};
use rejoinder_protocol::{ClientMsgId, SequenceNumber, ServerMsgId, ThreadId, Token, UserId};

use super::queue::Event;
use super::screen::Screen;
use super::{FaultAt, World};
use crate::checks::client;
use crate::invariant::Invariant;
use crate::random::{delay, stream};
use crate::schedule::USERS;

/// A timer that fires later than this is suspect, in milliseconds.
const LATE_MS: u64 = 1_000;

/// Whoever's tab crashed opens it again after so long, in virtual milliseconds.
const REOPEN_MS: u64 = 300;

/// Something that a page's storage must do.
#[derive(Debug)]
pub enum Job {
    /// Delete everything.
    Delete,
    /// Read the outbox.
    LoadOutbox,
    /// Read a part of a thread.
    LoadThread(ThreadId, Option<SequenceNumber>),
    /// Write.
    Persist(WriteId, Write),
}

/// A page that is frozen, or whose device sleeps.
#[derive(Clone, Copy, Debug)]
struct Sleep {
    since: u64,
    clock_stops: bool,
    timers_first: bool,
}

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
    /// Not to try again before this, for the gateway asked for it.
    pub not_before: u64,
    /// Messages that its user took back, for good.
    pub taken_back: BTreeSet<ClientMsgId>,
    /// Messages that were announced.
    pub announced: BTreeSet<ServerMsgId>,
    pub(super) jobs: VecDeque<Job>,
    pub(crate) link: Option<usize>,
    /// The attempt whose socket is being opened.
    pub(super) dialing: Option<Attempt>,
    /// Answers that are on their way.
    pub(super) outstanding: u32,
    pub(super) missed: VecDeque<Input>,
    /// It crashes after so many more effects.
    pub(super) crash_after: Option<u32>,
    /// Its connection to the database is lost for good.
    pub(super) is_database_closed: bool,
    engine: Engine,
    is_storage_busy: bool,
    wake_at: Option<u64>,
    sleep: Option<Sleep>,
    /// How far its monotonic clock is behind.
    behind_ms: u64,
}

impl Page {
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
            not_before: 0,
            taken_back: BTreeSet::new(),
            announced: BTreeSet::new(),
            jobs: VecDeque::new(),
            link: None,
            dialing: None,
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
        let user_id = self.devices[device].user_id.as_str();
        let all = (0..crate::schedule::THREADS.len()).map(|number| self.thread_id(number));
        all.filter(|id| id.as_str().split('|').any(|one| one == user_id))
            .collect()
    }

    /// The application asks an engine for something.
    pub fn app(&mut self, page: usize, input: AppInput) {
        let one = &mut self.pages[page];
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

    /// Something reaches a page from outside.
    pub(super) fn tell_page(&mut self, page: usize, input: Input) {
        let one = &mut self.pages[page];
        let is_answer = matches!(
            input,
            Input::Stored { .. }
                | Input::OutboxLoaded(_)
                | Input::ThreadLoaded { .. }
                | Input::Token { .. }
                | Input::SocketOpened { .. }
        );
        if is_answer {
            one.outstanding = one.outstanding.saturating_sub(1);
        }
        let is_storage =
            is_answer && !matches!(input, Input::Token { .. } | Input::SocketOpened { .. });
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

    fn page_now(&self, page: usize) -> Now {
        let one = &self.pages[page];
        Now {
            monotonic: Millis(self.now - one.behind_ms),
            wall: self.wall(self.devices[one.device].wall_offset_ms),
        }
    }

    /// Hands an input to the engine and does what it asks for.
    pub(super) fn feed(&mut self, page: usize, input: Input) {
        if !self.pages[page].is_open || self.violation.is_some() {
            return;
        }
        client::hears(self, page, &input);
        let now = self.page_now(page);
        // An engine cannot know that a timer is late by less than a second.
        let due = self.next_wakeup(page);
        let is_late = due.is_some_and(|due| now.monotonic.since(due) > LATE_MS);
        let is_late_timer = is_late && matches!(input, Input::Woke);
        let mut effects = Vec::new();
        self.pages[page].engine.handle(now, input, &mut effects);
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
            Effect::OpenSocket { attempt } => self.open_socket(page, attempt),
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

    fn bring_token(&mut self, page: usize, attempt: Attempt) {
        client::attempt(self, page);
        let tab = self.pages[page].tab;
        let user_id = self.pages[page].user_id.clone();
        let now = self.now;
        let around = &mut self.tabs[tab].around;
        let usual = delay(&mut around.rng, 20);
        let wait = if around.slow_token_until > now {
            usual + 12_000
        } else {
            usual
        };
        let token = if around.no_token_until > now {
            None
        } else if around.wrong_token_until > now {
            let other = USERS.iter().find(|one| **one != user_id.as_str());
            // The application does not read its own token.
            other.map(|other| TokenInput {
                token: Token::new(format!("dev:{other}")),
                subject: None,
            })
        } else {
            let token = Token::new(format!("dev:{user_id}"));
            Some(TokenInput {
                token,
                subject: Some(user_id),
            })
        };
        self.pages[page].outstanding += 1;
        self.queue.push(
            now + wait,
            Event::Page(page, Input::Token { attempt, token }),
        );
    }

    fn set_timer(&mut self, page: usize) {
        let one = &self.pages[page];
        if !one.is_open || one.sleep.is_some() {
            return;
        }
        let Some(due) = one.engine.next_wakeup() else {
            return;
        };
        let mut at = (due.0 + one.behind_ms).max(self.now);
        if self.tabs[one.tab].throttled_until > self.now {
            at = at.next_multiple_of(60_000);
        }
        if one.wake_at.is_none_or(|planned| at < planned) {
            self.pages[page].wake_at = Some(at);
            self.queue.push(at, Event::Wake(page));
        }
    }

    pub(super) fn wake(&mut self, page: usize) {
        let now = self.page_now(page);
        let one = &mut self.pages[page];
        if one.wake_at != Some(self.now) {
            return;
        }
        one.wake_at = None;
        if !one.is_open || one.sleep.is_some() {
            return;
        }
        if one
            .engine
            .next_wakeup()
            .is_some_and(|due| due <= now.monotonic)
        {
            self.feed(page, Input::Woke);
        } else {
            self.set_timer(page);
        }
    }

    /// Freezes a page.
    pub(super) fn fall_asleep(
        &mut self,
        page: usize,
        ms: u64,
        clock_stops: bool,
        timers_first: bool,
    ) {
        let one = &mut self.pages[page];
        if one.sleep.is_none() {
            one.sleep = Some(Sleep {
                since: self.now,
                clock_stops,
                timers_first,
            });
            self.queue.push(self.now + ms, Event::Thaw(page));
        }
    }

    /// Wakes a page: overdue timers and what arrived meanwhile, in either order.
    pub(super) fn thaw(&mut self, page: usize) {
        let Some(sleep) = self.pages[page].sleep.take() else {
            return;
        };
        if sleep.clock_stops {
            self.pages[page].behind_ms += self.now - sleep.since;
        }
        let now = self.page_now(page).monotonic;
        let is_due = self.pages[page]
            .engine
            .next_wakeup()
            .is_some_and(|due| due <= now);
        if sleep.timers_first && is_due {
            self.feed(page, Input::Woke);
        }
        while let Some(input) = self.pages[page].missed.pop_front() {
            self.feed(page, input);
        }
        self.feed(page, Input::Lifecycle(Lifecycle::Visible));
        self.set_timer(page);
    }

    fn add_job(&mut self, page: usize, job: Job) {
        if !matches!(job, Job::Delete) {
            self.pages[page].outstanding += 1;
        }
        self.pages[page].jobs.push_back(job);
        self.begin_storage_job(page);
    }

    fn begin_storage_job(&mut self, page: usize) {
        let one = &mut self.pages[page];
        if one.is_storage_busy || one.jobs.is_empty() {
            return;
        }
        one.is_storage_busy = true;
        let device = &mut self.devices[one.device];
        let mut wait = delay(&mut device.rng, self.setting.storage_ms);
        if device.slow.1 > self.now {
            wait += device.slow.0;
        }
        self.queue.push(self.now + wait, Event::Storage(page));
    }

    /// Runs a page's next storage job; it learns of that a little later.
    pub(super) fn do_storage_job(&mut self, page: usize) {
        if !self.pages[page].is_open {
            return;
        }
        let Some(job) = self.pages[page].jobs.pop_front() else {
            return;
        };
        let answer = self.perform(page, job);
        let Some(input) = answer else {
            self.pages[page].is_storage_busy = false;
            return self.begin_storage_job(page);
        };
        let device = &mut self.devices[self.pages[page].device];
        let wait = delay(&mut device.rng, self.setting.storage_ms);
        self.queue.push(self.now + wait, Event::Page(page, input));
    }

    fn perform(&mut self, page: usize, job: Job) -> Option<Input> {
        let device = self.pages[page].device;
        let is_closed = self.pages[page].is_database_closed;
        self.trace.note(|| format!("page {page} storage {job:?}"));
        match job {
            Job::Delete => {
                self.forget(device);
                for other in self.pages.iter_mut().filter(|one| one.device == device) {
                    other.is_database_closed = true;
                }
                client::deleted(self, page);
                None
            }
            Job::LoadOutbox => {
                let disk = &self.devices[device].disk;
                let closed = Err(StorageFailure::Closed);
                Some(Input::OutboxLoaded(if is_closed {
                    closed
                } else {
                    Ok(disk.load_outbox())
                }))
            }
            Job::LoadThread(thread_id, before) => {
                let disk = &self.devices[device].disk;
                let result = if is_closed {
                    Err(StorageFailure::Closed)
                } else {
                    Ok(disk.load_thread(&thread_id, before))
                };
                Some(Input::ThreadLoaded {
                    thread_id,
                    before,
                    result,
                })
            }
            Job::Persist(write_id, _) if is_closed => {
                let result = StoredResult::Failed(StorageFailure::Closed);
                Some(Input::Stored { write_id, result })
            }
            Job::Persist(write_id, write) => {
                if self.fault == Some(FaultAt::Write(self.writes)) {
                    self.fault = None;
                    self.devices[device].disk.quota = 2;
                }
                self.writes += 1;
                let written = self.devices[device].disk.write(&write);
                match written.result {
                    StoredResult::Refused => self.coverage.see("state", "write refused"),
                    StoredResult::Failed(_) => self.coverage.see("state", "write failed"),
                    StoredResult::Committed { .. } => {}
                }
                client::written(self, page, &written);
                let result = written.result;
                Some(Input::Stored { write_id, result })
            }
        }
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

    fn end_page(&mut self, page: usize) {
        let one = &mut self.pages[page];
        one.is_open = false;
        one.missed.clear();
        let (tab, link) = (one.tab, one.link.take());
        self.tabs[tab].page = None;
        if let Some(link) = link {
            self.leave_link(link);
        }
    }

    /// Returns the engine's next wish for time.
    pub fn next_wakeup(&self, page: usize) -> Option<Millis> {
        self.pages[page].engine.next_wakeup()
    }

    /// Notes a claim that an engine makes without reason.
    pub(super) fn heard_before_judged(&mut self, page: usize, attempt: Attempt) {
        let waits =
            |input: &Input| matches!(input, Input::Frame { attempt: of, .. } if *of == attempt);
        if self.pages[page].missed.iter().any(waits) {
            self.fail(Invariant::HeardBeforeJudged, || {
                format!("page {page} gives its connection up before it reads what arrived")
            });
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
