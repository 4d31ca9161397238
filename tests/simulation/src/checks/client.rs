//! What an engine says and does.

use rejoinder::engine::{
    ConnectionState, Delivery, DiscardOutcome, Durability, Input, Notice, Row, SendResult,
    StoredResult, ThreadDelta,
};
use rejoinder_protocol::{
    ClientMsgId, ErrorCode, ServerFrame, ThreadId, UserId, decode_server_frame,
};

use crate::checks::tokens;
use crate::invariant::Invariant;
use crate::ledger::{SAFE, Sent};
use crate::truth::Key;
use crate::world::World;
use crate::world::disk::Written;

/// Attempts of one page within a minute.
const ATTEMPTS_MAX: usize = 15;
/// The least time between two attempts, in milliseconds.
const ATTEMPT_GAP_MS: u64 = 100;

/// An engine tells its application something.
pub fn notice(world: &mut World, page: usize, notice: Notice) {
    match notice {
        Notice::Connection(connection) => {
            if connection.storage == Durability::Memory {
                world.coverage.see("state", "in memory only");
                let device = world.pages[page].device;
                world.devices[device].lame_pages.insert(page);
            }
            tokens::told(world, page, connection.state);
            world.pages[page].screen.connection = Some(connection);
        }
        Notice::Discarded {
            client_msg_id,
            outcome,
        } => discarded(world, page, client_msg_id, outcome),
        Notice::Inbox { is_current, .. } => {
            world.pages[page].screen.inbox_is_current = Some(is_current);
        }
        Notice::Message { message, thread_id } => announced(world, page, &thread_id, &message),
        Notice::Settled {
            client_msg_id,
            result,
        } => settled(world, page, client_msg_id, &result),
        Notice::Thread(delta) => shown(world, page, &delta),
    }
}

fn settled(world: &mut World, page: usize, key: ClientMsgId, result: &SendResult) {
    let (user_id, device) = (world.pages[page].user_id.clone(), world.pages[page].device);
    // A copy of a message that waits in this page already is refused, and was answered before.
    let is_open = |sent: &Sent| sent.page == page && sent.answer.is_none();
    let calls = world.ledger.of_key(&user_id, key);
    let Some(position) = calls.iter().rposition(|sent| is_open(sent)) else {
        return world.fail(Invariant::AnsweredOnce, || {
            format!("{key} is answered once more")
        });
    };
    let body = calls[position].body.clone();
    let mut is_first = true;
    world.ledger.update(&user_id, key, device, |sent, count| {
        if is_open(sent) && sent.body == body && std::mem::take(&mut is_first) {
            sent.answer = Some(result.clone());
            if sent.is_safe() {
                sent.safe_since = Some(count);
            }
        }
    });
    if *result == SAFE && !is_safe(world, device, &user_id, key) {
        let detail = format!("{key} is called safe, and is nowhere");
        world.fail(Invariant::AnsweredOnce, || detail);
    }
}

fn is_safe(world: &World, device: usize, user_id: &UserId, key: ClientMsgId) -> bool {
    let rows = world.devices[device].disk.load_outbox().entries;
    rows.iter().any(|(_, row)| row.client_msg_id == key)
        || is_known(world, user_id, key)
        || world.ledger.is_discarded(user_id, key)
        || world.ledger.is_forgotten(user_id, key)
}

/// What became of the calls under a key, in each history that decided it.
fn fates<'a>(world: &'a World, user_id: &UserId, key: ClientMsgId) -> Vec<&'a Key> {
    let calls = world.ledger.of_key(user_id, key);
    let fates = calls.iter().flat_map(|sent| world.fates(&sent.key_name()));
    fates.collect()
}

fn is_known(world: &World, user_id: &UserId, key: ClientMsgId) -> bool {
    !fates(world, user_id, key).is_empty()
}

fn is_stored(world: &World, user_id: &UserId, key: ClientMsgId) -> bool {
    let fates = fates(world, user_id, key);
    fates.iter().any(|fate| matches!(fate, Key::Stored { .. }))
}

fn discarded(world: &mut World, page: usize, key: ClientMsgId, outcome: DiscardOutcome) {
    world.coverage.see(
        "discard",
        match outcome {
            DiscardOutcome::Discarded => "discarded",
            DiscardOutcome::MaybeSent => "maybe sent",
            DiscardOutcome::Cancelled => "cancelled",
            DiscardOutcome::Sent => "sent",
            DiscardOutcome::Unknown => "unknown",
        },
    );
    let (user_id, device) = (world.pages[page].user_id.clone(), world.pages[page].device);
    if outcome != DiscardOutcome::MaybeSent && outcome != DiscardOutcome::Unknown {
        world.ledger.update(&user_id, key, device, |sent, _| {
            sent.told_by = Some(page);
            sent.outcome = Some(outcome)
        });
    }
    if matches!(
        outcome,
        DiscardOutcome::Discarded | DiscardOutcome::Cancelled
    ) {
        world.pages[page].taken_back.insert(key);
    }
    if !world.ledger.is_discarded(&user_id, key) {
        return world.fail(Invariant::DiscardsAreTrue, || {
            format!("nobody discarded {key}")
        });
    }
    if outcome == DiscardOutcome::Sent && !is_stored(world, &user_id, key) {
        world.fail(Invariant::DiscardsAreTrue, || {
            format!("{key} is called sent, and is not stored")
        });
    }
}

fn announced(world: &mut World, page: usize, thread_id: &ThreadId, message: &Row) {
    let Some(id) = message.server_msg_id.clone() else {
        return world.fail(Invariant::AnnouncedOnce, || {
            format!("{message:?} has no name")
        });
    };
    let is_new = world.pages[page].announced.insert(id);
    if !is_new {
        let detail = format!(
            "page {page} hears of {:?} in {thread_id} again",
            message.body
        );
        world.fail(Invariant::AnnouncedOnce, || detail);
    }
}

fn shown(world: &mut World, page: usize, delta: &ThreadDelta) {
    let thread_id = delta.thread_id.clone();
    let one = &mut world.pages[page];
    let is_open = one.open_threads.contains(&thread_id) && !one.is_logged_out;
    let timeline = one.screen.threads.entry(thread_id.clone()).or_default();
    let gone = match timeline.apply(delta) {
        Ok(gone) => gone,
        Err(detail) => return world.fail(Invariant::ShownOnce, || detail),
    };
    let meta = timeline.meta.clone();
    if meta.as_ref().is_some_and(|meta| meta.has_gap) {
        world.coverage.see("state", "gap shown");
    }
    let has_gap = meta.as_ref().is_none_or(|meta| meta.has_gap);
    let mut failed = Vec::new();
    let mut revenant = None;
    let mut hole = None;
    let mut last: Option<u64> = None;
    let mut only_own_from_here = false;
    for row in timeline.rows() {
        if let Delivery::Failed { code } = row.delivery {
            failed.push((row.client_msg_id, code));
        }
        let is_own = row.is_own && row.delivery != Delivery::Sent;
        if is_own && one.taken_back.contains(&row.client_msg_id) {
            let calls = world.ledger.of_key(&one.user_id, row.client_msg_id);
            revenant = calls
                .iter()
                .all(|sent| !sent.is_unusual)
                .then(|| row.body.clone());
        }
        let Some(place) = row.sequence_number.map(|place| place.get()) else {
            continue;
        };
        // Acknowledged ones of our own stand behind the confirmed ones until their change comes.
        let is_next = last.is_none_or(|last| place == last + 1);
        only_own_from_here |= !is_next;
        if only_own_from_here && !row.is_own {
            hole = Some((last, place));
        }
        last = Some(place);
    }
    let is_unavailable = meta.as_ref().is_some_and(|meta| meta.unavailable.is_some());
    let (user_id, device) = (one.user_id.clone(), one.device);
    for (key, code) in failed {
        world.coverage.see("state", "message failed");
        world.ledger.update(&user_id, key, device, |sent, _| {
            // Another tab may still show what its user has tried again in this one.
            sent.is_failed |= sent.page == page || !sent.has_failed;
            sent.has_failed = true;
        });
        let is_strange = matches!(code, ErrorCode::BadJson | ErrorCode::UnknownType);
        if !code.is_permanent() && !is_strange {
            world.fail(Invariant::FailuresAreFinal, || {
                format!("{key} fails for {code:?}")
            });
        }
    }
    // A row that storage would not delete is found again, and cancelled again.
    if let (Some(body), false) = (revenant, world.devices[device].has_failed_write) {
        let detail = format!("page {page} shows {body:?} again");
        world.fail(Invariant::DiscardsAreTrue, || detail);
    }
    if let (Some((last, place)), false) = (hole, has_gap) {
        let detail = format!("page {page} shows {place} after {last:?} in {thread_id}");
        world.fail(Invariant::HolesAreShown, || detail);
    }
    if is_open && !is_unavailable {
        gone.iter().for_each(|row| left(world, page, row));
    }
}

/// A message is no longer shown. One that waited may only go if its user took it back, or a reset
/// jumped over it.
fn left(world: &mut World, page: usize, row: &Row) {
    let was_waiting = matches!(
        row.delivery,
        Delivery::Queued { .. } | Delivery::Failed { .. }
    );
    let user_id = world.pages[page].user_id.clone();
    let key = row.client_msg_id;
    let is_excused = world.ledger.is_discarded(&user_id, key)
        || world.ledger.is_forgotten(&user_id, key)
        || world.truths.len() > 1;
    if !was_waiting || is_excused {
        return;
    }
    let calls = world.ledger.of_key(&user_id, key);
    let place = calls.first().and_then(|sent| {
        let name = sent.key_name();
        match world.truth().keys.get(&name) {
            Some(Key::Stored { ack, .. }) => Some((sent.thread_id.clone(), ack.sequence_number)),
            _ => None,
        }
    });
    let is_below = place.as_ref().is_some_and(|(thread_id, place)| {
        let timeline = world.pages[page].screen.threads.get(thread_id);
        let shown = timeline.and_then(|timeline| timeline.rows().next());
        shown
            .and_then(|row| row.sequence_number)
            .is_some_and(|first| *place < first)
    });
    if !is_below {
        let detail = format!(
            "page {page} no longer shows {:?}, stored at {place:?}",
            row.body
        );
        world.fail(Invariant::PendingStays, || detail);
    }
}

/// An engine is told something; a goodbye may ask it to wait.
pub fn hears(world: &mut World, page: usize, input: &Input) {
    let (Input::Frame { attempt, text } | Input::Answer { attempt, text }) = input else {
        return;
    };
    let meant = [
        r#"{"type":"goodbye""#,
        r#"{"type":"removed""#,
        r#"{"type":"reset""#,
    ];
    let is_meant = meant.iter().any(|start| text.starts_with(start));
    let one = &world.pages[page];
    // To a page that slept, a connection has a last word after its end, unless the page left it.
    let is_newer = one.goodbye_of.is_some_and(|of| *attempt > of) && one.left < Some(*attempt);
    let is_current = world.is_current(page, *attempt);
    if !is_meant || !(is_newer || is_current) {
        return;
    }
    match decode_server_frame(text) {
        Ok(ServerFrame::Goodbye(goodbye)) => {
            let one = &mut world.pages[page];
            one.cut_sockets = 0;
            one.not_before = world.now + goodbye.retry_after_ms.unwrap_or(0);
            one.goodbye_of = Some(*attempt);
        }
        // What comes from an older one is dropped.
        Ok(ServerFrame::Removed(removed)) if is_current => {
            let device = world.pages[page].device;
            world.devices[device]
                .removed
                .insert(removed.thread_id, (page, false));
        }
        // Whoever gets a window takes part again.
        Ok(ServerFrame::Reset(reset)) if is_current => {
            let device = world.pages[page].device;
            world.devices[device].removed.remove(&reset.thread_id);
        }
        _ => {}
    }
}

/// An engine begins an attempt to connect.
pub fn attempt(world: &mut World, page: usize) {
    if !world.pages[page].links.is_empty() {
        let detail = format!("page {page} has one, and tries again");
        return world.fail(Invariant::OneConnection, || detail);
    }
    let now = world.now;
    let one = &mut world.pages[page];
    let is_hurried = std::mem::take(&mut one.is_hurried);
    if is_hurried {
        // The user may connect as often as they like.
        one.attempts.clear();
    }
    let since = one.attempts.last().map(|last| now - last);
    one.attempts.push(now);
    let in_a_minute = one
        .attempts
        .iter()
        .rev()
        .take_while(|at| now - **at < 60_000)
        .count();
    let not_before = std::mem::take(&mut one.not_before);
    if now < not_before {
        let detail = format!("page {page} was asked to wait until {not_before}");
        return world.fail(Invariant::PoliteAttempts, || detail);
    }
    let is_hasty = since.is_some_and(|since| since < ATTEMPT_GAP_MS);
    if is_hasty || in_a_minute > ATTEMPTS_MAX {
        let detail = format!("page {page}: {since:?} ms after the last, {in_a_minute} in a minute");
        world.fail(Invariant::PoliteAttempts, || detail);
    }
}

/// A database was deleted at its user's wish.
pub fn deleted(world: &mut World, page: usize) {
    let device = world.pages[page].device;
    if !world.devices[device].disk.is_empty() {
        world.fail(Invariant::LogoutForgets, || "something is left".to_owned());
    }
}

/// A write is done.
pub fn written(world: &mut World, page: usize, written: &Written) {
    let user_id = world.pages[page].user_id.clone();
    if matches!(written.result, StoredResult::Failed(_)) {
        let device = world.pages[page].device;
        world.devices[device].has_failed_write = true;
    }
    for row in &written.deleted {
        let key = row.client_msg_id;
        let is_excused = is_known(world, &user_id, key)
            || world.ledger.is_discarded(&user_id, key)
            || world.ledger.is_forgotten(&user_id, key);
        if !is_excused {
            let detail = format!("page {page} deletes the row of {:?}", row.body);
            world.fail(Invariant::RowsStay, || detail);
        }
    }
}

/// An engine has taken a step.
pub fn after_step(world: &mut World, page: usize) {
    let one = &world.pages[page];
    let state = one.screen.state();
    let wants = matches!(
        state,
        Some(ConnectionState::Connecting | ConnectionState::Waiting)
    );
    if wants && world.is_page_alone(page) && world.next_wakeup(page).is_none() {
        world.fail(Invariant::SomethingIsAwaited, || {
            format!("page {page} is {state:?} for ever")
        });
    }
}
