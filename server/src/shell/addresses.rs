//! Where clients come from, and how much may come from one address.
//!
//! A stranger is known by nothing else; what a user may do is the cores' to say.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use ipnet::IpNet;

use super::metrics::OfStrangers;

/// Addresses from which nothing comes any more are forgotten this often.
const SWEEP: Duration = Duration::from_secs(60);
/// So many seconds' worth of handshakes may come at once: people behind one address lose their
/// connections together.
const BURST_S: u32 = 5;

/// The header in which a proxy says for whom it asks, each adding to what the one before it said.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// How much may come from one address, and whom to believe about addresses.
///
/// This machine's own have no limits: a program that is here, or a proxy that did not say for whom it
/// asks.
#[derive(Clone, Debug)]
pub struct AddressLimits {
    /// Connections at once.
    pub connections: u32,
    /// Sockets and streams that are opened per second; for a moment five times as many.
    pub handshakes_per_second: NonZeroU32,
    /// Proxies beside those of this machine, whose `X-Forwarded-For` is believed.
    pub proxies: Vec<IpNet>,
}

impl Default for AddressLimits {
    fn default() -> Self {
        Self {
            connections: 512,
            handshakes_per_second: NonZeroU32::new(20).unwrap_or(NonZeroU32::MIN),
            proxies: Vec::new(),
        }
    }
}

/// What counts as one address: of IPv6 a network of 64 bits, as households and machines have.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Address {
    V4(u32),
    V6(u64),
}

impl Address {
    /// `None` for this machine's own.
    fn of(address: IpAddr) -> Option<Self> {
        match address.to_canonical() {
            own if own.is_loopback() => None,
            IpAddr::V4(address) => Some(Self::V4(address.to_bits())),
            IpAddr::V6(address) => {
                let network = u64::try_from(address.to_bits() >> 64);
                network.ok().map(Self::V6)
            }
        }
    }
}

/// What comes from where.
#[derive(Debug)]
pub(super) struct Addresses {
    limits: AddressLimits,
    connections: Mutex<HashMap<Address, u32>>,
    handshakes: DefaultKeyedRateLimiter<Address>,
    refused: OfStrangers,
    has_warned: AtomicBool,
}

impl Addresses {
    pub(super) fn new(limits: AddressLimits, refused: OfStrangers) -> Arc<Self> {
        let per_second = limits.handshakes_per_second;
        let burst = per_second.saturating_mul(NonZeroU32::new(BURST_S).unwrap_or(NonZeroU32::MIN));
        let quota = Quota::per_second(per_second).allow_burst(burst);
        Arc::new(Self {
            limits,
            connections: Mutex::default(),
            handshakes: RateLimiter::keyed(quota),
            refused,
            has_warned: AtomicBool::new(false),
        })
    }

    /// Forgets addresses of which nothing more can be said than of new ones, for ever.
    pub(super) async fn sweep(self: Arc<Self>) {
        loop {
            tokio::time::sleep(SWEEP).await;
            self.handshakes.retain_recent();
            self.handshakes.shrink_to_fit();
            self.has_warned.store(false, Ordering::Relaxed);
        }
    }

    /// Whether somebody is believed about for whom they ask.
    fn is_proxy(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        peer.is_loopback() || self.limits.proxies.iter().any(|one| one.contains(&peer))
    }

    /// The address that a connection counts for; `None`: it has no limit, or each request says whom it
    /// is for.
    pub(super) fn of_connection(&self, peer: IpAddr) -> Option<Address> {
        match self.is_proxy(peer) {
            true => None,
            false => Address::of(peer),
        }
    }

    /// For whom a proxy asks: the last address in its header that is not a proxy's. What stands before
    /// that anybody may have written.
    pub(super) fn of_request(&self, peer: IpAddr, headers: &HeaderMap) -> Option<Address> {
        if !self.is_proxy(peer) {
            return None;
        }
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let named = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        for name in named {
            let name = str::from_utf8(name).ok()?.trim();
            let address = name.parse().or_else(|_| {
                let with_port = name.parse::<SocketAddr>();
                with_port.map(|address| address.ip())
            });
            let address = address.ok()?;
            if !self.is_proxy(address) {
                return Address::of(address);
            }
        }
        None
    }

    /// Takes a place for a connection, if its address is one that is counted.
    ///
    /// # Errors
    ///
    /// [`Crowded`]: there is none left.
    pub(super) fn enter(
        self: &Arc<Self>,
        address: Option<Address>,
    ) -> Result<Option<Place>, Crowded> {
        let Some(address) = address else {
            return Ok(None);
        };
        let mut connections = self.lock();
        let count = connections.entry(address).or_insert(0);
        if *count >= self.limits.connections {
            drop(connections);
            self.refused.connections.increment(1);
            self.warn("connections");
            return Err(Crowded);
        }
        *count += 1;
        let addresses = Arc::clone(self);
        Ok(Some(Place { addresses, address }))
    }

    /// Counts a handshake.
    ///
    /// # Errors
    ///
    /// When another one may come: this is one too many.
    pub(super) fn greet(&self, address: Address) -> Result<(), Duration> {
        self.handshakes.check_key(&address).map_err(|not_until| {
            self.refused.handshakes.increment(1);
            self.warn("handshakes");
            not_until.wait_time_from(DefaultClock::default().now())
        })
    }

    /// Says it once in a while, and not of whom.
    fn warn(&self, of_what: &str) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "one address has too many {of_what}, and more are refused; if it is your proxy's, \
                 name it with --trust-proxy"
            );
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Address, u32>> {
        // Counted up and down in one step each: a panic leaves nothing half done.
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// An address has as many connections as it may.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crowded;

/// A connection's place among those of its address, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    addresses: Arc<Addresses>,
    address: Address,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.addresses.lock().entry(self.address) {
            match count.get().checked_sub(1) {
                None | Some(0) => drop(count.remove()),
                Some(left) => drop(count.insert(left)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use metrics::Counter;

    use super::*;

    fn addresses(proxies: &[&str]) -> Arc<Addresses> {
        let limits = AddressLimits {
            connections: 2,
            handshakes_per_second: NonZeroU32::MIN,
            proxies: proxies.iter().map(|one| one.parse().unwrap()).collect(),
        };
        let refused = OfStrangers {
            connections: Counter::noop(),
            handshakes: Counter::noop(),
        };
        Addresses::new(limits, refused)
    }

    fn of_request(addresses: &Addresses, peer: &str, lines: &[&str]) -> Option<Address> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        addresses.of_request(peer.parse().unwrap(), &headers)
    }

    fn v4(text: &str) -> Option<Address> {
        Address::of(text.parse().unwrap())
    }

    #[test]
    fn only_proxies_are_believed_and_only_about_what_they_saw() {
        let addresses = addresses(&["10.0.0.0/8", "fd00::/8"]);
        let client = v4("203.0.113.9");
        for (peer, lines, expected) in [
            ("10.1.2.3", &["203.0.113.9"][..], client),
            ("::ffff:10.1.2.3", &["203.0.113.9"], client),
            ("fd00::1", &["203.0.113.9:4711"], client),
            ("127.0.0.1", &["203.0.113.9"], client),
            // What the client wrote stands before what the proxies saw.
            ("10.1.2.3", &["198.51.100.1, 203.0.113.9, 10.9.9.9"], client),
            ("10.1.2.3", &["198.51.100.1", "203.0.113.9"], client),
            // Nobody that could be counted.
            ("203.0.113.9", &["198.51.100.1"], None),
            ("10.1.2.3", &[], None),
            ("10.1.2.3", &["10.4.4.4, 127.0.0.1"], None),
            ("10.1.2.3", &["198.51.100.1, unknown"], None),
            ("10.1.2.3", &["198.51.100.1,"], None),
        ] {
            let found = of_request(&addresses, peer, lines);
            assert_eq!(found, expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn an_address_is_a_machine_or_a_network_of_64_bits_and_never_this_machine() {
        assert_eq!(v4("::ffff:203.0.113.9"), v4("203.0.113.9"));
        assert_ne!(v4("203.0.113.8"), v4("203.0.113.9"));
        assert_eq!(v4("2001:db8::1"), v4("2001:db8::ffff:1"));
        assert_ne!(v4("2001:db8::1"), v4("2001:db8:0:1::1"));
        for own in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(v4(own), None, "{own}");
        }
        let addresses = addresses(&["10.0.0.0/8"]);
        let of = |peer: &str| addresses.of_connection(peer.parse().unwrap());
        assert_eq!(of("203.0.113.9"), v4("203.0.113.9"));
        assert_eq!(of("10.0.0.1"), None, "each request says whom it is for");
    }

    #[test]
    fn places_are_given_back_and_forgotten() {
        let addresses = addresses(&[]);
        let (one, other) = (v4("203.0.113.8"), v4("203.0.113.9"));
        let first = addresses.enter(one).unwrap();
        let second = addresses.enter(one).unwrap();
        assert!(addresses.enter(one).is_err());
        assert!(addresses.enter(other).is_ok(), "another has its own");
        drop(first);
        let third = addresses.enter(one).unwrap();
        assert!(addresses.enter(one).is_err());
        drop((second, third));
        assert!(addresses.lock().is_empty());
    }

    #[test]
    fn handshakes_are_limited_for_each_address() {
        let addresses = addresses(&[]);
        let (one, other) = (v4("203.0.113.8").unwrap(), v4("203.0.113.9").unwrap());
        for _ in 0..BURST_S {
            addresses.greet(one).unwrap();
        }
        let wait = addresses.greet(one).unwrap_err();
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        addresses.greet(other).unwrap();
    }
}
