//! What is on its way goes on when another connection takes over.

use rejoinder::engine::{Attempt, Delivery, Effect, Input};
use rejoinder_protocol::{
    ClientFrame, ClientFrameType, ClientMsgId, ServerFrame, ThreadId, decode_server_frame,
};

use crate::invariant::Invariant;
use crate::world::World;
use crate::world::page::Page;

/// A message that was sent on a connection and not answered yet.
#[derive(Clone, Debug)]
pub struct Flight {
    attempt: Attempt,
    thread_id: ThreadId,
    client_msg_id: ClientMsgId,
}

/// An engine is told something: what was answered is on its way no more.
pub fn hears(page: &mut Page, input: &Input) {
    match input {
        Input::Answer { attempt, text } | Input::Frame { attempt, text } => {
            let answers = [r#"{"type":"ack""#, r#"{"type":"error""#];
            let is_answer = answers.iter().any(|start| text.starts_with(start));
            if is_answer && !page.flights.is_empty() {
                answered(page, *attempt, text);
            }
        }
        Input::Refused { attempt, frame, .. } | Input::Unanswered { attempt, frame } => {
            if let ClientFrame::Send(send) = frame {
                refused(page, *attempt, send.client_msg_id);
            }
        }
        Input::SocketClosed { attempt, .. } => {
            page.flights.retain(|flight| flight.attempt != *attempt);
        }
        _ => {}
    }
}

fn answered(page: &mut Page, attempt: Attempt, text: &str) {
    match decode_server_frame(text) {
        Ok(ServerFrame::Ack(ack)) => page.flights.retain(|flight| {
            flight.attempt != attempt || flight.client_msg_id != ack.client_msg_id
        }),
        Ok(ServerFrame::Error(error)) => {
            let sent = error
                .reference
                .filter(|one| one.frame_type == ClientFrameType::Send);
            if let Some(key) = sent.and_then(|one| one.client_msg_id) {
                refused(page, attempt, key);
            }
        }
        _ => {}
    }
}

/// The thread of a refused message waits, and whatever else of it is on its way.
fn refused(page: &mut Page, attempt: Attempt, key: ClientMsgId) {
    let is_it = |flight: &&Flight| flight.attempt == attempt && flight.client_msg_id == key;
    let refused = page.flights.iter().find(is_it).cloned();
    if let Some(Flight { thread_id, .. }) = refused {
        page.flights.retain(|flight| flight.thread_id != thread_id);
    }
}

/// Returns the connection that lives, and the one whose welcome an engine is told beside it.
pub fn succession(world: &World, page: usize, input: &Input) -> Option<(Attempt, Attempt)> {
    let Input::Frame { attempt, text } = input else {
        return None;
    };
    let links = world.pages[page].links.iter();
    let living = links.map(|link| world.links[*link].attempt).min()?;
    let is_succession = text.starts_with(r#"{"type":"welcome""#) && living < *attempt;
    is_succession.then_some((living, *attempt))
}

/// An engine does these things, perhaps because another connection takes over.
pub fn goes_on(
    world: &mut World,
    page: usize,
    succession: Option<(Attempt, Attempt)>,
    effects: &[Effect],
) {
    let is_left = |left: Attempt| {
        let is_it =
            |effect: &Effect| matches!(effect, Effect::CloseSocket { attempt } if *attempt == left);
        effects.iter().any(is_it)
    };
    let taken_over = succession.filter(|(living, next)| is_left(*living) && !is_left(*next));
    if let Some((living, next)) = taken_over {
        taken_over_by(world, page, living, next, effects);
    }
    let flights = &mut world.pages[page].flights;
    flights.retain(|flight| !is_left(flight.attempt));
    flights.extend(effects.iter().filter_map(flight));
}

fn flight(effect: &Effect) -> Option<Flight> {
    let Effect::Transmit { attempt, frame } = effect else {
        return None;
    };
    let ClientFrame::Send(send) = frame else {
        return None;
    };
    Some(Flight {
        attempt: *attempt,
        thread_id: send.thread_id.clone(),
        client_msg_id: send.client_msg_id,
    })
}

/// Of each thread that has something on its way, something is sent on the connection that follows.
fn taken_over_by(
    world: &mut World,
    page: usize,
    living: Attempt,
    next: Attempt,
    effects: &[Effect],
) {
    let one = &world.pages[page];
    let again: Vec<_> = effects.iter().filter_map(flight).collect();
    let is_again = |flight: &Flight| {
        let is_it = |one: &Flight| one.attempt == next && one.thread_id == flight.thread_id;
        again.iter().any(is_it)
    };
    let carried: Vec<_> = one
        .flights
        .iter()
        .filter(|flight| flight.attempt == living && waits_alone(world, one, flight))
        .cloned()
        .collect();
    let forgotten = carried.iter().find(|flight| !is_again(flight)).cloned();
    if !carried.is_empty() {
        world
            .coverage
            .see("state", "taken over with something on its way");
    }
    if let Some(Flight { client_msg_id, .. }) = forgotten {
        let detail = format!("page {page} does not send {client_msg_id} again");
        world.fail(Invariant::FlightsGoOn, || detail);
    }
}

/// Whether a message is shown as one that waits for the gateway, and nothing else of its thread
/// may hold it up.
fn waits_alone(world: &World, page: &Page, flight: &Flight) -> bool {
    let Some(timeline) = page.screen.threads.get(&flight.thread_id) else {
        return false;
    };
    let is_held_up = timeline.rows().any(|row| match row.delivery {
        Delivery::Cancelling | Delivery::Failed { .. } => true,
        // What its user takes back may not be shown as such yet.
        Delivery::Queued { .. } => world.ledger.is_discarded(&page.user_id, row.client_msg_id),
        _ => false,
    });
    let is_waiting = timeline.rows().any(|row| {
        let is_it = row.is_own && row.client_msg_id == flight.client_msg_id;
        is_it && matches!(row.delivery, Delivery::Queued { .. })
    });
    is_waiting && !is_held_up && page.open_threads.contains(&flight.thread_id)
}
