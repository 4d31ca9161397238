//! A stream of events and a request for each frame, for one attempt: what the browser's adapter
//! does by `fetch`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Response, StatusCode};
use rejoinder::engine::{Attempt, Input};
use rejoinder::event_stream::{Event, EventStream};
use rejoinder::http_refusal::End;
use rejoinder_protocol::{
    ClientFrame, Epoch, Hello, Reaction, ServerFrame, StreamHello, decode_server_frame, encode,
    reaction,
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
                let end = inner.listen(hello).await.unwrap_or(End::LOST);
                inner.end(end);
            });
        } else {
            let frame = frame.clone();
            self.requests.spawn(async move {
                if inner.request(&frame).await.is_err() {
                    let attempt = inner.attempt;
                    inner.tell(Input::Unanswered { attempt, frame });
                }
            });
        }
    }
}

impl Inner {
    /// Opens the stream and reads it to its end, which it returns.
    async fn listen(&self, hello: Hello) -> Result<End, Failure> {
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
        Ok(End::LOST)
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

    /// Sends one frame and tells its answers. Fails if there is none.
    async fn request(&self, frame: &ClientFrame) -> Result<(), Failure> {
        let epoch = self.epoch.get().map_or("", Epoch::as_str);
        let what = ["POST /v1/frames?epoch=", epoch].concat();
        let token = self.token.get().map_or("", String::as_str);
        let response = ask(self.port, &what, token, encode(frame)).await?;
        let (status, is_answer) = (
            response.status(),
            is_of_type(&response, "application/x-ndjson"),
        );
        if !is_answer && status != StatusCode::NO_CONTENT {
            let end = refusal(response).await?;
            match reaction(end.code) {
                Reaction::ComeBack => self.tell(Input::Refused {
                    attempt: self.attempt,
                    frame: frame.clone(),
                    retry_after_ms: end.retry_after_ms,
                }),
                Reaction::NewToken | Reaction::Stop => self.end(end),
            }
            return Ok(());
        }
        for line in text_of(response).await?.lines() {
            let (attempt, text) = (self.attempt, line.to_owned());
            self.tell(Input::Answer { attempt, text });
        }
        if !status.is_success() {
            // The last line was `goodbye`.
            self.end(End::LOST);
        }
        Ok(())
    }

    fn tell(&self, input: Input) {
        if !self.is_over.load(Ordering::Relaxed) {
            let _ = self.door.send(input);
        }
    }

    fn end(&self, end: End) {
        if !self.is_over.swap(true, Ordering::Relaxed) {
            let _ = self.door.send(Input::SocketClosed {
                attempt: self.attempt,
                code: end.code,
                retry_after_ms: end.retry_after_ms,
            });
        }
    }
}

/// Returns what a refused request stands for.
async fn refusal(response: Response<Incoming>) -> Result<End, Failure> {
    let header = |name| {
        let header = response.headers().get(name);
        header
            .and_then(|text| text.to_str().ok())
            .map(str::to_owned)
    };
    let content_type = header("content-type").unwrap_or_default();
    let retry_after = header("retry-after");
    let status = response.status().as_u16();
    let text = text_of(response).await?;
    Ok(End::of(
        status,
        &content_type,
        retry_after.as_deref(),
        &text,
    ))
}

fn is_of_type(response: &Response<Incoming>, essence: &str) -> bool {
    let said = response.headers().get("content-type");
    said.is_some_and(|said| said.as_bytes().starts_with(essence.as_bytes()))
}

async fn text_of(response: Response<Incoming>) -> Result<String, Failure> {
    let bytes = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
