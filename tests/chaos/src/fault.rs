//! What goes wrong, chosen by a seed.

use fastrand::Rng;
use rejoinder_simulation::random::stream;

/// When a fault of a round begins at the latest, in milliseconds after its first message.
const START_MS_MAX: u64 = 1_200;
/// Faults of one round at most, each of something else.
const FAULTS_MAX: usize = 4;

/// One thing that goes wrong; the clients and gateways that it meets are named by their numbers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// `kill -9`, and started again after so long.
    KillGateway { gateway: usize, down_ms: u64 },
    /// SIGTERM, as at a deployment, and started again after so long.
    StopGateway { gateway: usize, down_ms: u64 },
    /// It stands still and goes on.
    FreezeGateway { gateway: usize, ms: u64 },
    /// All of them are killed.
    KillEveryGateway { down_ms: u64 },
    /// `kill -9`, and an empty one after so long.
    KillRedis { down_ms: u64 },
    /// It loses all it holds, its connections stay.
    EmptyRedis,
    /// It stands still and goes on.
    FreezeRedis { ms: u64 },
    /// Its stream is cut to nothing, again and again.
    TrimRedis { times: u32 },
    /// It ends its sessions and starts again.
    RestartPostgres,
    /// It dies, and recovers what was committed.
    CrashPostgres,
    /// It stands still and goes on.
    FreezePostgres { ms: u64 },
    /// It reads its configuration again.
    ReloadNginx,
    /// The processes that hold the connections are killed.
    KillNginx,
    /// It ends, and another comes after so long.
    StopNginx { down_ms: u64 },
    /// Something is wrong with the networks of some clients.
    Network {
        clients: Vec<usize>,
        trouble: Trouble,
    },
    /// Clients lose all but what they have stored; if the device loses power, the newest of that, too.
    CrashClients {
        clients: Vec<usize>,
        loses_power: bool,
        down_ms: u64,
    },
}

/// What a network does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Trouble {
    /// Connections break.
    Cut,
    /// Connections carry nothing any more in one direction, without a word.
    HalfOpen { is_up: bool },
    /// There is none for so long.
    Offline { ms: u64 },
    /// Connections break, and for so long a WebSocket is answered with a page of HTML.
    RefuseUpgrades { ms: u64 },
    /// Connections carry nothing any more, without a word, nor do those that begin within so long.
    Silence { ms: u64 },
    /// For so long every piece takes its time, in milliseconds.
    Slow { piece_ms: u64, ms: u64 },
}

/// A fault, and when it begins, in milliseconds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Planned {
    pub(crate) at_ms: u64,
    pub(crate) fault: Fault,
}

impl Fault {
    /// How many of so many gateways it kills.
    pub(crate) fn kills(&self, gateways: usize) -> usize {
        match self {
            Self::KillGateway { .. } => 1,
            Self::KillEveryGateway { .. } => gateways,
            Self::StopGateway { .. }
            | Self::FreezeGateway { .. }
            | Self::KillRedis { .. }
            | Self::EmptyRedis
            | Self::FreezeRedis { .. }
            | Self::TrimRedis { .. }
            | Self::RestartPostgres
            | Self::CrashPostgres
            | Self::FreezePostgres { .. }
            | Self::ReloadNginx
            | Self::KillNginx
            | Self::StopNginx { .. }
            | Self::Network { .. }
            | Self::CrashClients { .. } => 0,
        }
    }

    /// What a report calls it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::KillGateway { .. } => "gateways killed",
            Self::StopGateway { .. } => "gateways stopped",
            Self::FreezeGateway { .. } => "gateways frozen",
            Self::KillEveryGateway { .. } => "all gateways killed",
            Self::KillRedis { .. } => "Redis killed",
            Self::EmptyRedis => "Redis emptied",
            Self::FreezeRedis { .. } => "Redis frozen",
            Self::TrimRedis { .. } => "Redis trimmed",
            Self::RestartPostgres => "PostgreSQL restarted",
            Self::CrashPostgres => "PostgreSQL crashed",
            Self::FreezePostgres { .. } => "PostgreSQL frozen",
            Self::ReloadNginx => "nginx reloaded",
            Self::KillNginx => "nginx killed",
            Self::StopNginx { .. } => "nginx stopped",
            Self::Network { trouble, .. } => trouble.name(),
            Self::CrashClients {
                loses_power: false, ..
            } => "clients crashed",
            Self::CrashClients {
                loses_power: true, ..
            } => "devices without power",
        }
    }
}

impl Trouble {
    fn name(self) -> &'static str {
        match self {
            Self::Cut => "networks cut",
            Self::HalfOpen { .. } => "connections half open",
            Self::Offline { .. } => "networks gone",
            Self::RefuseUpgrades { .. } => "upgrades refused",
            Self::Silence { .. } => "networks silent",
            Self::Slow { .. } => "networks slow",
        }
    }
}

/// What faults may meet: at most one of a round meets each, so that none ends another.
const PLACES: [fn(&mut Rng, &Met) -> Fault; 6] =
    [gateway, redis, postgres, nginx, network, clients];

/// How many there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) gateways: usize,
    pub(crate) clients: usize,
}

/// Whom the faults of one round meet.
struct Met {
    gateways: usize,
    /// The same for their networks and for themselves: who crashes without a network loses most.
    clients: Vec<usize>,
}

/// Chooses what goes wrong in a round.
pub(crate) fn plan(seed: u64, round: u32, size: Size) -> Vec<Planned> {
    let mut rng = stream(seed, "faults", u64::from(round));
    let met = Met {
        gateways: size.gateways,
        clients: some(&mut rng, size.clients),
    };
    let mut places = PLACES;
    rng.shuffle(&mut places);
    let count = rng.usize(1..=FAULTS_MAX);
    let chosen = places.iter().take(count);
    chosen
        .map(|place| {
            let fault = place(&mut rng, &met);
            // Whoever crashes does so in the middle of whatever else is wrong.
            let is_crash = matches!(fault, Fault::CrashClients { .. });
            let earliest = if is_crash { START_MS_MAX / 2 } else { 0 };
            let at_ms = rng.u64(earliest..=START_MS_MAX);
            Planned { at_ms, fault }
        })
        .collect()
}

fn gateway(rng: &mut Rng, met: &Met) -> Fault {
    let gateway = rng.usize(0..met.gateways);
    match rng.u8(0..10) {
        0..=4 => Fault::KillGateway {
            gateway,
            down_ms: rng.u64(0..1_500),
        },
        5..=6 => Fault::StopGateway {
            gateway,
            down_ms: rng.u64(0..500),
        },
        7..=8 => Fault::FreezeGateway {
            gateway,
            ms: rng.u64(500..3_000),
        },
        _ => Fault::KillEveryGateway {
            down_ms: rng.u64(0..1_000),
        },
    }
}

fn redis(rng: &mut Rng, _: &Met) -> Fault {
    match rng.u8(0..4) {
        0 => Fault::KillRedis {
            down_ms: rng.u64(0..2_000),
        },
        1 => Fault::EmptyRedis,
        2 => Fault::FreezeRedis {
            ms: rng.u64(500..3_000),
        },
        _ => Fault::TrimRedis {
            times: rng.u32(1..10),
        },
    }
}

fn postgres(rng: &mut Rng, _: &Met) -> Fault {
    match rng.u8(0..3) {
        0 => Fault::RestartPostgres,
        1 => Fault::CrashPostgres,
        _ => Fault::FreezePostgres {
            ms: rng.u64(500..2_000),
        },
    }
}

fn nginx(rng: &mut Rng, _: &Met) -> Fault {
    match rng.u8(0..3) {
        0 => Fault::ReloadNginx,
        1 => Fault::KillNginx,
        _ => Fault::StopNginx {
            down_ms: rng.u64(0..1_000),
        },
    }
}

fn network(rng: &mut Rng, met: &Met) -> Fault {
    let (clients, ms) = (met.clients.clone(), rng.u64(300..2_500));
    let trouble = match rng.u8(0..6) {
        0 => Trouble::Cut,
        1 => Trouble::HalfOpen { is_up: rng.bool() },
        2 => Trouble::Offline { ms },
        3 => Trouble::RefuseUpgrades { ms },
        4 => Trouble::Silence { ms },
        _ => Trouble::Slow {
            piece_ms: rng.u64(50..600),
            ms,
        },
    };
    Fault::Network { clients, trouble }
}

fn clients(rng: &mut Rng, met: &Met) -> Fault {
    Fault::CrashClients {
        clients: met.clients.clone(),
        loses_power: rng.u8(0..3) == 0,
        down_ms: rng.u64(0..1_000),
    }
}

/// One client, some, or every one.
fn some(rng: &mut Rng, clients: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..clients).collect();
    rng.shuffle(&mut all);
    let count = match rng.u8(0..10) {
        0..=2 => 1,
        3..=8 => rng.usize(1..=clients.div_ceil(2)),
        _ => clients,
    };
    all.truncate(count);
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SIZE: Size = Size {
        gateways: 3,
        clients: 20,
    };

    #[test]
    fn a_seed_decides_what_goes_wrong() {
        let twice = [(); 2].map(|()| {
            (1..50)
                .map(|round| plan(7, round, SIZE))
                .collect::<Vec<_>>()
        });
        assert_eq!(twice[0], twice[1]);
        assert_ne!(plan(7, 1, SIZE), plan(8, 1, SIZE));
    }

    #[test]
    fn two_hundred_rounds_bring_every_fault_to_every_gateway_and_client() {
        let plans: Vec<_> = (1..=200).flat_map(|round| plan(1, round, SIZE)).collect();
        let names: BTreeSet<_> = plans.iter().map(|one| one.fault.name()).collect();
        assert_eq!(names.len(), 22);
        let killed = plans.iter().filter_map(|one| {
            let Fault::KillGateway { gateway, .. } = one.fault else {
                return None;
            };
            Some(gateway)
        });
        assert_eq!(killed.collect::<BTreeSet<_>>().len(), 3);
        let crashed = plans.iter().filter_map(|one| {
            let Fault::CrashClients { clients, .. } = &one.fault else {
                return None;
            };
            Some(clients.clone())
        });
        assert_eq!(crashed.flatten().collect::<BTreeSet<_>>().len(), 20);
    }

    #[test]
    fn a_round_brings_one_to_four_faults_of_different_places() {
        for round in 0..200 {
            let count = plan(3, round, SIZE).len();
            assert!((1..=4).contains(&count), "{count}");
        }
    }
}
