//! nginx by `deploy/nginx.conf`, without TLS: what is between a client and nginx must be able to read
//! that a WebSocket is asked for.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use rejoinder_test_services::{Nginx, confined};

use crate::signals;

const CONFIGURATION: &str = include_str!("../../../deploy/nginx.conf");
/// The gateways of the file.
const GATEWAYS: &str = "    server gateway-1:8787;\n    server gateway-2:8787;\n";

/// nginx in front of these gateways.
#[derive(Debug)]
pub(crate) struct Proxy {
    gateways: Vec<u16>,
    folder: PathBuf,
    nginx: Option<Nginx>,
    port: Arc<AtomicU16>,
}

impl Proxy {
    /// Starts it.
    pub(crate) fn start(gateways: Vec<u16>) -> Self {
        let mut proxy = Self {
            gateways,
            folder: PathBuf::new(),
            nginx: None,
            port: Arc::default(),
        };
        proxy.restart();
        proxy
    }

    /// Returns where it listens now.
    pub(crate) fn port(&self) -> Arc<AtomicU16> {
        Arc::clone(&self.port)
    }

    /// Ends it.
    pub(crate) fn stop(&mut self) {
        self.nginx = None;
    }

    /// Starts it again, on another port.
    pub(crate) fn restart(&mut self) {
        let folder = &mut self.folder;
        let gateways = &self.gateways;
        let nginx = Nginx::start(|place, port| {
            place.clone_into(folder);
            configuration(place, port, gateways)
        });
        self.port.store(nginx.port(), Ordering::Relaxed);
        self.nginx = Some(nginx);
    }

    /// Lets it read its configuration again.
    pub(crate) fn reload(&self) {
        signals::send("HUP", &self.pid());
    }

    /// Kills the processes that hold the connections; their parent starts others.
    pub(crate) fn kill(&self) {
        let workers: Vec<u32> = self.pid().into_iter().flat_map(signals::children).collect();
        signals::send("KILL", &workers);
    }

    fn pid(&self) -> Vec<u32> {
        let pid = std::fs::read_to_string(self.folder.join("pid"));
        pid.ok()
            .and_then(|pid| pid.trim().parse().ok())
            .into_iter()
            .collect()
    }
}

/// The file, with what everybody changes, without TLS, and where it may write here.
fn configuration(folder: &Path, port: u16, gateways: &[u16]) -> String {
    let servers = gateways
        .iter()
        .map(|port| format!("    server 127.0.0.1:{port};\n"));
    let changes = [
        (GATEWAYS, servers.collect()),
        ("listen 443 ssl", format!("listen 127.0.0.1:{port}")),
    ];
    let text = confined(CONFIGURATION, folder, &changes);
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("ssl_"));
    lines.map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_leads_to_every_gateway_and_speaks_no_tls() {
        let text = configuration(Path::new("/tmp/x"), 8000, &[1, 2, 3]);
        assert!(text.contains("listen 127.0.0.1:8000;"));
        for port in 1..=3 {
            assert!(
                text.contains(&format!("server 127.0.0.1:{port};")),
                "{port}"
            );
        }
        for gone in ["ssl", "443", "/var/", "/run/"] {
            assert!(!text.contains(gone), "{gone}");
        }
    }
}
