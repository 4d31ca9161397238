//! Everybody and everything between them, on one thread under one clock.
//!
//! The engines, the gateway's cores, the store and the rules of the browser's storage are the real
//! ones. What is played is what surrounds them: clocks, the network, and the moment at which
//! anything happens.

mod acting;
pub mod disk;
mod healing;
mod jobs;
pub mod network;
mod others;
pub mod page;
mod peers;
pub mod process;
mod queue;
pub mod records;
pub mod screen;
mod streams;
mod timers;
pub(crate) mod tokens;
mod troubles;

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use rejoinder::engine::Attempt;
use rejoinder_gateway::store::plan::KeyName;
use rejoinder_protocol::{Epoch, ThreadId, UnixMillis, UserId};

use crate::checks::wire::Wire;
use crate::coverage::Coverage;
use crate::invariant::{Invariant, Violation};
use crate::ledger::Ledger;
use crate::random::stream;
use crate::schedule::{DEVICES, Schedule, Setting, TABS, THREADS, USERS};
use crate::trace::Trace;
use crate::truth::{Key, Truth, Wrong};

use disk::Disk;
use network::{Link, Surroundings};
use others::Others;
use page::Page;
use peers::Peers;
use process::{Place, Process};
use queue::{Event, Queue};
use records::Records;
use tokens::Minted;

/// A day in 2026.
const WALL_MS: u64 = 1_790_000_000_000;
/// A run with more events than this spins.
const EVENTS_MAX: u64 = 300_000;

/// An exact place for one fault, by the count of what happened before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FaultAt {
    /// The page that is about to have this effect crashes; its tab is opened again.
    PageEffect(u64),
    /// The gateway is killed before it has this effect, and started again.
    GatewayEffect(u64),
    /// This write to a browser's storage, and a few after it, find the disk full.
    Write(u64),
}

/// Something takes longer, until a moment; both in virtual milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slow {
    each_ms: u64,
    until: u64,
}

impl Slow {
    /// How much longer it takes at a moment.
    pub fn at(self, now: u64) -> u64 {
        if self.until > now { self.each_ms } else { 0 }
    }
}

/// A browser profile of one user.
#[derive(Debug)]
pub struct Device {
    /// Whose it is.
    pub user_id: UserId,
    /// Its database.
    pub disk: Disk,
    /// How far its wall clock is off, in milliseconds.
    pub wall_offset_ms: i64,
    /// Threads that its user was removed from, the page that heard of it, and whether what was
    /// stored was deleted.
    pub removed: BTreeMap<ThreadId, (usize, bool)>,
    /// A write of its was not taken, so what is stored may be old.
    pub has_failed_write: bool,
    /// Its database was deleted or thrown away at some time.
    pub has_forgotten: bool,
    /// Pages whose storage has failed them. They may send what another tab discards, for nobody
    /// can tell them.
    pub lame_pages: BTreeSet<usize>,
    /// Its storage is slow.
    pub slow: Slow,
    rng: Rng,
}

/// A place where pages are opened, one after another.
#[derive(Debug)]
pub struct Tab {
    /// On which device.
    pub device: usize,
    /// The page that is open.
    pub page: Option<usize>,
    /// Its network, and what its application can do about tokens.
    pub around: Surroundings,
    /// What its application has stored as its token.
    token: Option<Minted>,
    /// Until when its timers fire once a minute.
    pub throttled_until: u64,
    /// Until when something may keep it from replacing its token.
    pub troubled_until: u64,
}

/// Everybody and everything between them.
#[derive(Debug)]
pub struct World {
    /// What does not change.
    pub setting: Setting,
    /// The virtual time, in milliseconds.
    pub now: u64,
    /// The devices.
    pub devices: Vec<Device>,
    /// The tabs.
    pub tabs: Vec<Tab>,
    /// Every page that was ever opened.
    pub pages: Vec<Page>,
    /// Every connection that was ever made.
    pub links: Vec<Link>,
    /// The gateways, one or several on one database.
    pub gateways: Vec<Place>,
    /// The gateway's database.
    pub records: Records,
    /// What each history of it must hold.
    pub truths: BTreeMap<Epoch, Truth>,
    /// What the users asked for.
    pub ledger: Ledger,
    /// What went over each connection.
    pub wire: Wire,
    /// What happened.
    pub trace: Trace,
    /// Which faults and states were reached.
    pub coverage: Coverage,
    /// What did not hold, first of all.
    pub violation: Option<Violation>,
    /// Nothing goes wrong any more.
    pub is_mended: bool,
    /// How many events there were.
    pub events: u64,
    /// Effects done so far by pages and by gateways: the places where a crash can happen.
    pub effects: (u64, u64),
    /// Writes to browsers' storage so far.
    pub writes: u64,
    /// One more fault, at an exact place.
    pub fault: Option<FaultAt>,
    seed: u64,
    queue: Queue,
    rng: Rng,
    processes: u64,
    /// What these processes had under way was lost with the database that they used.
    void_processes: u64,
    peers: Peers,
    keys: u64,
    /// The gateway's store is slow.
    others: Others,
    slow_store: Slow,
    /// The gateway refuses every token.
    tokens_refused_until: u64,
    /// Until when something may keep the gateway from taking a newer token.
    pub gateway_troubled_until: u64,
    minted: u64,
}

impl World {
    /// Makes a world in which the gateway runs and the first tabs are open.
    pub fn new(schedule: &Schedule, is_told: bool) -> Self {
        let seed = schedule.seed;
        let user = |number: usize| USERS[number].parse().expect("a valid user");
        let devices = DEVICES.iter().enumerate().map(|(number, owner)| Device {
            user_id: user(*owner),
            disk: Disk::default(),
            wall_offset_ms: 0,
            removed: BTreeMap::new(),
            has_failed_write: false,
            has_forgotten: false,
            lame_pages: BTreeSet::new(),
            slow: Slow::default(),
            rng: stream(seed, "device", number as u64),
        });
        let tabs = TABS.iter().enumerate().map(|(number, device)| Tab {
            device: *device,
            page: None,
            around: Surroundings::new(stream(seed, "network", number as u64)),
            token: None,
            throttled_until: 0,
            troubled_until: 0,
        });
        let mut world = Self {
            setting: schedule.setting.clone(),
            now: 0,
            devices: devices.collect(),
            tabs: tabs.collect(),
            pages: Vec::new(),
            links: Vec::new(),
            gateways: Vec::new(),
            records: Records::default(),
            truths: BTreeMap::new(),
            ledger: Ledger::default(),
            wire: Wire::default(),
            trace: Trace::new(is_told),
            coverage: Coverage::default(),
            violation: None,
            is_mended: false,
            events: 0,
            effects: (0, 0),
            writes: 0,
            fault: None,
            seed,
            queue: Queue::default(),
            rng: stream(seed, "world", 0),
            processes: 0,
            void_processes: 0,
            peers: Peers::default(),
            keys: 0,
            slow_store: Slow::default(),
            others: Others::default(),
            tokens_refused_until: 0,
            gateway_troubled_until: 0,
            minted: 0,
        };
        world
            .truths
            .insert(world.records.epoch().clone(), Truth::default());
        world
            .gateways
            .resize_with(world.setting.gateways, Place::default);
        for place in 0..world.setting.gateways {
            world.heal_place(place);
            world.start_process(place);
        }
        for tab in schedule.setting.open.clone() {
            world.open_tab(tab);
        }
        for (index, step) in schedule.steps.iter().enumerate() {
            world.queue.push(step.at, Event::Step(index));
        }
        world
    }

    /// Lets everything happen up to a moment, or up to the first violation.
    pub fn run_until(&mut self, until: u64, schedule: &Schedule) {
        while self.violation.is_none() {
            let Some((at, event)) = self.queue.pop(until) else {
                break;
            };
            self.now = self.now.max(at);
            self.trace.at(self.now);
            self.events += 1;
            if self.events > EVENTS_MAX {
                self.fail(Invariant::SomethingIsAwaited, || "it spins".to_owned());
                return;
            }
            self.happen(event, schedule);
        }
        if self.violation.is_none() {
            self.now = self.now.max(until);
        }
    }

    fn happen(&mut self, event: Event, schedule: &Schedule) {
        match event {
            Event::Step(index) => self.act(&schedule.steps[index].action),
            Event::Open(tab) => self.open_tab(tab),
            Event::Wake(page) => self.wake(page),
            Event::Thaw(page) => self.thaw(page),
            Event::Storage(page) => self.do_storage_job(page),
            Event::Page(page, input) => self.tell_page(page, input),
            Event::Dial(page, attempt) => self.dial(page, attempt),
            Event::Arrive(link, way) => self.arrive(link, way),
            Event::Pump(link) => self.pump(link),
            Event::Reset(link) => {
                if !self.is_mended {
                    self.reset_link(link);
                }
            }
            Event::Tick(process) => self.tick(process),
            Event::Commit(process, next, since) => self.run_commit(process, next, since),
            Event::Hear => self.hear(None),
            Event::Meet => self.meet_peers(None),
            Event::Read(process, read, question) => self.run_read(process, read, &question),
            Event::Gateway(process, input) => self.tell_gateway(process, input),
            Event::Resume(process) => self.resume_process(process),
            Event::Start(place) => self.start_process(place),
        }
    }

    /// Notes that an invariant did not hold. The first one ends the run.
    pub fn fail(&mut self, invariant: Invariant, detail: impl FnOnce() -> String) {
        if self.violation.is_none() {
            let (at, detail) = (self.now, detail());
            self.violation = Some(Violation {
                invariant,
                at,
                detail,
            });
        }
    }

    /// Notes what a check found, if it found something.
    pub fn check(&mut self, result: Result<(), Wrong>) {
        if let Err((invariant, detail)) = result {
            self.fail(invariant, || detail);
        }
    }

    /// The wall clock of a device or the gateway.
    fn wall(&self, offset_ms: i64) -> UnixMillis {
        let wall = (WALL_MS + self.now).saturating_add_signed(offset_ms);
        UnixMillis::try_from(wall).unwrap_or_default()
    }

    /// Returns what the present history of the gateway's database must hold.
    pub fn truth(&self) -> &Truth {
        &self.truths[self.records.epoch()]
    }

    /// Returns what became of a key, in each history that decided it.
    pub fn fates(&self, name: &KeyName) -> Vec<&Key> {
        let truths = self.truths.values();
        truths.filter_map(|truth| truth.keys.get(name)).collect()
    }

    /// A device forgets everything.
    pub fn forget(&mut self, device: usize) {
        self.devices[device].disk.clear();
        self.devices[device].has_forgotten = true;
        self.ledger.forget(device);
    }

    /// Returns a thread's name.
    pub fn thread_id(&self, number: usize) -> ThreadId {
        THREADS[number].parse().expect("a valid thread")
    }

    /// Returns the page that is open in a tab.
    pub fn page_in(&self, tab: usize) -> Option<usize> {
        self.tabs[tab].page
    }

    /// Whether a page still uses the socket of an attempt.
    pub(crate) fn is_current(&self, page: usize, attempt: Attempt) -> bool {
        let link = self.pages[page].link_of(&self.links, attempt);
        link.is_some_and(|link| self.links[link].is_open_here)
    }

    /// Whether nothing is expected to happen to a page by itself.
    pub(crate) fn is_page_alone(&self, page: usize) -> bool {
        let page = &self.pages[page];
        page.outstanding == 0 && page.jobs.is_empty() && page.links.is_empty()
    }
}
