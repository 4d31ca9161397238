//! Tokens: the applications' functions that bring them, and what the gateway makes of them.

use rejoinder::engine::{Attempt, Input, TokenInput};
use rejoinder_gateway::core::{Identity, Refusal};
use rejoinder_protocol::{Token, UnixMillis, UserId};

use super::World;
use crate::checks::tokens;
use crate::random::delay;
use crate::schedule::USERS;

/// A gateway takes a token for so long after its end, in milliseconds: clocks differ.
const LEEWAY_MS: u64 = 30_000;

/// The end of a token that its application cannot read.
const OPAQUE: &str = "opaque";

/// What an application can do about tokens. All moments are those at which the trouble ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenFunction {
    /// There is none.
    pub none_until: u64,
    /// One comes too late.
    pub slow_until: u64,
    /// None ever comes.
    pub hanging_until: u64,
    /// It is the one of the last time.
    pub same_until: u64,
    /// It is another user's, and cannot be read.
    pub wrong_until: u64,
    /// It is another user's, and says so.
    pub others_until: u64,
}

/// A token that an application has stored.
#[derive(Clone, Debug)]
pub(super) struct Minted {
    user_id: UserId,
    token: TokenInput,
}

impl World {
    /// Something may keep a tab from replacing its token.
    pub(super) fn trouble_tab(&mut self, tab: usize, until: u64) {
        let one = &mut self.tabs[tab];
        one.troubled_until = one.troubled_until.max(until);
    }

    /// An application is asked for a token.
    pub(super) fn bring_token(&mut self, page: usize, attempt: Attempt) {
        tokens::wanted(self, page, attempt);
        let tab = self.pages[page].tab;
        let now = self.now;
        let around = &mut self.tabs[tab].around;
        let function = around.tokens;
        let mut wait = delay(&mut around.rng, 20);
        if function.slow_until > now {
            wait += 12_000;
        }
        if function.hanging_until > now {
            return;
        }
        let token = (function.none_until <= now).then(|| self.token_of(page, function));
        self.pages[page].outstanding += 1;
        self.tell_page_later(page, wait, Input::Token { attempt, token });
    }

    fn token_of(&mut self, page: usize, function: TokenFunction) -> TokenInput {
        let now = self.now;
        let user_id = self.pages[page].user_id.clone();
        let is_others = function.others_until > now;
        if function.wrong_until > now || is_others {
            let other = USERS.iter().find(|one| **one != user_id.as_str());
            let other: UserId = other.unwrap_or(&USERS[0]).parse().expect("a valid user");
            return self.mint(&other, is_others);
        }
        let is_same = self.setting.is_token_text || function.same_until > now;
        let tab = self.pages[page].tab;
        let stored = self.tabs[tab].token.as_ref();
        if let Some(stored) = stored.filter(|stored| is_same && stored.user_id == user_id) {
            return stored.token.clone();
        }
        let token = self.mint(&user_id, true);
        self.tabs[tab].token = Some(Minted {
            user_id,
            token: token.clone(),
        });
        token
    }

    /// Makes a token. One that cannot be read looks like any other to everybody but the gateway.
    fn mint(&mut self, user_id: &UserId, is_readable: bool) -> TokenInput {
        self.minted += 1;
        let wall = self.wall(0).get();
        let end = self.setting.token_ms.map(|ms| (wall + ms).to_string());
        let end = end.unwrap_or_default();
        let kind = if is_readable { "" } else { OPAQUE };
        TokenInput {
            token: Token::new(format!("{user_id}/{end}/{}/{kind}", self.minted)),
            subject: is_readable.then(|| user_id.clone()),
        }
    }

    /// The gateway finds out whom a token names.
    pub(super) fn verify(&mut self, number: u64, token: &Token) -> Result<Identity, Refusal> {
        if self.tokens_refused_until > self.now {
            self.coverage.see("state", "valid token refused");
            return Err(Refusal::Invalid);
        }
        let (user_id, expires_at) = read(token).ok_or(Refusal::Invalid)?;
        let wall = self.gateway_now(number).wall.get();
        if expires_at.is_some_and(|at| at.get() + LEEWAY_MS < wall) {
            self.coverage.see("state", "expired token refused");
            return Err(Refusal::Expired);
        }
        Ok(Identity {
            user_id,
            expires_at,
        })
    }
}

/// Reads whose a token is, and when it ends.
fn read(token: &Token) -> Option<(UserId, Option<UnixMillis>)> {
    let mut parts = token.secret().split('/');
    let user_id = parts.next()?.parse().ok()?;
    let end = parts.next()?;
    let end = end
        .parse()
        .ok()
        .and_then(|end: u64| UnixMillis::try_from(end).ok());
    Some((user_id, end))
}

/// Reads whose a token is, if an application can.
pub(crate) fn subject(token: &Token) -> Option<UserId> {
    let is_readable = !token.secret().ends_with(OPAQUE);
    read(token)
        .filter(|_| is_readable)
        .map(|(user_id, _)| user_id)
}
