//! Who is where: a lease of each gateway for each of its users, by the server's clock.
//!
//! A hash for each user holds when each gateway's lease ends, and when the last one ended. A gateway
//! that dies holds no lease for long; nobody has to clean up behind it.

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, Value};
use rejoinder_protocol::{UnixMillis, UserId};

use super::{Bus, BusError};
use crate::core::{LEASE_MS, Lease, PRESENCE_GRACE_MS};

/// When somebody was last seen is remembered for so long, in milliseconds: 30 days.
const SEEN_MS: u64 = 30 * 24 * 60 * 60 * 1_000;
/// After the server lost its leases all gateways have theirs again by then, in milliseconds: they
/// try to connect every five seconds.
const SETTLED_MS: u64 = 8_000;

/// The server's clock, in milliseconds.
const NOW: &str = "local time = redis.call('TIME') \
     local now = time[1] * 1000 + math.floor(time[2] / 1000) ";

/// `ARGV`: node, how long it lasts, how long anything is remembered.
const HOLD: &str = "redis.call('HSET', KEYS[1], 'gateway ' .. ARGV[1], now + ARGV[2]) \
     redis.call('PEXPIRE', KEYS[1], ARGV[3])";

/// `ARGV`: the same. A lease that ends says when its user was last seen.
const LEAVE: &str = "redis.call('HSET', KEYS[1], 'gateway ' .. ARGV[1], now + ARGV[2], 'seen', now) \
     redis.call('PEXPIRE', KEYS[1], ARGV[3])";

/// `ARGV`: node, how long anything is remembered.
const RELEASE: &str = "if redis.call('HDEL', KEYS[1], 'gateway ' .. ARGV[1]) == 1 then \
     redis.call('HSET', KEYS[1], 'seen', now) \
     redis.call('PEXPIRE', KEYS[1], ARGV[2]) end";

/// `ARGV`: how long a lease lasts. Leases that have ended go, with the moment of their last renewal.
const LOOK: &str = "local all = redis.call('HGETALL', KEYS[1]) \
     local held, seen, ended = 0, 0, {} \
     for place = 1, #all, 2 do \
       local name, moment = all[place], tonumber(all[place + 1]) or 0 \
       if name == 'seen' then seen = math.max(seen, moment) \
       elseif moment > now then held = 1 \
       else seen = math.max(seen, moment - ARGV[1]); ended[#ended + 1] = name end \
     end \
     if #ended > 0 then \
       redis.call('HSET', KEYS[1], 'seen', seen) \
       redis.call('HDEL', KEYS[1], unpack(ended)) \
     end \
     return {held, seen}";

/// Remembers since when the server has leases, and returns for how long. `ARGV`: when the newest news
/// were told: after a silence, leases have ended for the lack of a server.
const SETTLED: &str = "redis.call('SET', KEYS[1], now, 'NX') \
     if now - ARGV[1] > 20000 then redis.call('SET', KEYS[1], now) end \
     return now - (tonumber(redis.call('GET', KEYS[1])) or now)";

fn script<'a>(pipeline: &'a mut Pipeline, script: &str, key: &str) -> &'a mut Pipeline {
    let script = format!("{NOW}{script}");
    pipeline.cmd("EVAL").arg(script).arg(1).arg(key)
}

fn key(bus: &Bus, user_id: &UserId) -> String {
    bus.key(&format!("presence:{user_id}"))
}

/// Holds or renews our leases for these users.
pub(super) fn hold(bus: &Bus, pipeline: &mut Pipeline, users: &[UserId]) {
    lease(bus, pipeline, HOLD, LEASE_MS, users);
}

/// Lets our leases for these users end as soon as they had the time to come back somewhere else.
pub(super) fn leave(bus: &Bus, pipeline: &mut Pipeline, users: &[UserId]) {
    lease(bus, pipeline, LEAVE, PRESENCE_GRACE_MS, users);
}

fn lease(bus: &Bus, pipeline: &mut Pipeline, how: &str, lasts_ms: u64, users: &[UserId]) {
    for user_id in users {
        let lease = script(pipeline, how, &key(bus, user_id));
        lease.arg(&*bus.node).arg(lasts_ms).arg(SEEN_MS).ignore();
    }
}

/// Gives back our lease for a user.
pub(super) fn release(bus: &Bus, pipeline: &mut Pipeline, user_id: &UserId) {
    let release = script(pipeline, RELEASE, &key(bus, user_id));
    release.arg(&*bus.node).arg(SEEN_MS).ignore();
}

/// Looks at the leases of these users; each answer is for [`read`].
pub(super) fn look(bus: &Bus, pipeline: &mut Pipeline, users: &[UserId]) {
    for user_id in users {
        script(pipeline, LOOK, &key(bus, user_id)).arg(LEASE_MS);
    }
}

/// Reads what was found of one user.
pub(super) fn read(answer: Value) -> Result<Lease, BusError> {
    let (held, seen): (u8, u64) =
        redis::from_redis_value(answer).map_err(redis::RedisError::from)?;
    let seen = (seen > 0).then_some(seen);
    Ok(match held {
        0 => Lease::Free {
            last_seen_at: seen.and_then(|seen| UnixMillis::try_from(seen).ok()),
        },
        _ => Lease::Held,
    })
}

/// Returns after how many milliseconds leases that are not there can be believed.
pub(super) async fn settled_in_ms(
    bus: &Bus,
    connection: &mut MultiplexedConnection,
    newest: &str,
) -> Result<u64, BusError> {
    let told_at = newest.split('-').next().unwrap_or_default();
    let mut pipeline = redis::pipe();
    script(&mut pipeline, SETTLED, &bus.key("since")).arg(told_at);
    let (since,): (u64,) = pipeline.query_async(connection).await?;
    Ok(SETTLED_MS.saturating_sub(since))
}
