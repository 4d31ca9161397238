//! The real servers: PostgreSQL, Redis, gateways, nginx; and what can go wrong with them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU16;
use std::time::Duration;

use http_body_util::BodyExt;
use rejoinder_test_services::{Postgres, Redis};
use tokio::sync::Mutex;
use tokio::task::block_in_place;
use tokio::time::sleep;

use crate::gateway::{Gateway, Setup, run};
use crate::http::{HOST, ORIGIN, ask};
use crate::nginx::Proxy;
use crate::people::People;
use crate::signals;

const SECRET: &str = "chaos-knows-no-secrets";
const ADMIN_KEY: &str = "the-admin-key-0123456789-0123456789";
/// Longer than any run.
const TOKEN_S: &str = "86400";
/// Between two times that the stream is trimmed.
const TRIM_PAUSE: Duration = Duration::from_millis(150);

/// Everything that clients need.
#[derive(Debug)]
pub(crate) struct Servers {
    setup: Setup,
    postgres: Postgres,
    database: String,
    redis: Mutex<Redis>,
    gateways: Vec<Mutex<Gateway>>,
    proxy: Mutex<Proxy>,
    port: Arc<AtomicU16>,
}

impl Servers {
    /// Starts them, with so many gateways, whose logs go into a folder.
    ///
    /// # Errors
    ///
    /// If a gateway does not start.
    pub(crate) async fn start(
        program: PathBuf,
        gateways: usize,
        folder: PathBuf,
    ) -> Result<Self, String> {
        let (postgres, redis) = block_in_place(|| (Postgres::start(&[]), Redis::start()));
        let database = postgres.database();
        let environment = vec![
            ("REJOINDER_DATABASE", database.clone()),
            ("REDIS_URL", redis.url()),
            ("REJOINDER_JWT_SECRET", SECRET.to_owned()),
            ("REJOINDER_ADMIN_KEY", ADMIN_KEY.to_owned()),
            ("REJOINDER_ALLOW_ORIGIN", ORIGIN.to_owned()),
            ("REJOINDER_ALLOW_HOST", HOST.to_owned()),
        ];
        let setup = Setup {
            program,
            environment,
            folder,
        };
        run(&setup, &["migrate"]).await?;
        let (mut places, mut ports) = (Vec::new(), Vec::new());
        for number in 0..gateways {
            let mut gateway = Gateway::place(number, &setup)?;
            gateway.start(&setup).await?;
            ports.push(gateway.port());
            places.push(Mutex::new(gateway));
        }
        let proxy = block_in_place(|| Proxy::start(ports));
        Ok(Self {
            setup,
            postgres,
            database,
            redis: Mutex::new(redis),
            gateways: places,
            port: proxy.port(),
            proxy: Mutex::new(proxy),
        })
    }

    /// Returns the URL of the database.
    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// Returns where nginx listens, which changes.
    pub(crate) fn port(&self) -> Arc<AtomicU16> {
        Arc::clone(&self.port)
    }

    /// Returns a token of a user.
    ///
    /// # Errors
    ///
    /// If the gateway's program does not make one.
    pub(crate) async fn token(&self, user: &str) -> Result<String, String> {
        run(&self.setup, &["token", "--sub", user, "--valid-s", TOKEN_S]).await
    }

    /// Makes the threads, as a back end does.
    ///
    /// # Errors
    ///
    /// If a gateway refuses that.
    pub(crate) async fn make_threads(&self, people: &People) -> Result<(), String> {
        for (thread_id, participants) in &people.threads {
            let Some((two, others)) = participants.split_at_checked(2) else {
                continue;
            };
            let two: Vec<_> = two.iter().map(|user| format!("\"{user}\"")).collect();
            let body = format!(
                r#"{{"thread_id":"{thread_id}","participants":[{}]}}"#,
                two.join(",")
            );
            self.ask("POST /v1/threads", body).await?;
            for user in others {
                let what = format!("PUT /v1/threads/{thread_id}/participants/{user}");
                self.ask(&what, String::new()).await?;
            }
        }
        Ok(())
    }

    async fn ask(&self, what: &str, body: String) -> Result<(), String> {
        let port = self.port.load(std::sync::atomic::Ordering::Relaxed);
        let answer = ask(port, what, ADMIN_KEY, body).await;
        let answer = answer.map_err(|error| format!("{what}: {error}"))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let text = answer
            .into_body()
            .collect()
            .await
            .map(|body| body.to_bytes());
        Err(format!("{what}: {status} {text:?}"))
    }

    /// Kills gateways and starts them again after so long.
    pub(crate) async fn kill_gateways(
        &self,
        which: &[usize],
        down: Duration,
    ) -> Result<(), String> {
        let mut killed = Vec::new();
        for gateway in which.iter().filter_map(|one| self.gateways.get(*one)) {
            let mut gateway = gateway.lock().await;
            gateway.kill().await;
            killed.push(gateway);
        }
        sleep(down).await;
        for gateway in &mut killed {
            gateway.start(&self.setup).await?;
        }
        Ok(())
    }

    /// Kills all of them, and starts them again after so long.
    pub(crate) async fn kill_every_gateway(&self, down: Duration) -> Result<(), String> {
        let all: Vec<usize> = (0..self.gateways.len()).collect();
        self.kill_gateways(&all, down).await
    }

    /// Stops a gateway in order, and starts it again after so long.
    pub(crate) async fn stop_gateway(&self, which: usize, down: Duration) -> Result<(), String> {
        let Some(gateway) = self.gateways.get(which) else {
            return Ok(());
        };
        let mut gateway = gateway.lock().await;
        gateway.stop().await?;
        sleep(down).await;
        gateway.start(&self.setup).await
    }

    /// Lets a gateway stand still for so long.
    pub(crate) async fn freeze_gateway(&self, which: usize, ms: u64) {
        if let Some(gateway) = self.gateways.get(which) {
            let gateway = gateway.lock().await;
            let pid: Vec<u32> = gateway.pid().into_iter().collect();
            block_in_place(|| signals::freeze(&pid, ms));
        }
    }

    /// Kills Redis, and starts an empty one after so long.
    pub(crate) async fn kill_redis(&self, down: Duration) {
        let mut redis = self.redis.lock().await;
        block_in_place(|| redis.stop());
        sleep(down).await;
        block_in_place(|| redis.restart());
    }

    /// Lets Redis lose what it holds.
    pub(crate) async fn empty_redis(&self) {
        let redis = self.redis.lock().await;
        block_in_place(|| redis.run(&["FLUSHALL"]));
    }

    /// Cuts the stream of news to nothing, so many times.
    pub(crate) async fn trim_redis(&self, times: u32) {
        let redis = self.redis.lock().await;
        for _ in 0..times {
            block_in_place(|| redis.run(&["XTRIM", "rejoinder:news", "MAXLEN", "0"]));
            sleep(TRIM_PAUSE).await;
        }
    }

    /// Lets Redis stand still for so long.
    pub(crate) async fn freeze_redis(&self, ms: u64) {
        let redis = self.redis.lock().await;
        block_in_place(|| signals::freeze(&[redis.pid()], ms));
    }

    /// Restarts PostgreSQL in order.
    pub(crate) fn restart_postgres(&self) {
        block_in_place(|| self.postgres.restart());
    }

    /// Lets PostgreSQL die and recover.
    pub(crate) fn crash_postgres(&self) {
        block_in_place(|| self.postgres.crash());
    }

    /// Lets all of PostgreSQL stand still for so long.
    pub(crate) fn freeze_postgres(&self, ms: u64) {
        let first = self.postgres.pid();
        let mut pids = signals::children(first);
        pids.push(first);
        block_in_place(|| signals::freeze(&pids, ms));
    }

    /// Lets nginx read its configuration again.
    pub(crate) async fn reload_nginx(&self) {
        let proxy = self.proxy.lock().await;
        block_in_place(|| proxy.reload());
    }

    /// Kills nginx's workers.
    pub(crate) async fn kill_nginx(&self) {
        let proxy = self.proxy.lock().await;
        block_in_place(|| proxy.kill());
    }

    /// Stops nginx, and starts it again after so long.
    pub(crate) async fn stop_nginx(&self, down: Duration) {
        let mut proxy = self.proxy.lock().await;
        block_in_place(|| proxy.stop());
        sleep(down).await;
        block_in_place(|| proxy.restart());
    }

    /// Returns what is wrong with gateways that nobody killed.
    pub(crate) async fn troubles(&self) -> Vec<String> {
        let mut troubles = Vec::new();
        for gateway in &self.gateways {
            troubles.extend(gateway.lock().await.trouble());
        }
        troubles
    }
}
