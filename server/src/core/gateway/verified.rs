//! What becomes of a session when somebody has looked at its token.

use super::Gateway;
use crate::core::config::UNVERIFIED_RETRY_MS;
use crate::core::{Effect, Identity, Now, Refusal, SessionKey};

impl Gateway {
    pub(super) fn verified(
        &mut self,
        now: Now,
        session: SessionKey,
        result: Result<Identity, Refusal>,
        effects: &mut Vec<Effect>,
    ) {
        let mut steps = Vec::new();
        match result {
            Ok(identity) => {
                let is_new = self.sessions.get(&session);
                let is_new = is_new.is_some_and(|one| one.user_id().is_none());
                if is_new && self.is_crowded(&identity.user_id) {
                    return self.turn_away(now, session);
                }
                if let Some((one, config)) = self.touch(session) {
                    one.verified(now, config, identity, &mut steps);
                }
            }
            Err(refusal) => {
                // Whoever comes while the issuer is away must not come back in the same moment.
                let retry_after_ms = match refusal {
                    Refusal::Unavailable => self.ids.spread_ms(UNVERIFIED_RETRY_MS),
                    Refusal::Expired | Refusal::Invalid => 0,
                };
                if let Some((one, _)) = self.touch(session) {
                    one.not_verified(now.monotonic, refusal, retry_after_ms);
                }
            }
        }
        self.steps(now, session, steps, effects);
    }
}
