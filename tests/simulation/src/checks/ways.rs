//! By which way an engine goes, and for how long.

use rejoinder::engine::{Attempt, Effect, Input};
use rejoinder_protocol::{Reaction, reaction};

use crate::invariant::Invariant;
use crate::world::World;

/// WebSockets in a row that are cut soon, one of them perhaps because of a device that slept.
const CUT_SOCKETS_MAX: u32 = 4;

/// A WebSocket is opened that something on the way will cut soon.
pub fn socket_behind_a_cutter(world: &mut World, page: usize) {
    let one = &mut world.pages[page];
    one.cut_sockets += 1;
    let count = one.cut_sockets;
    if count > CUT_SOCKETS_MAX {
        let detail = format!("page {page} opens the {count}th in a row");
        world.fail(Invariant::StreamsWhereSocketsDie, || detail);
    }
}

/// Returns the connection that lives beside what an engine is told to have failed for now.
pub fn living_beside(world: &World, page: usize, input: &Input) -> Option<Attempt> {
    let one = &world.pages[page];
    let (attempt, code) = match input {
        Input::SocketClosed { attempt, code, .. } => (attempt, *code),
        Input::Refused { attempt, .. } | Input::Unanswered { attempt, .. } => {
            return world.is_current(page, *attempt).then_some(*attempt);
        }
        _ => return None,
    };
    // Its last word may have been about the token.
    let was_told = one.goodbye_of == Some(*attempt);
    if was_told || reaction(code) != Reaction::ComeBack {
        return None;
    }
    let attempts = one.links.iter().map(|link| world.links[*link].attempt);
    attempts.filter(|living| living < attempt).min()
}

/// An engine was told that something failed beside a connection that lives, and does these things.
pub fn stays(world: &mut World, living: Option<Attempt>, effects: &[Effect]) {
    let is_left = |effect: &Effect| matches!(effect, Effect::CloseSocket { attempt } if living == Some(*attempt));
    if living.is_some() {
        world
            .coverage
            .see("state", "failed beside a living connection");
    }
    if effects.iter().any(is_left) {
        world.fail(Invariant::LivingStays, || format!("{living:?} is left"));
    }
}
