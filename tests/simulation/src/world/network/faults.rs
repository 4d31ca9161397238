//! What goes wrong with connections that live.

use rejoinder::engine::NO_CLOSE_CODE;

use super::{Item, Way, World};
use crate::action::Ending;
use crate::world::queue::Event;

impl World {
    /// Whether nothing passes any more in one direction, though nobody was told.
    pub fn is_half_dead(&self, link: usize) -> bool {
        let one = &self.links[link];
        one.up.is_dead || one.down.is_dead
    }

    /// Both sides learn that the connection is over; what was on its way is lost.
    pub(in crate::world) fn reset_link(&mut self, link: usize) {
        let one = &mut self.links[link];
        for pipe in [&mut one.up, &mut one.down] {
            pipe.items.clear();
            pipe.stalled_until = 0;
            pipe.is_dead = false;
            pipe.is_ended = false;
        }
        self.put(link, Way::Up, Item::Close(NO_CLOSE_CODE));
        self.put(link, Way::Down, Item::Close(NO_CLOSE_CODE));
    }

    /// A proxy ends a connection with a code.
    pub(in crate::world) fn hang_up(&mut self, link: usize, code: u16) {
        self.put(link, Way::Up, Item::Close(code));
        self.put(link, Way::Down, Item::Close(code));
    }

    /// A connection stalls.
    pub(in crate::world) fn stall(
        &mut self,
        link: usize,
        up: bool,
        down: bool,
        ms: u64,
        ending: Ending,
    ) {
        let until = self.now + ms;
        let one = &mut self.links[link];
        for (pipe, is_meant) in [(&mut one.up, up), (&mut one.down, down)] {
            if is_meant && ending == Ending::Dies {
                pipe.is_dead = true;
                pipe.items.clear();
            } else if is_meant {
                pipe.stalled_until = until;
            }
        }
        if ending == Ending::Resets {
            self.queue.push(until, Event::Reset(link));
        }
    }

    /// A stalled connection goes on. One that died stays dead: its ends must notice.
    pub(in crate::world) fn end_stall(&mut self, link: usize) {
        let now = self.now;
        for way in [Way::Up, Way::Down] {
            let pipe = self.links[link].pipe(way);
            if pipe.stalled_until > now {
                pipe.stalled_until = now;
                pipe.last_at = now;
                for _ in 0..pipe.items.len() {
                    self.queue.push(now, Event::Arrive(link, way));
                }
            }
        }
    }

    /// A process is gone: its sockets are reset by the system.
    pub(in crate::world) fn lose_links(&mut self, process: u64) {
        for link in 0..self.links.len() {
            let one = &mut self.links[link];
            if one.process == process && std::mem::replace(&mut one.is_open_there, false) {
                self.put(link, Way::Down, Item::Close(NO_CLOSE_CODE));
            }
        }
    }
}
