//! Everybody and everything, and the faults that meet them.

use std::sync::Arc;
use std::time::Duration;

use rejoinder_simulation::random::stream;
use tokio::time::sleep;

use crate::client::{Around, Client};
use crate::fault::{Fault, Planned, Trouble};
use crate::figures::Counts;
use crate::ledger::Ledger;
use crate::network::{Network, Way, Weather};
use crate::people::People;
use crate::servers::Servers;

/// What a run is about.
pub(crate) struct World {
    pub(crate) servers: Servers,
    pub(crate) people: People,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) clients: Vec<Client>,
    networks: Vec<Network>,
}

impl World {
    /// Lets everybody come to servers that run.
    ///
    /// # Errors
    ///
    /// If a gateway refuses something, or there are no ports.
    pub(crate) async fn open(servers: Servers, people: People, seed: u64) -> Result<Self, String> {
        servers.make_threads(&people).await?;
        let (ledger, counts) = (Arc::<Ledger>::default(), Arc::<Counts>::default());
        let (mut clients, mut networks) = (Vec::new(), Vec::new());
        for device in &people.devices {
            let network = Network::open(servers.port(), device.has_sockets).await?;
            let around = Around {
                device: device.clone(),
                port: network.port(),
                token: servers.token(device.user_id.as_str()).await?,
                ledger: Arc::clone(&ledger),
                counts: Arc::clone(&counts),
            };
            let mut rng = stream(seed, "client", device.number as u64);
            clients.push(Client::open(around, rng.u64(..)));
            networks.push(network);
        }
        Ok(Self {
            servers,
            people,
            ledger,
            counts,
            clients,
            networks,
        })
    }

    /// Lets a fault happen when its time has come; returns when it is over.
    ///
    /// # Errors
    ///
    /// If a gateway does not stop or start as it should.
    pub(crate) async fn suffer(self: Arc<Self>, planned: Planned) -> Result<(), String> {
        sleep(Duration::from_millis(planned.at_ms)).await;
        let servers = &self.servers;
        match planned.fault {
            Fault::KillGateway { gateway, down_ms } => {
                servers
                    .kill_gateways(&[gateway], Duration::from_millis(down_ms))
                    .await?;
            }
            Fault::StopGateway { gateway, down_ms } => {
                servers
                    .stop_gateway(gateway, Duration::from_millis(down_ms))
                    .await?;
            }
            Fault::FreezeGateway { gateway, ms } => servers.freeze_gateway(gateway, ms).await,
            Fault::KillEveryGateway { down_ms } => {
                servers
                    .kill_every_gateway(Duration::from_millis(down_ms))
                    .await?;
            }
            Fault::KillRedis { down_ms } => {
                servers.kill_redis(Duration::from_millis(down_ms)).await
            }
            Fault::EmptyRedis => servers.empty_redis().await,
            Fault::FreezeRedis { ms } => servers.freeze_redis(ms).await,
            Fault::TrimRedis { times } => servers.trim_redis(times).await,
            Fault::RestartPostgres => servers.restart_postgres(),
            Fault::CrashPostgres => servers.crash_postgres(),
            Fault::FreezePostgres { ms } => servers.freeze_postgres(ms),
            Fault::ReloadNginx => servers.reload_nginx().await,
            Fault::KillNginx => servers.kill_nginx().await,
            Fault::StopNginx { down_ms } => {
                servers.stop_nginx(Duration::from_millis(down_ms)).await
            }
            Fault::CrashClients {
                clients,
                loses_power,
                down_ms,
            } => {
                for client in clients.iter().filter_map(|one| self.clients.get(*one)) {
                    client.crash(loses_power, Duration::from_millis(down_ms));
                }
                sleep(Duration::from_millis(down_ms)).await;
            }
            Fault::Network { clients, trouble } => self.disturb(&clients, trouble).await,
        }
        Ok(())
    }

    async fn disturb(&self, clients: &[usize], trouble: Trouble) {
        let (weather, ms) = match trouble {
            Trouble::Cut | Trouble::HalfOpen { .. } => (None, 0),
            Trouble::Offline { ms } => (Some(Weather::Gone), ms),
            Trouble::RefuseUpgrades { ms } => (Some(Weather::NoUpgrades), ms),
            Trouble::Silence { ms } => (Some(Weather::Silent), ms),
            Trouble::Slow { piece_ms, ms } => (Some(Weather::Slow(piece_ms)), ms),
        };
        let networks = clients.iter().filter_map(|one| self.networks.get(*one));
        for network in networks.clone() {
            if let Some(weather) = weather {
                network.set(weather);
            }
            match trouble {
                Trouble::Cut | Trouble::Offline { .. } | Trouble::RefuseUpgrades { .. } => {
                    network.cut()
                }
                Trouble::HalfOpen { is_up: true } => network.silence(&[Way::Up]),
                Trouble::HalfOpen { is_up: false } => network.silence(&[Way::Down]),
                Trouble::Silence { .. } => network.silence(&[Way::Up, Way::Down]),
                Trouble::Slow { .. } => {}
            }
        }
        sleep(Duration::from_millis(ms)).await;
        networks.for_each(Network::heal);
    }

    /// The trouble is over, and everybody is told so.
    pub(crate) fn heal(&self) {
        self.networks.iter().for_each(Network::heal);
        self.clients.iter().for_each(Client::come_back);
    }
}
