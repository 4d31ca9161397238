//! A stream of events and a request for each frame, for one attempt: where no WebSocket can be
//! opened.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{JsString, Promise, Reflect, Uint8Array};
use rejoinder_protocol::{
    ClientFrame, CloseCode, Epoch, Hello, ServerFrame, StreamHello, decode_server_frame, encode,
};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{AbortController, Headers, ReadableStreamDefaultReader, RequestInit, Response, Url};

use super::door::Door;
use super::panic;
use crate::engine::{Attempt, Input, NO_CLOSE_CODE};
use crate::event_stream::{Event, EventStream};

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
                let code = inner.listen(hello).await.unwrap_or(NO_CLOSE_CODE);
                inner.end(code);
            });
        } else {
            let text = encode(frame);
            // Nothing is lost with it, and the next one comes in some seconds.
            let is_passing = matches!(frame, ClientFrame::Typing(_));
            spawn_local(async move {
                let failed = inner.ask(&text).await.unwrap_or(Some(NO_CLOSE_CODE));
                if let Some(code) = failed.filter(|_| !is_passing) {
                    inner.end(code);
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
    /// Opens the stream and reads it to its end; returns the close code that it stands for.
    async fn listen(&self, hello: Hello) -> Result<u16, JsValue> {
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
            return Ok(NO_CLOSE_CODE);
        };
        let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
        let (mut stream, mut events) = (EventStream::default(), Vec::new());
        loop {
            let read = JsFuture::from(reader.read()).await?;
            if self.is_over.get() || Reflect::get(&read, &"done".into())?.is_truthy() {
                return Ok(NO_CLOSE_CODE);
            }
            let piece = Uint8Array::new(&Reflect::get(&read, &"value".into())?).to_vec();
            if stream.push(&piece, &mut events).is_err() {
                return Ok(NO_CLOSE_CODE);
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

    /// Sends one frame and tells its answers; returns a close code if the connection is over.
    async fn ask(&self, text: &str) -> Result<Option<u16>, JsValue> {
        let epoch = self.epoch.borrow().as_ref().map(ToString::to_string);
        let path = ["frames?epoch=", &epoch.unwrap_or_default()].concat();
        let response = self.post(&path, text).await?;
        let is_answer = is_of_type(&response, "application/x-ndjson");
        if !is_answer && response.status() != NO_CONTENT {
            return refusal(&response).await.map(Some);
        }
        let lines = text_of(&response).await?;
        for line in lines.lines() {
            let (attempt, text) = (self.attempt, line.to_owned());
            self.tell(Input::Answer { attempt, text });
        }
        Ok((!response.ok()).then_some(NO_CLOSE_CODE))
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

    fn end(&self, code: u16) {
        let attempt = self.attempt;
        self.tell(Input::SocketClosed { attempt, code });
        self.is_over.set(true);
        self.abort.abort();
    }
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

/// Returns the close code that a refused request stands for.
async fn refusal(response: &Response) -> Result<u16, JsValue> {
    let text = match response.status() {
        400 | 401 => text_of(response).await?,
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

async fn text_of(response: &Response) -> Result<String, JsValue> {
    let text = JsFuture::from(response.text()?).await?;
    Ok(text.dyn_into::<JsString>()?.into())
}
