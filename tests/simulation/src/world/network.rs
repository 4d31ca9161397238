//! Connections: two pipes each, which delay, stall, break and die.

mod faults;

use std::collections::VecDeque;
use std::sync::Arc;

use fastrand::Rng;
use rejoinder::engine::{Attempt, Input, NO_CLOSE_CODE, Transport};
use rejoinder_gateway::core::{Input as GatewayInput, SessionKey};
use rejoinder_protocol::{ClientFrame, CloseCode, Epoch, Token, decode_client_frame, encode};

use super::queue::Event;
use super::tokens::TokenFunction;
use super::{Process, Slow, World};
use crate::checks::{tokens, ways, wire};
use crate::random::{delay, stream};

/// What a stalled connection takes before its writer waits, in bytes.
const BUFFER_BYTES: usize = 48 * 1024;
/// A writer that waits so long gives up, in milliseconds.
const WRITE_TIMEOUT_MS: u64 = 10_000;

/// A tab's network, and what its application can do about tokens. All moments are those at which
/// the trouble ends.
#[derive(Debug)]
pub struct Surroundings {
    /// There is no network.
    pub cut_until: u64,
    /// Every connection is ended soon.
    pub flap_until: u64,
    /// Something else answers.
    pub portal_until: u64,
    /// A proxy lets no WebSocket through.
    pub refusing_until: u64,
    /// A proxy cuts each WebSocket soon.
    pub cutting_until: u64,
    /// Something refuses every other request.
    pub refusing_requests_until: u64,
    /// It usually takes at most so long.
    pub lag: Slow,
    /// What its application can do about tokens.
    pub tokens: TokenFunction,
    pub(super) rng: Rng,
}

impl Surroundings {
    /// Nothing is wrong.
    pub fn new(rng: Rng) -> Self {
        Self {
            cut_until: 0,
            flap_until: 0,
            portal_until: 0,
            refusing_until: 0,
            cutting_until: 0,
            refusing_requests_until: 0,
            lag: Slow::default(),
            tokens: TokenFunction::default(),
            rng,
        }
    }

    /// Mends everything.
    pub fn heal(&mut self) {
        let rng = self.rng.clone();
        *self = Self::new(rng);
    }
}

#[derive(Debug)]
pub(super) enum Item {
    Text(Arc<str>),
    Close(u16),
    /// The answer to a request is complete.
    End,
}

/// What a connection is used for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carries {
    /// A request of one frame, and its answer.
    Post,
    /// Frames both ways.
    Socket,
    /// What happens, down.
    Stream,
}

/// A direction of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// To the gateway.
    Up,
    /// To the page.
    Down,
}

/// One direction of a connection. What goes in comes out in order, or not at all.
#[derive(Debug, Default)]
struct Pipe {
    items: VecDeque<Item>,
    bytes: usize,
    last_at: u64,
    stalled_until: u64,
    is_dead: bool,
    /// Nothing follows its end.
    is_ended: bool,
}

/// One connection.
#[derive(Debug)]
pub struct Link {
    /// Whose.
    pub page: usize,
    /// For which attempt.
    pub attempt: Attempt,
    /// What it is used for.
    pub carries: Carries,
    /// Of a request: by which token it is made, and in which history.
    pub(super) token: Option<Token>,
    pub(super) epoch: Option<Epoch>,
    /// What it says.
    pub(super) asks: Option<ClientFrame>,
    /// Its session at the gateway.
    pub session: SessionKey,
    /// Which process that is.
    pub process: u64,
    /// The page has not closed it.
    pub is_open_here: bool,
    /// The gateway has not closed it.
    pub is_open_there: bool,
    up: Pipe,
    down: Pipe,
    /// Arrived at the gateway, which does not read yet.
    unread: VecDeque<Arc<str>>,
    is_pumping: bool,
    blocked_since: Option<u64>,
    usual_ms: u64,
    rng: Rng,
}

impl Link {
    fn pipe(&mut self, way: Way) -> &mut Pipe {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }
}

impl World {
    pub(super) fn open_connection(&mut self, page: usize, attempt: Attempt, way: Transport) {
        match way {
            Transport::Sse => self.open_stream(page, attempt),
            Transport::WebSocket => self.open_socket(page, attempt),
        }
    }

    fn open_socket(&mut self, page: usize, attempt: Attempt) {
        let tab = self.pages[page].tab;
        let now = self.now;
        let around = &mut self.tabs[tab].around;
        let wait = 1 + delay(&mut around.rng, self.setting.network_ms);
        self.pages[page].outstanding += 1;
        self.pages[page].dialing.push(attempt);
        self.queue.push(now + wait, Event::Dial(page, attempt));
    }

    /// An attempt reaches the other end, or nothing.
    pub(super) fn dial(&mut self, page: usize, attempt: Attempt) {
        let now = self.now;
        let tab = self.pages[page].tab;
        if !self.pages[page].is_open || !self.pages[page].is_dialing(attempt) {
            return;
        }
        self.stop_dialing(page, attempt);
        let around = &mut self.tabs[tab].around;
        let wait = 1 + delay(&mut around.rng, self.setting.network_ms);
        if around.portal_until > now {
            let text = "<html>Please log in to the hotel".to_owned();
            self.tell_page_later(page, wait, Input::SocketOpened { attempt });
            return self.tell_page_later(page, wait, Input::Frame { attempt, text });
        }
        let connected = match around.refusing_until > now {
            true => None,
            false => self.connect(page, attempt, Carries::Socket),
        };
        let Some(number) = connected else {
            self.pages[page].outstanding = self.pages[page].outstanding.saturating_sub(1);
            let code = NO_CLOSE_CODE;
            return self.tell_page_later(
                page,
                wait,
                Input::SocketClosed {
                    attempt,
                    code,
                    retry_after_ms: None,
                },
            );
        };
        self.pages[page].links.push(number);
        let around = &mut self.tabs[tab].around;
        if around.cutting_until > now {
            let soon = around.rng.u64(500..5_000);
            self.queue.push(now + soon, Event::Reset(number));
            ways::socket_behind_a_cutter(self, page);
        }
        let (session, process) = (self.links[number].session, self.links[number].process);
        self.tell_gateway(process, GatewayInput::Opened { session });
        self.tell_page_later(page, wait, Input::SocketOpened { attempt });
    }

    /// Connects a page with a gateway, if there is a way to one.
    pub(super) fn connect(
        &mut self,
        page: usize,
        attempt: Attempt,
        carries: Carries,
    ) -> Option<usize> {
        let now = self.now;
        let around = &self.tabs[self.pages[page].tab].around;
        let (lag, is_cut) = (around.lag.at(now), around.cut_until > now);
        let is_flapping = around.flap_until > now;
        let gateway = match is_cut {
            true => None,
            false => self.any_process(|one| !one.is_stopping),
        };
        let number = self.links.len();
        let session = SessionKey(number as u64);
        let process = self.accept(gateway?, session, number)?;
        self.links.push(Link {
            page,
            attempt,
            carries,
            token: None,
            epoch: None,
            asks: None,
            session,
            process,
            is_open_here: true,
            is_open_there: true,
            up: Pipe::default(),
            down: Pipe::default(),
            unread: VecDeque::new(),
            is_pumping: false,
            blocked_since: None,
            usual_ms: self.setting.network_ms.max(lag),
            rng: stream(self.seed, "link", number as u64),
        });
        self.wire.open(session);
        if is_flapping {
            let soon = self.rng.u64(20..800);
            self.queue.push(now + soon, Event::Reset(number));
        }
        Some(number)
    }

    pub(super) fn stop_dialing(&mut self, page: usize, attempt: Attempt) {
        self.pages[page]
            .dialing
            .retain(|dialing| *dialing != attempt);
    }

    pub(super) fn transmit(&mut self, page: usize, attempt: Attempt, frame: &ClientFrame) {
        let link = self.pages[page].link_of(&self.links, attempt);
        wire::transmitted(self, page, link, frame);
        let Some(link) = link.filter(|link| self.links[*link].carries == Carries::Socket) else {
            return self.request(page, attempt, frame);
        };
        let text: Arc<str> = encode(frame).into();
        self.put(link, Way::Up, Item::Text(text));
    }

    pub(super) fn put(&mut self, link: usize, way: Way, item: Item) {
        let now = self.now;
        let one = &mut self.links[link];
        let delay_ms = delay(&mut one.rng, one.usual_ms);
        if let Some(at) = one.pipe(way).put(now, item, delay_ms) {
            self.queue.push(at, Event::Arrive(link, way));
        }
    }

    /// The first thing in a pipe comes out, unless it is stalled.
    pub(super) fn arrive(&mut self, link: usize, way: Way) {
        let pipe = self.links[link].pipe(way);
        if pipe.stalled_until > self.now {
            let at = pipe.stalled_until;
            return self.queue.push(at, Event::Arrive(link, way));
        }
        let Some(item) = pipe.take() else {
            return;
        };
        match way {
            Way::Up => self.arrive_up(link, item),
            Way::Down => self.arrive_down(link, item),
        }
    }

    fn arrive_up(&mut self, link: usize, item: Item) {
        let one = &mut self.links[link];
        if !one.is_open_there {
            return;
        }
        match item {
            Item::Text(text) => {
                one.unread.push_back(text);
                self.read_up(link);
            }
            Item::Close(_) | Item::End => self.close_there(link),
        }
    }

    /// The gateway reads what has arrived, as far as it wants to.
    pub(super) fn read_up(&mut self, link: usize) {
        loop {
            let (session, process) = (self.links[link].session, self.links[link].process);
            let is_socket = self.links[link].carries == Carries::Socket;
            // The one frame of a request begins its session.
            let may_read = |one: &Process| !is_socket || one.may_read(session);
            let is_awake = |one: &&Process| one.paused_until <= self.now;
            let may_read = self.process(process).filter(is_awake).is_some_and(may_read);
            if !may_read || !self.links[link].is_open_there {
                return;
            }
            let Some(text) = self.links[link].unread.pop_front() else {
                return;
            };
            self.trace.hash(&*text);
            self.trace
                .note(|| format!("gateway reads {session:?} {text}"));
            let frame = decode_client_frame(&text);
            wire::arrived(self, session, &frame);
            let bytes = text.len();
            if let (false, Ok(frame)) = (is_socket, &frame) {
                self.arrive_request(link, frame.clone(), bytes);
                continue;
            }
            self.tell_gateway(
                process,
                GatewayInput::Frame {
                    session,
                    bytes,
                    frame,
                },
            );
            wire::served(self, session);
        }
    }

    fn arrive_down(&mut self, link: usize, item: Item) {
        let one = &mut self.links[link];
        let (page, attempt, carries) = (one.page, one.attempt, one.carries);
        match item {
            Item::End => one.is_open_here = false,
            Item::Text(text) if carries == Carries::Post => {
                self.trace.hash(&*text);
                self.trace
                    .note(|| format!("page {page} is answered {text}"));
                if one.is_open_here {
                    let text = (*text).to_owned();
                    self.tell_page(page, Input::Answer { attempt, text });
                }
            }
            Item::Close(code) if carries == Carries::Post => {
                if std::mem::replace(&mut one.is_open_here, false) {
                    self.request_failed(link, code);
                }
            }
            // A page that closed the socket may still find frames in its queue.
            Item::Text(text) => {
                self.trace.hash(&*text);
                self.trace.note(|| format!("page {page} hears {text}"));
                let text = (*text).to_owned();
                self.tell_page(page, Input::Frame { attempt, text });
            }
            Item::Close(code) => {
                one.is_open_here = false;
                self.pages[page].links.retain(|one| *one != link);
                self.leave_requests(page, attempt);
                // Also of one that the page has closed itself: nothing may follow from that.
                self.tell_page(
                    page,
                    Input::SocketClosed {
                        attempt,
                        code,
                        retry_after_ms: None,
                    },
                );
            }
        }
    }

    /// A page closes its socket.
    pub(super) fn close_socket(&mut self, page: usize, attempt: Attempt, is_late_timer: bool) {
        self.see_succession(page, attempt);
        let left = &mut self.pages[page].left;
        *left = (*left).max(Some(attempt));
        if is_late_timer {
            self.heard_before_judged(page, attempt);
        }
        if self.pages[page].is_dialing(attempt) {
            self.stop_dialing(page, attempt);
            let outstanding = &mut self.pages[page].outstanding;
            *outstanding = outstanding.saturating_sub(1);
        }
        if let Some(link) = self.pages[page].link_of(&self.links, attempt) {
            self.pages[page].links.retain(|one| *one != link);
            self.leave_link(link);
        }
        self.leave_requests(page, attempt);
    }

    fn leave_requests(&mut self, page: usize, attempt: Attempt) {
        for request in self.requests_of(page, attempt) {
            self.leave_link(request);
        }
    }

    /// The page's side of a connection is over; what was on its way may still arrive.
    pub(super) fn leave_link(&mut self, link: usize) {
        self.links[link].is_open_here = false;
        self.put(link, Way::Up, Item::Close(NO_CLOSE_CODE));
    }

    /// The gateway's side of a connection is over.
    pub(super) fn close_there(&mut self, link: usize) {
        let one = &mut self.links[link];
        if !std::mem::replace(&mut one.is_open_there, false) {
            return;
        }
        let (session, process) = (one.session, one.process);
        self.tell_gateway(process, GatewayInput::Closed { session });
    }

    pub(super) fn want_pump(&mut self, link: usize) {
        let one = &mut self.links[link];
        if !std::mem::replace(&mut one.is_pumping, true) {
            let at = self.now + one.rng.u64(0..2);
            self.queue.push(at, Event::Pump(link));
        }
    }

    /// The gateway writes one batch to a connection, as its shell does.
    pub(super) fn pump(&mut self, link: usize) {
        let now = self.now;
        let one = &mut self.links[link];
        one.is_pumping = false;
        if !one.is_open_there {
            return;
        }
        let process = one.process;
        let is_paused = self
            .process(process)
            .is_some_and(|process| process.paused_until > now);
        let one = &mut self.links[link];
        if is_paused || one.down.bytes > BUFFER_BYTES {
            let since = *one.blocked_since.get_or_insert(now);
            if !is_paused && now - since >= WRITE_TIMEOUT_MS {
                self.coverage.see("state", "slow consumer closed");
                return self.close_there(link);
            }
            one.is_pumping = true;
            self.queue.push(now + 250, Event::Pump(link));
            return;
        }
        one.blocked_since = None;
        let (session, process) = (one.session, one.process);
        let Some(batch) = self.take_batch(process, session) else {
            self.written(link);
            return self.read_up(link);
        };
        for text in batch.frames {
            wire::told(self, session, &text);
            self.put(link, Way::Down, Item::Text(text));
        }
        if let Some(code) = batch.close {
            self.say_goodbye(link, code);
        } else {
            self.want_pump(link);
            self.read_up(link);
        }
    }

    fn say_goodbye(&mut self, link: usize, code: CloseCode) {
        self.coverage.see("close code", code.as_str());
        tokens::closed(self, link, code);
        self.put(link, Way::Down, Item::Close(code.number()));
        self.close_there(link);
    }
}

impl Pipe {
    /// Puts something in; returns when it arrives, if ever.
    fn put(&mut self, now: u64, item: Item, delay_ms: u64) -> Option<u64> {
        if self.is_dead || self.is_ended {
            return None;
        }
        self.is_ended = matches!(item, Item::Close(_));
        if let Item::Text(text) = &item {
            self.bytes += text.len();
        }
        self.items.push_back(item);
        self.last_at = self.last_at.max(now + delay_ms).max(self.stalled_until);
        Some(self.last_at)
    }

    fn take(&mut self) -> Option<Item> {
        if self.is_dead {
            return None;
        }
        let item = self.items.pop_front();
        if let Some(Item::Text(text)) = &item {
            self.bytes = self.bytes.saturating_sub(text.len());
        }
        item
    }
}
