//! A stream of events and a request for each frame, for one attempt: where no WebSocket can be
//! opened.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{JsString, Promise, Reflect, Uint8Array};
use rejoinder_protocol::{
    ClientFrame, Epoch, Hello, Reaction, ServerFrame, StreamHello, decode_server_frame, encode,
    reaction,
};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{AbortController, Headers, ReadableStreamDefaultReader, RequestInit, Response, Url};

use super::door::Door;
use super::panic;
use crate::engine::{Attempt, Input};
use crate::event_stream::{Event, EventStream};
use crate::http_refusal::End;

#[wasm_bindgen]
extern "C" {
    /// There in pages and workers alike.
    #[wasm_bindgen(catch)]
    fn fetch(url: &str, init: &RequestInit) -> Result<Promise, JsValue>;
}

/// Open or opening until it is dropped, which ends every request and lets nothing more be heard of
/// them.
pub(crate) struct Stream {
    inner: Rc<Inner>,
}

struct Inner {
    /// What the addresses begin with, up to `v1/`.
    base: String,
    attempt: Attempt,
    door: Door,
    abort: AbortController,
    /// The head of every request; known with the greeting.
    token: RefCell<String>,
    /// The history that the gateway has named.
    epoch: RefCell<Option<Epoch>>,
    is_over: Cell<bool>,
}

impl Stream {
    /// Prepares it for a gateway whose WebSocket is at `url`. Nothing is on the way before its
    /// greeting.
    pub(crate) fn open(url: &str, attempt: Attempt, door: Door) -> Result<Self, JsValue> {
        let inner = Inner {
            base: base(url)?,
            attempt,
            door,
            abort: AbortController::new()?,
            token: RefCell::default(),
            epoch: RefCell::default(),
            is_over: Cell::new(false),
        };
        Ok(Self {
            inner: Rc::new(inner),
        })
    }

    /// Whose it is.
    pub(crate) fn attempt(&self) -> Attempt {
        self.inner.attempt
    }

    /// Whether it has ended by itself.
    pub(crate) fn is_over(&self) -> bool {
        self.inner.is_over.get()
    }

    /// Sends a frame by a request of its own; the greeting opens the stream.
    pub(crate) fn send(&self, frame: &ClientFrame) {
        let inner = Rc::clone(&self.inner);
        if let ClientFrame::Hello(hello) = frame {
            let hello = hello.clone();
            spawn_local(async move {
                let end = inner.listen(hello).await.unwrap_or(End::LOST);
                inner.end(end);
            });
        } else {
            let frame = frame.clone();
            spawn_local(async move {
                if inner.ask(&frame).await.is_err() {
                    let attempt = inner.attempt;
                    inner.tell(Input::Unanswered { attempt, frame });
                }
            });
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.inner.is_over.set(true);
        self.inner.abort.abort();
    }
}

impl Inner {
    /// Opens the stream and reads it to its end, which it returns.
    async fn listen(&self, hello: Hello) -> Result<End, JsValue> {
        let Hello {
            protocol_version,
            token,
            resume,
        } = hello;
        self.token.replace(["Bearer ", token.secret()].concat());
        let body = encode(&StreamHello {
            protocol_version,
            resume,
        });
        let response = self.post("stream", &body).await?;
        if !response.ok() || !is_of_type(&response, "text/event-stream") {
            return refusal(&response).await;
        }
        let Some(body) = response.body() else {
            return Ok(End::LOST);
        };
        let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
        let (mut stream, mut events) = (EventStream::default(), Vec::new());
        loop {
            let read = JsFuture::from(reader.read()).await?;
            if self.is_over.get() || Reflect::get(&read, &"done".into())?.is_truthy() {
                return Ok(End::LOST);
            }
            let piece = Uint8Array::new(&Reflect::get(&read, &"value".into())?).to_vec();
            if stream.push(&piece, &mut events).is_err() {
                return Ok(End::LOST);
            }
            if events.is_empty() {
                // A part of a long one.
                self.heard(Event::Comment);
            }
            for event in events.drain(..) {
                self.heard(event);
            }
        }
    }

    fn heard(&self, event: Event) {
        let attempt = self.attempt;
        self.tell(match event {
            Event::Comment => Input::Heard { attempt },
            Event::Data(text) => {
                if self.epoch.borrow().is_none()
                    && let Ok(ServerFrame::Welcome(welcome)) = decode_server_frame(&text)
                {
                    self.epoch.replace(Some(welcome.epoch));
                }
                Input::Frame { attempt, text }
            }
        });
    }

    /// Sends one frame and tells its answers. Fails if there is none.
    async fn ask(&self, frame: &ClientFrame) -> Result<(), JsValue> {
        let epoch = self.epoch.borrow().as_ref().map(ToString::to_string);
        let path = ["frames?epoch=", &epoch.unwrap_or_default()].concat();
        let response = self.post(&path, &encode(frame)).await?;
        let is_answer = is_of_type(&response, "application/x-ndjson");
        if !is_answer && response.status() != NO_CONTENT {
            let end = refusal(&response).await?;
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
        let lines = text_of(&response).await?;
        for line in lines.lines() {
            let (attempt, text) = (self.attempt, line.to_owned());
            self.tell(Input::Answer { attempt, text });
        }
        if !response.ok() {
            // The last line was `goodbye`.
            self.end(End::LOST);
        }
        Ok(())
    }

    async fn post(&self, path: &str, body: &str) -> Result<Response, JsValue> {
        let headers = Headers::new()?;
        headers.set("authorization", &self.token.borrow())?;
        headers.set("content-type", "application/json")?;
        let init = RequestInit::new();
        init.set_method("POST");
        init.set_headers(&headers);
        init.set_body(&body.into());
        init.set_signal(Some(&self.abort.signal()));
        let url = [self.base.as_str(), path].concat();
        let response = JsFuture::from(fetch(&url, &init)?).await?;
        response.dyn_into()
    }

    fn tell(&self, input: Input) {
        // Nobody is left to hear it after a panic.
        if !self.is_over.get() && panic::is_sound() {
            self.door.tell(input);
        }
    }

    fn end(&self, end: End) {
        let End {
            code,
            retry_after_ms,
        } = end;
        let attempt = self.attempt;
        self.tell(Input::SocketClosed {
            attempt,
            code,
            retry_after_ms,
        });
        self.is_over.set(true);
        self.abort.abort();
    }
}

/// Returns what a refused request stands for.
async fn refusal(response: &Response) -> Result<End, JsValue> {
    let header = |name| response.headers().get(name).ok().flatten();
    let content_type = header("content-type").unwrap_or_default();
    let retry_after = header("retry-after");
    let text = text_of(response).await?;
    let status = response.status();
    Ok(End::of(
        status,
        &content_type,
        retry_after.as_deref(),
        &text,
    ))
}

/// The status of an answer without frames.
const NO_CONTENT: u16 = 204;

/// Returns what the addresses begin with: `wss://host/ws` becomes `https://host/v1/`.
fn base(url: &str) -> Result<String, JsValue> {
    let parsed = Url::new(url)?;
    let scheme = match parsed.protocol().as_str() {
        "wss:" => "https:",
        _ => "http:",
    };
    let path = parsed.pathname();
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    Ok([scheme, "//", &parsed.host(), folder, "/v1/"].concat())
}

fn is_of_type(response: &Response, essence: &str) -> bool {
    let said = response.headers().get("content-type");
    said.ok()
        .flatten()
        .is_some_and(|said| said.starts_with(essence))
}

async fn text_of(response: &Response) -> Result<String, JsValue> {
    let text = JsFuture::from(response.text()?).await?;
    Ok(text.dyn_into::<JsString>()?.into())
}
