//! Connections without a socket: a stream down, and a request of its own for each frame up. The two
//! keep no order between them.

use rejoinder::engine::{Attempt, Input, NO_CLOSE_CODE};
use rejoinder_gateway::core::{Input as GatewayInput, Refusal};
use rejoinder_protocol::{ClientFrame, CloseCode, Hello, Token, encode};

use super::World;
use super::network::{Carries, Item, Way};
use super::queue::Event;
use crate::random::delay;

impl World {
    /// A page wants a stream. Nothing is on the way before its greeting.
    pub(super) fn open_stream(&mut self, page: usize, attempt: Attempt) {
        self.pages[page].outstanding += 1;
        self.pages[page].dialing.push(attempt);
        self.tell_page_later(page, 0, Input::SocketOpened { attempt });
    }

    /// A page says something by a request.
    pub(super) fn request(&mut self, page: usize, attempt: Attempt, frame: &ClientFrame) {
        if let ClientFrame::Hello(hello) = frame {
            if self.pages[page].is_dialing(attempt) {
                self.stop_dialing(page, attempt);
                self.request_stream(page, attempt, hello);
            }
            return;
        }
        let Some(stream) = self.pages[page].link_of(&self.links, attempt) else {
            return;
        };
        let (session, token) = (self.links[stream].session, self.links[stream].token.clone());
        let epoch = self.wire.epoch_of(session);
        let around = &mut self.tabs[self.pages[page].tab].around;
        if around.refusing_requests_until > self.now && around.rng.bool() {
            self.coverage.see("state", "request refused");
            let retry_after_ms = around.rng.bool().then_some(500);
            let wait = self.network_delay(page);
            let refused = Input::Refused {
                attempt,
                frame: frame.clone(),
                retry_after_ms,
            };
            return self.tell_page_later(page, wait, refused);
        }
        let Some(link) = self.connect(page, attempt, Carries::Post) else {
            let wait = self.network_delay(page);
            let frame = frame.clone();
            return self.tell_page_later(page, wait, Input::Unanswered { attempt, frame });
        };
        self.links[link].token = token;
        self.links[link].epoch = epoch;
        self.links[link].asks = Some(frame.clone());
        self.put(link, Way::Up, Item::Text(encode(frame).into()));
    }

    fn request_stream(&mut self, page: usize, attempt: Attempt, hello: &Hello) {
        let wait = self.network_delay(page);
        if self.tabs[self.pages[page].tab].around.portal_until > self.now {
            // The log-in page of a hotel is no stream of events.
            return self.lose_stream_later(page, attempt, wait);
        }
        let Some(link) = self.connect(page, attempt, Carries::Stream) else {
            return self.lose_stream_later(page, attempt, wait);
        };
        self.coverage.see("state", "stream opened");
        self.pages[page].cut_sockets = 0;
        self.pages[page].links.push(link);
        self.links[link].token = Some(hello.token.clone());
        let frame = ClientFrame::Hello(hello.clone());
        self.put(link, Way::Up, Item::Text(encode(&frame).into()));
    }

    fn network_delay(&mut self, page: usize) -> u64 {
        let tab = self.pages[page].tab;
        1 + delay(&mut self.tabs[tab].around.rng, self.setting.network_ms)
    }

    /// A request failed: to the page its connection is over.
    fn lose_stream_later(&mut self, page: usize, attempt: Attempt, wait: u64) {
        let code = NO_CLOSE_CODE;
        let input = Input::SocketClosed {
            attempt,
            code,
            retry_after_ms: None,
        };
        self.queue.push(self.now + wait, Event::Page(page, input));
    }

    /// What a request brought reaches its gateway, which looks at its token first.
    pub(super) fn arrive_request(&mut self, link: usize, frame: ClientFrame, bytes: usize) {
        let one = &self.links[link];
        let (process, session, epoch) = (one.process, one.session, one.epoch.clone());
        let token = one
            .token
            .clone()
            .unwrap_or_else(|| Token::new(String::new()));
        let identity = match self.verify(process, &token) {
            Ok(identity) => identity,
            Err(refusal) => return self.refuse_request(link, refusal),
        };
        self.note_verified(process, session, &identity);
        match (frame, self.links[link].carries) {
            (ClientFrame::Hello(hello), _) => {
                let resume = hello.resume;
                let input = GatewayInput::Streamed {
                    session,
                    identity,
                    resume,
                };
                self.tell_gateway(process, input);
            }
            (frame, _) => {
                self.wire.posted(session, epoch.clone());
                let input = GatewayInput::Posted {
                    session,
                    identity,
                    epoch,
                };
                self.tell_gateway(process, input);
                let frame = Ok(frame);
                let input = GatewayInput::Frame {
                    session,
                    bytes,
                    frame,
                };
                self.tell_gateway(process, input);
                self.want_pump(link);
            }
        }
    }

    fn refuse_request(&mut self, link: usize, refusal: Refusal) {
        let code = match refusal {
            Refusal::Expired => CloseCode::TokenExpired.number(),
            Refusal::Invalid => CloseCode::TokenInvalid.number(),
            Refusal::Unavailable => NO_CLOSE_CODE,
        };
        self.put(link, Way::Down, Item::Close(code));
        self.close_there(link);
    }

    /// A gateway has nothing more to write for now; a request that is answered is over.
    pub(super) fn written(&mut self, link: usize) {
        let one = &self.links[link];
        let (process, session) = (one.process, one.session);
        let is_post = one.carries == Carries::Post;
        let is_answered = |process: &super::Process| process.is_answered(session);
        if is_post && self.process(process).is_some_and(is_answered) {
            self.put(link, Way::Down, Item::End);
            self.close_there(link);
        }
    }

    /// A request of a page is over in a bad way. So is its connection, if the gateway said so.
    pub(super) fn request_failed(&mut self, link: usize, code: u16) {
        let one = &mut self.links[link];
        let (page, attempt) = (one.page, one.attempt);
        let frame = one.asks.take();
        let Some(stream) = self.pages[page].link_of(&self.links, attempt) else {
            return; // The page has left it.
        };
        self.coverage.see("state", "request failed");
        if let (NO_CLOSE_CODE, Some(frame)) = (code, frame) {
            return self.tell_page(page, Input::Unanswered { attempt, frame });
        }
        self.pages[page].links.retain(|one| *one != stream);
        self.leave_link(stream);
        // Only what says something about a token is told on; the rest is a failure.
        let code = match code {
            4100..=4199 => code,
            _ => NO_CLOSE_CODE,
        };
        let retry_after_ms = None;
        let closed = Input::SocketClosed {
            attempt,
            code,
            retry_after_ms,
        };
        self.tell_page(page, closed);
    }

    /// Returns the requests of an attempt that are under way.
    pub(super) fn requests_of(&self, page: usize, attempt: Attempt) -> Vec<usize> {
        let links = self.links.iter().enumerate();
        links
            .filter(|(_, one)| one.carries == Carries::Post && one.is_open_here)
            .filter(|(_, one)| one.page == page && one.attempt == attempt)
            .map(|(number, _)| number)
            .collect()
    }

    /// A connection is left by its page: perhaps because another follows it.
    pub(super) fn see_succession(&mut self, page: usize, attempt: Attempt) {
        let [left, follows] = self.pages[page].links[..] else {
            return;
        };
        if self.links[left].attempt == attempt && self.links[left].carries == Carries::Stream {
            let what = match self.links[follows].carries {
                Carries::Socket => "stream followed by a socket",
                Carries::Post | Carries::Stream => "stream followed",
            };
            self.coverage.see("state", what);
        }
    }
}
