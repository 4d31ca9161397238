//! A gateway on a real socket, and a client that says exactly what a test wants.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, dead_code, unreachable_pub, missing_docs)]

pub mod stream;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rejoinder_gateway::core::Config;
use rejoinder_gateway::shell::{Access, AddressLimits, Settings, serve};
use rejoinder_gateway::store::postgres::{Connector, PostgresStore, Tables};
use rejoinder_gateway::store::{SqliteStore, Store};
use rejoinder_gateway::tokens::Tokens;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Whatever takes longer is a failure: a gateway says something every 25 seconds.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub const THREAD: &str = "alice|bob";

/// A running gateway.
pub struct Gateway {
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Gateway {
    pub async fn start() -> Self {
        Self::set(|_| {}).await
    }

    /// Starts one for which a test chooses more than the usual.
    pub async fn set(choose: impl FnOnce(&mut Settings)) -> Self {
        let epoch = "e1".parse().unwrap();
        let store = SqliteStore::memory(&epoch).unwrap();
        Self::with(store, choose).await
    }

    /// One for which a test chooses more than the usual.
    pub async fn on_postgres_with(url: &str, choose: impl FnOnce(&mut Settings)) -> Self {
        let connector = Connector::new(url, None).unwrap();
        let store = PostgresStore::open(connector, &Tables::default(), 4).await;
        Self::with(store.unwrap(), choose).await
    }

    pub async fn on_postgres(url: &str, tables: &Tables) -> Self {
        let connector = Connector::new(url, None).unwrap();
        let store = PostgresStore::open(connector, tables, 4).await.unwrap();
        Self::with(store, |_| {}).await
    }

    pub async fn on_file(path: &Path) -> Self {
        let store = SqliteStore::open(path, &uuid::Uuid::now_v7().into()).unwrap();
        Self::with(store, |_| {}).await
    }

    pub async fn serving(folder: &Path) -> Self {
        let folder = folder.to_path_buf();
        Self::set(|settings| settings.serve_dir = Some(folder)).await
    }

    pub async fn with<S: Store>(store: S, choose: impl FnOnce(&mut Settings)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::at(listener, store, choose)
    }

    /// Starts one that clients reach elsewhere than on the loopback.
    pub fn listening(listener: TcpListener, choose: impl FnOnce(&mut Settings)) -> Self {
        let store = SqliteStore::memory(&"e1".parse().unwrap()).unwrap();
        Self::at(listener, store, choose)
    }

    fn at<S: Store>(listener: TcpListener, store: S, choose: impl FnOnce(&mut Settings)) -> Self {
        let address = listener.local_addr().unwrap();
        let seed = uuid::Uuid::now_v7().as_u64_pair().1;
        let mut config = Config::new(store.epoch().clone(), seed);
        config.dev_pairs = true;
        let mut settings = Settings {
            config,
            access: Access::dev(),
            addresses: AddressLimits::default(),
            tokens: Tokens::new().with_dev().with_secret("secret"),
            admin_key: None,
            bus: None,
            tls: None,
            operations: None,
            serve_dir: None,
        };
        choose(&mut settings);
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        let served = tokio::spawn(serve(settings, store, listener, stopped));
        Self {
            address,
            stop,
            served,
        }
    }

    pub async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap();
    }

    /// Opens a socket and says nothing.
    pub async fn open(&self) -> Client {
        self.open_from(None).await.unwrap()
    }

    /// Opens a socket as a page of this origin would.
    pub async fn open_from(&self, origin: Option<&str>) -> Result<Client, Error> {
        let url = format!("ws://{}/ws", self.address);
        let mut request = url.into_client_request().unwrap();
        if let Some(origin) = origin {
            let origin = origin.parse().unwrap();
            request.headers_mut().insert("origin", origin);
        }
        let (socket, _) = connect_async(request).await?;
        Ok(Client { socket })
    }

    /// Opens a socket and is welcomed.
    pub async fn join(&self, user: &str) -> Client {
        let mut client = self.open().await;
        client.say(&hello(&format!("dev:{user}"))).await;
        assert_eq!(client.hear().await["type"], "welcome");
        client
    }

    /// Sends a raw HTTP/1.1 request and returns the whole answer.
    pub async fn http(&self, head: &str, body: &str) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let request = format!(
            "{head}\r\nhost: {}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}",
            self.address
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// An answer over HTTP.
#[derive(Clone, Debug)]
pub struct Http {
    pub status: u16,
    /// As they came, in lower case, without the time.
    pub headers: String,
    pub text: String,
}

impl Http {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.headers.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

impl Gateway {
    /// Asks the REST interface: a method and a path, who asks, further header lines, and a body.
    pub async fn ask(&self, what: &str, token: Option<&str>, more: &str, body: &str) -> Http {
        let token = token.map(|token| format!("\r\nauthorization: Bearer {token}"));
        let head = format!(
            "{what} HTTP/1.1\r\ncontent-type: application/json{}{more}",
            token.unwrap_or_default()
        );
        let answer = self.http(&head, body).await;
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        let (line, headers) = head.split_once("\r\n").unwrap();
        let headers: Vec<_> = headers
            .lines()
            .map(str::to_ascii_lowercase)
            .filter(|line| !line.starts_with("date: "))
            .collect();
        Http {
            status: line.split(' ').nth(1).unwrap().parse().unwrap(),
            headers: headers.join("\n"),
            text: text.to_owned(),
        }
    }
}

pub fn hello(token: &str) -> String {
    format!(r#"{{"type":"hello","protocol_version":1,"token":"{token}"}}"#)
}

pub fn key(number: u32) -> String {
    format!("00000000-0000-7000-8000-{number:012}")
}

pub fn send(thread_id: &str, number: u32, body: &str) -> String {
    let frame = serde_json::json!({
        "type": "send", "thread_id": thread_id, "client_msg_id": key(number), "body": body,
    });
    frame.to_string()
}

pub fn subscribe(thread_id: &str) -> String {
    format!(r#"{{"type":"subscribe","thread_id":"{thread_id}"}}"#)
}

/// One connection.
pub struct Client {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    pub async fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub async fn socket_send(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Returns the next message, or the close code.
    pub async fn next(&mut self) -> Result<String, u16> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            match message.expect("an answer in time") {
                Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Message::Close(Some(frame)))) => return Err(frame.code.into()),
                Some(Ok(Message::Close(None)) | Err(_)) | None => return Err(1006),
                Some(Ok(_)) => {}
            }
        }
    }

    pub async fn hear_text(&mut self) -> String {
        self.next().await.expect("a frame, not a close")
    }

    /// Returns the next frame.
    pub async fn hear(&mut self) -> Value {
        serde_json::from_str(&self.hear_text().await).unwrap()
    }

    /// Returns the next frame of a type; what comes before is skipped.
    pub async fn hear_of(&mut self, frame_type: &str) -> Value {
        // Something comes every 25 seconds, so what never comes would be waited for without end. That
        // a gateway is dead is told after a minute.
        let hearing = async {
            loop {
                let frame = self.hear().await;
                if frame["type"] == frame_type {
                    return frame;
                }
            }
        };
        let heard = tokio::time::timeout(4 * PATIENCE, hearing).await;
        heard.unwrap_or_else(|_| panic!("no {frame_type} in time"))
    }

    /// Returns the next messages that it is told of, live or in pages: the place of each, and its text.
    pub async fn messages(&mut self, count: usize) -> Vec<(u64, String)> {
        let mut told = Vec::new();
        while told.len() < count {
            let frame = self.hear().await;
            let objects = match frame["type"].as_str().unwrap() {
                "change" => vec![frame["object"].clone()],
                "page" => frame["changes"].as_array().unwrap().clone(),
                _ => continue,
            };
            for one in objects.iter().filter(|one| one["kind"] == "message") {
                let place = one["sequence_number"].as_u64().unwrap();
                let is_deleted = one["deleted"] == true;
                let body = if is_deleted {
                    "deleted"
                } else {
                    one["body"].as_str().unwrap()
                };
                told.push((place, body.to_owned()));
            }
        }
        told
    }

    /// Returns the code of the close, which a `goodbye` with the same code came before.
    pub async fn closed(&mut self) -> u16 {
        let mut last = None;
        loop {
            match self.next().await {
                Ok(text) => last = Some(text),
                Err(code) => {
                    if code >= 4000 {
                        let last: Value = serde_json::from_str(&last.unwrap()).unwrap();
                        assert_eq!(last["type"], "goodbye");
                        assert_eq!(last["code"], code);
                    }
                    return code;
                }
            }
        }
    }

    /// Goes live on the thread of alice and bob.
    pub async fn watch(&mut self) {
        self.say(&subscribe(THREAD)).await;
        self.hear_of("live").await;
    }
}
