//! Whose connection it is, and what is asked of applications to keep it.

use rejoinder::engine::{Attempt, ConnectionState, Effect, Input, NO_CLOSE_CODE};
use rejoinder_gateway::core::SessionKey;
use rejoinder_protocol::{
    Auth, ClientFrame, CloseCode, DecodeError, Reaction, ServerFrame, decode_server_frame, reaction,
};

use crate::checks::client;
use crate::invariant::Invariant;
use crate::world::World;
use crate::world::page::Page;
use crate::world::tokens::subject;

/// The least time between two questions for a token on one connection, in milliseconds.
const REFRESH_GAP_MS: u64 = 10_000;
/// A token that counted for less leaves no time to replace it, in milliseconds.
const LIFE_MS: u64 = 20_000;

/// What a page's tokens have come to.
#[derive(Debug, Default)]
pub struct Watch {
    /// The attempt for which a token was asked last, and when.
    wanted: Option<(Attempt, u64)>,
    /// Tokens that were refused since the last welcome.
    refused: u32,
    /// What the last goodbye said, and on which attempt.
    goodbye: Option<(Attempt, u16)>,
}

/// An application connects.
pub fn connects(page: &mut Page) {
    let has_ended = !matches!(
        page.screen.state(),
        Some(ConnectionState::Connecting | ConnectionState::Waiting | ConnectionState::Connected)
    );
    if has_ended {
        page.tokens.refused = 0;
    }
}

/// An engine asks for a token.
pub fn wanted(world: &mut World, page: usize, attempt: Attempt) {
    let now = world.now;
    let before = world.pages[page].tokens.wanted.replace((attempt, now));
    if !world.is_current(page, attempt) {
        return client::attempt(world, page);
    }
    let gap = before.map(|(_, at)| now - at);
    if gap.is_some_and(|gap| gap < REFRESH_GAP_MS) {
        let detail = format!("page {page} asks for a token after {gap:?} ms");
        world.fail(Invariant::PoliteRefresh, || detail);
    }
}

/// Whether an engine is about to be told a token that it asked for an older attempt.
pub fn late_token(page: &Page, input: &Input) -> bool {
    let Input::Token { attempt, .. } = input else {
        return false;
    };
    page.tokens
        .wanted
        .is_some_and(|(wanted, _)| wanted != *attempt)
}

/// An engine was told a token that it asked for an older attempt, and does these things.
pub fn dropped(world: &mut World, page: usize, effects: &[Effect]) {
    let is_used = |effect: &Effect| {
        matches!(
            effect,
            Effect::OpenSocket { .. }
                | Effect::Transmit {
                    frame: ClientFrame::Auth(_),
                    ..
                }
        )
    };
    // What follows a living connection is opened whatever was told.
    let has_one = !world.pages[page].links.is_empty();
    let is_used =
        |one: &Effect| is_used(one) && !(has_one && matches!(one, Effect::OpenSocket { .. }));
    if effects.iter().any(is_used) {
        world.fail(Invariant::LateTokensDropped, || {
            format!("page {page} takes the token of an older attempt")
        });
    }
}

/// An engine is told something; it may be that a token was refused.
pub fn hears(world: &mut World, page: usize, input: &Input) {
    let Some((wanted, _)) = world.pages[page].tokens.wanted else {
        return;
    };
    let watch = &mut world.pages[page].tokens;
    match input {
        // Attempts rise: what follows a living connection has no question of its own.
        Input::Frame { attempt, text } if *attempt >= wanted => {
            if text.starts_with(r#"{"type":"welcome""#) {
                watch.refused = 0;
            } else if text.starts_with(r#"{"type":"goodbye""#)
                && let Ok(ServerFrame::Goodbye(goodbye)) = decode_server_frame(text)
            {
                watch.goodbye = Some((*attempt, goodbye.code));
            }
        }
        Input::SocketClosed { attempt, code, .. } if *attempt >= wanted => {
            let told = watch
                .goodbye
                .filter(|(of, _)| *code == NO_CLOSE_CODE && of == attempt);
            let code = told.map_or(*code, |(_, code)| code);
            if reaction(code) == Reaction::NewToken {
                watch.refused += 1;
            }
        }
        _ => {}
    }
}

/// An engine tells its application where the connection stands.
pub fn told(world: &mut World, page: usize, state: ConnectionState) {
    let one = &world.pages[page];
    let is_new = one.screen.state() != Some(state);
    if is_new && state == ConnectionState::WrongUser {
        world.coverage.see("state", "wrong user");
    }
    if !is_new || state != ConnectionState::AuthRequired {
        return;
    }
    let refused = one.tokens.refused;
    world.coverage.see("state", "auth required");
    if refused < 2 {
        let detail = format!("page {page} is told so after {refused} refused tokens");
        world.fail(Invariant::AskedAnew, || detail);
    }
}

/// An engine gives a token for the connection that lives.
pub fn given(world: &mut World, page: usize, auth: &Auth) {
    let user_id = world.pages[page].user_id.clone();
    if subject(&auth.token).is_some_and(|subject| subject != user_id) {
        world.fail(Invariant::NothingToStrangers, || {
            format!("page {page} of {user_id} gives another user's token")
        });
    }
}

/// A frame reaches the gateway on a connection.
pub fn arrived(world: &mut World, session: SessionKey, frame: &Result<ClientFrame, DecodeError>) {
    let known = world.wire.sessions.get(&session);
    let Some(user_id) = known.and_then(|one| one.user_id.clone()) else {
        return;
    };
    let key = match frame {
        Ok(ClientFrame::Send(send)) => send.client_msg_id,
        Ok(ClientFrame::Cancel(cancel)) => cancel.client_msg_id,
        _ => return,
    };
    if world.ledger.of_key(&user_id, key).is_empty() {
        let detail = format!("{key} reaches {session:?}, which is {user_id}'s");
        world.fail(Invariant::NothingToStrangers, || detail);
    }
}

/// The gateway closes a connection.
pub fn closed(world: &mut World, link: usize, code: CloseCode) {
    if code != CloseCode::TokenExpired || world.setting.is_token_text {
        return;
    }
    let (page, session) = (world.links[link].page, world.links[link].session);
    let tab = world.pages[page].tab;
    let Some(one) = world.wire.sessions.get(&session) else {
        return;
    };
    // An older one, for example the last of a text, may have had little time left.
    let Some(ends_at) = one.ends_at.filter(|end| *end >= one.verified_at + LIFE_MS) else {
        return;
    };
    let is_troubled = world.tabs[tab].troubled_until >= one.verified_at
        || world.gateway_troubled_until >= one.verified_at
        || world
            .process(world.links[link].process)
            .is_none_or(|process| process.is_stopping)
        || world.is_half_dead(link)
        || !world.links[link].is_open_here;
    if !is_troubled {
        let detail = format!("page {page} was welcome until {ends_at}, and brings no other token");
        world.fail(Invariant::TokensAreReplaced, || detail);
    }
}
