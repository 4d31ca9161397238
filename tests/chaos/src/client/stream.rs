//! A stream of events and a request for each frame, for one attempt: what the browser's adapter
//! does by `fetch`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Response, StatusCode};
use rejoinder::engine::{Attempt, Input, NO_CLOSE_CODE};
use rejoinder::event_stream::{Event, EventStream};
use rejoinder_protocol::{
    ClientFrame, CloseCode, Epoch, Hello, ServerFrame, StreamHello, decode_server_frame, encode,
};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

use crate::http::{Failure, ask};

/// Open or opening until it is dropped, which ends every request.
pub(super) struct Stream {
    inner: Arc<Inner>,
    requests: JoinSet<()>,
}

struct Inner {
    port: u16,
    attempt: Attempt,
    door: UnboundedSender<Input>,
    /// Known with the greeting.
    token: OnceLock<String>,
    /// The history that the gateway has named.
    epoch: OnceLock<Epoch>,
    is_over: AtomicBool,
}

impl Stream {
    pub(super) fn new(port: u16, attempt: Attempt, door: UnboundedSender<Input>) -> Self {
        let inner = Inner {
            port,
            attempt,
            door,
            token: OnceLock::new(),
            epoch: OnceLock::new(),
            is_over: AtomicBool::new(false),
        };
        Self {
            inner: Arc::new(inner),
            requests: JoinSet::new(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.inner.is_over.load(Ordering::Relaxed)
    }

    /// Sends a frame by a request of its own; the greeting opens the stream.
    pub(super) fn send(&mut self, frame: &ClientFrame) {
        while self.requests.try_join_next().is_some() {}
        let inner = Arc::clone(&self.inner);
        if let ClientFrame::Hello(hello) = frame {
            let hello = hello.clone();
            self.requests.spawn(async move {
                let code = inner.listen(hello).await.unwrap_or(NO_CLOSE_CODE);
                inner.end(code);
            });
        } else {
            let text = encode(frame);
            // Nothing is lost with it, and the next one comes in some seconds.
            let is_passing = matches!(frame, ClientFrame::Typing(_));
            self.requests.spawn(async move {
                let failed = inner.request(text).await.unwrap_or(Some(NO_CLOSE_CODE));
                if let Some(code) = failed.filter(|_| !is_passing) {
                    inner.end(code);
                }
            });
        }
    }
}

impl Inner {
    /// Opens the stream and reads it to its end; returns the close code that it stands for.
    async fn listen(&self, hello: Hello) -> Result<u16, Failure> {
        let Hello {
            protocol_version,
            token,
            resume,
        } = hello;
        let token = self.token.get_or_init(|| token.secret().to_owned());
        let body = encode(&StreamHello {
            protocol_version,
            resume,
        });
        let response = ask(self.port, "POST /v1/stream", token, body).await?;
        if response.status() != StatusCode::OK || !is_of_type(&response, "text/event-stream") {
            return refusal(response).await;
        }
        let mut body = response.into_body();
        let (mut stream, mut events) = (EventStream::default(), Vec::new());
        while let Some(frame) = body.frame().await {
            let Ok(piece) = frame?.into_data() else {
                continue;
            };
            stream.push(&piece, &mut events)?;
            if events.is_empty() {
                // A part of a long one.
                self.heard(Event::Comment);
            }
            for event in events.drain(..) {
                self.heard(event);
            }
        }
        Ok(NO_CLOSE_CODE)
    }

    fn heard(&self, event: Event) {
        let attempt = self.attempt;
        self.tell(match event {
            Event::Comment => Input::Heard { attempt },
            Event::Data(text) => {
                if self.epoch.get().is_none()
                    && let Ok(ServerFrame::Welcome(welcome)) = decode_server_frame(&text)
                {
                    let _ = self.epoch.set(welcome.epoch);
                }
                Input::Frame { attempt, text }
            }
        });
    }

    /// Sends one frame and tells its answers; returns a close code if the connection is over.
    async fn request(&self, text: String) -> Result<Option<u16>, Failure> {
        let epoch = self.epoch.get().map_or("", Epoch::as_str);
        let what = ["POST /v1/frames?epoch=", epoch].concat();
        let token = self.token.get().map_or("", String::as_str);
        let response = ask(self.port, &what, token, text).await?;
        let (status, is_answer) = (
            response.status(),
            is_of_type(&response, "application/x-ndjson"),
        );
        if !is_answer && status != StatusCode::NO_CONTENT {
            return refusal(response).await.map(Some);
        }
        for line in text_of(response).await?.lines() {
            let (attempt, text) = (self.attempt, line.to_owned());
            self.tell(Input::Answer { attempt, text });
        }
        Ok((!status.is_success()).then_some(NO_CLOSE_CODE))
    }

    fn tell(&self, input: Input) {
        if !self.is_over.load(Ordering::Relaxed) {
            let _ = self.door.send(input);
        }
    }

    fn end(&self, code: u16) {
        let attempt = self.attempt;
        if !self.is_over.swap(true, Ordering::Relaxed) {
            let _ = self.door.send(Input::SocketClosed { attempt, code });
        }
    }
}

fn is_of_type(response: &Response<Incoming>, essence: &str) -> bool {
    let said = response.headers().get("content-type");
    said.is_some_and(|said| said.as_bytes().starts_with(essence.as_bytes()))
}

/// Returns the close code that a refused request stands for.
async fn refusal(response: Response<Incoming>) -> Result<u16, Failure> {
    let text = match response.status() {
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => text_of(response).await?,
        _ => String::new(),
    };
    let codes = [
        CloseCode::TokenExpired,
        CloseCode::TokenInvalid,
        CloseCode::UnsupportedVersion,
    ];
    let meant = codes.iter().find(|code| text.contains(code.as_str()));
    Ok(meant.map_or(NO_CLOSE_CODE, |code| code.number()))
}

async fn text_of(response: Response<Incoming>) -> Result<String, Failure> {
    let bytes = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
