//! The network between one client and nginx, with all that a network does.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

/// A head that is longer asks for no WebSocket.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// What is carried at once.
const PIECE_BYTES: usize = 16 * 1024;
/// By then a gateway and nginx have given a silent connection up, as the system will here.
const DEAD_FOR: Duration = Duration::from_secs(150);
/// What a hotel answers to those who have not logged in.
const PAGE: &str = "HTTP/1.1 403 Forbidden\r\ncontent-type: text/html\r\ncontent-length: 12\r\n\
                    connection: close\r\n\r\n<p>no</p>\r\n\r\n";

/// What becomes of connections.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Weather {
    /// They are carried.
    #[default]
    Fair,
    /// New ones are closed at once.
    Gone,
    /// New ones are taken and carry nothing, for ever.
    Silent,
    /// Each piece takes so long, in milliseconds.
    Slow(u64),
    /// WebSockets are refused.
    NoUpgrades,
}

/// Which way a piece goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    Up,
    Down,
}

#[derive(Debug, Default)]
struct State {
    weather: Weather,
    connections: Vec<Connection>,
}

#[derive(Debug)]
struct Connection {
    task: AbortHandle,
    /// Which ways are dead.
    dead: watch::Sender<[bool; 2]>,
    died_at: Option<Instant>,
}

impl Connection {
    fn is_over(&self) -> bool {
        self.task.is_finished() || self.died_at.is_some_and(|at| at.elapsed() > DEAD_FOR)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One client's network.
#[derive(Debug)]
pub(crate) struct Network {
    port: u16,
    usual: Weather,
    state: Arc<Mutex<State>>,
    listening: AbortHandle,
}

impl Network {
    /// Opens one that leads to a port of loopback, which may change.
    ///
    /// # Errors
    ///
    /// What the system says, if there is no port.
    pub(crate) async fn open(to: Arc<AtomicU16>, has_sockets: bool) -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.map_err(|error| format!("no port on loopback: {error}"))?;
        let address = listener.local_addr();
        let port = address.map_err(|error| error.to_string())?.port();
        let usual = match has_sockets {
            true => Weather::Fair,
            false => Weather::NoUpgrades,
        };
        let state = Arc::new(Mutex::new(State {
            weather: usual,
            ..State::default()
        }));
        let task = tokio::spawn(listen(listener, to, Arc::clone(&state)));
        Ok(Self {
            port,
            usual,
            state,
            listening: task.abort_handle(),
        })
    }

    /// Returns the port of loopback that its client connects to.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Chooses what becomes of new connections, and of pieces.
    pub(crate) fn set(&self, weather: Weather) {
        lock(&self.state).weather = weather;
    }

    /// Everything is as usual again for whoever connects anew; what died stays dead.
    pub(crate) fn heal(&self) {
        self.set(self.usual);
    }

    /// Breaks all connections.
    pub(crate) fn cut(&self) {
        lock(&self.state).connections.clear();
    }

    /// Lets all connections carry nothing any more these ways, without a word to anybody.
    pub(crate) fn silence(&self, ways: &[Way]) {
        for connection in &mut lock(&self.state).connections {
            connection.died_at = Some(Instant::now());
            connection.dead.send_modify(|[up, down]| {
                *up |= ways.contains(&Way::Up);
                *down |= ways.contains(&Way::Down);
            });
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn listen(listener: TcpListener, to: Arc<AtomicU16>, state: Arc<Mutex<State>>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        let (dead, is_dead) = watch::channel([false; 2]);
        let mut held = lock(&state);
        held.connections.retain(|one| !one.is_over());
        let mut died_at = None;
        match held.weather {
            Weather::Gone => continue,
            Weather::Silent => {
                dead.send_replace([true; 2]);
                died_at = Some(Instant::now());
            }
            Weather::Fair | Weather::Slow(_) | Weather::NoUpgrades => {}
        }
        let port = to.load(Ordering::Relaxed);
        let carrying = carry(client, port, Arc::clone(&state), is_dead);
        let task = tokio::spawn(carrying).abort_handle();
        held.connections.push(Connection {
            task,
            dead,
            died_at,
        });
    }
}

async fn carry(
    mut client: TcpStream,
    port: u16,
    state: Arc<Mutex<State>>,
    is_dead: watch::Receiver<[bool; 2]>,
) {
    let mut head = Vec::new();
    let refuses = lock(&state).weather == Weather::NoUpgrades;
    if refuses && asks_for_upgrade(&mut client, &mut head).await {
        let _ = client.write_all(PAGE.as_bytes()).await;
        return;
    }
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    if server.write_all(&head).await.is_err() {
        return;
    }
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // One end that closes ends both: half-closed connections are none of what is spoken here.
    tokio::select! {
        () = pipe(from_client, to_server, Way::Up, &state, is_dead.clone()) => {}
        () = pipe(from_server, to_client, Way::Down, &state, is_dead) => {}
    }
}

/// Reads the head of a request; returns whether it asks for a WebSocket.
async fn asks_for_upgrade(client: &mut TcpStream, head: &mut Vec<u8>) -> bool {
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_BYTES_MAX {
        // Byte by byte, so that nothing of a body is taken.
        match client.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return false,
        }
    }
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    text.contains("upgrade: websocket")
}

async fn pipe(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    state: &Mutex<State>,
    mut is_dead: watch::Receiver<[bool; 2]>,
) {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = tokio::select! {
            biased;
            // The guard of the answer must not be held over what follows.
            () = async { drop(is_dead.wait_for(|dead| is_meant(*dead, way)).await) } => {
                // Nothing is read, so the sender's system keeps it; the end is not noticed either.
                return std::future::pending().await;
            }
            read = from.read(&mut piece) => read,
        };
        let Some(taken) = read.ok().and_then(|count| piece.get(..count)) else {
            return;
        };
        let pause = match lock(state).weather {
            Weather::Slow(ms) => Some(Duration::from_millis(ms)),
            Weather::Fair | Weather::Gone | Weather::Silent | Weather::NoUpgrades => None,
        };
        if let Some(pause) = pause {
            sleep(pause).await;
        }
        if taken.is_empty() || to.write_all(taken).await.is_err() {
            return;
        }
    }
}

fn is_meant([up, down]: [bool; 2], way: Way) -> bool {
    match way {
        Way::Up => up,
        Way::Down => down,
    }
}
