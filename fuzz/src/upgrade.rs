//! Whatever bytes a stranger sends to the gateway's port: it answers with HTTP and frames, or hangs
//! up. Nothing panics, and no page from elsewhere gets in.

mod client;
mod store;

use std::cell::RefCell;
use std::net::SocketAddr;

use rejoinder_gateway::core::Config;
use rejoinder_gateway::shell::{Access, AddressLimits, Settings, serve};
use rejoinder_gateway::tokens::Tokens;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::choices::Choices;
use store::InPlace;

thread_local! {
    static GATEWAY: RefCell<Option<Gateway>> = const { RefCell::new(None) };
}

/// Sends what the bytes describe to a real listener.
pub fn run(data: &[u8]) {
    GATEWAY.with_borrow_mut(|gateway| {
        let gateway = gateway.get_or_insert_with(Gateway::start);
        gateway.receive(&mut Choices::new(data));
    });
}

/// The real gateway on a real socket.
struct Gateway {
    runtime: Runtime,
    address: SocketAddr,
}

/// What a stranger sends, in parts that arrive one after the other.
struct Sent {
    parts: Vec<Vec<u8>>,
    /// Whether it comes from a page that nobody knows.
    is_foreign: bool,
}

impl Gateway {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let store = InPlace::new();
        let mut config = Config::new(store.epoch(), 7);
        config.dev_pairs = true;
        let settings = Settings {
            config,
            access: Access::dev(),
            addresses: AddressLimits::default(),
            tokens: Tokens::new().with_dev(),
            admin_key: None,
            bus: None,
            serve_dir: None,
            tls: None,
            operations: None,
        };
        runtime.spawn(serve(settings, store, listener, std::future::pending()));
        Self { runtime, address }
    }

    fn receive(&self, choices: &mut Choices<'_>) {
        let sent = client::send(choices);
        let answer = self.runtime.block_on(exchange(self.address, &sent.parts));
        client::check(&sent, &answer);
    }
}

/// Sends the parts, and returns all that is answered until the gateway hangs up.
async fn exchange(address: SocketAddr, parts: &[Vec<u8>]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Without leaving a socket that waits: thousands of them come in a minute.
    stream.set_zero_linger().unwrap();
    stream.set_nodelay(true).unwrap();
    for part in parts {
        // The gateway may have hung up already.
        let _ = stream.write_all(part).await;
        for _ in 0..16 {
            // Each lets the gateway's tasks run, and looks at the sockets.
            tokio::task::yield_now().await;
        }
    }
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}
