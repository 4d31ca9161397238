//! One WebSocket, for one attempt.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo_timers::callback::Timeout;
use wasm_bindgen::prelude::*;
use web_sys::{BinaryType, CloseEvent, MessageEvent, WebSocket};

use super::door::Door;
use super::listener::On;
use super::panic;
use crate::engine::config::SOCKET_BUFFER_BYTES_MAX;
use crate::engine::{Attempt, Input, NO_CLOSE_CODE};

/// How often a socket that holds too much is looked at: no event says that it has drained.
const DRAIN_INTERVAL_MS: u32 = 50;

/// Open or opening until it is dropped, which closes it and lets nothing more be heard of it.
pub(crate) struct Socket {
    inner: Rc<Inner>,
    _listeners: [On; 4],
}

struct Inner {
    raw: WebSocket,
    attempt: Attempt,
    door: Door,
    is_over: Cell<bool>,
    /// The look at a full socket, or the last wait for its `close`.
    timer: RefCell<Option<Timeout>>,
}

impl Socket {
    /// Begins to open. The error is the browser's, for an address that it does not allow.
    pub(crate) fn open(url: &str, attempt: Attempt, door: Door) -> Result<Self, JsValue> {
        let raw = WebSocket::new(url)?;
        raw.set_binary_type(BinaryType::Arraybuffer);
        let inner = Rc::new(Inner {
            raw,
            attempt,
            door,
            is_over: Cell::new(false),
            timer: RefCell::default(),
        });
        let listen = |name, handle: fn(&Rc<Inner>, web_sys::Event)| {
            let weak = Rc::downgrade(&inner);
            On::new(&inner.raw, name, move |event| {
                if let Some(inner) = weak.upgrade() {
                    handle(&inner, event);
                }
            })
        };
        let listeners = [
            listen("open", Inner::opened),
            listen("message", Inner::message),
            listen("close", Inner::closed),
            listen("error", Inner::failed),
        ];
        Ok(Self {
            inner,
            _listeners: listeners,
        })
    }

    /// Whose socket it is.
    pub(crate) fn attempt(&self) -> Attempt {
        self.inner.attempt
    }

    /// Whether it has ended by itself.
    pub(crate) fn is_over(&self) -> bool {
        self.inner.is_over.get()
    }

    /// Writes a frame if the socket is open: a closing one would discard it without a word.
    pub(crate) fn send(&self, text: &str) {
        if self.inner.raw.ready_state() != WebSocket::OPEN {
            return;
        }
        // Throws only while connecting; a loss shows as `close`.
        let _ = self.inner.raw.send_with_str(text);
        if self.inner.is_full() && self.inner.timer.borrow().is_none() {
            self.inner.tell_buffered();
            Inner::look_again(&self.inner);
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.inner.is_over.set(true);
        self.inner.timer.take();
        // Cannot fail without arguments.
        let _ = self.inner.raw.close();
    }
}

impl Inner {
    fn opened(self: &Rc<Self>, _: web_sys::Event) {
        let attempt = self.attempt;
        self.door.tell(Input::SocketOpened { attempt });
    }

    fn message(self: &Rc<Self>, event: web_sys::Event) {
        if !panic::is_sound() {
            // Nobody is left to hear it; to the gateway we are gone.
            let _ = self.raw.close();
            return;
        }
        let event: MessageEvent = event.unchecked_into();
        // The protocol has no binary frames: an empty text is no frame either.
        let text = event.data().as_string().unwrap_or_default();
        let attempt = self.attempt;
        self.door.tell(Input::Frame { attempt, text });
    }

    fn closed(self: &Rc<Self>, event: web_sys::Event) {
        let event: CloseEvent = event.unchecked_into();
        self.end(event.code());
    }

    /// WebKit may fire `error` and never `close`. Elsewhere `close` follows in this same task and
    /// knows the code.
    fn failed(self: &Rc<Self>, _: web_sys::Event) {
        if self.raw.ready_state() != WebSocket::CLOSED {
            return;
        }
        let inner = Rc::downgrade(self);
        self.timer.replace(Some(Timeout::new(0, move || {
            if let Some(inner) = inner.upgrade() {
                inner.end(NO_CLOSE_CODE);
            }
        })));
    }

    fn end(&self, code: u16) {
        if self.is_over.replace(true) {
            return;
        }
        self.timer.take();
        let attempt = self.attempt;
        self.door.tell(Input::SocketClosed {
            attempt,
            code,
            retry_after_ms: None,
        });
    }

    fn is_full(&self) -> bool {
        self.raw.buffered_amount() > SOCKET_BUFFER_BYTES_MAX
    }

    fn tell_buffered(&self) {
        self.door.tell(Input::Buffered {
            attempt: self.attempt,
            bytes: self.raw.buffered_amount(),
        });
    }

    fn look_again(self: &Rc<Self>) {
        let inner = Rc::downgrade(self);
        let look = move || {
            let Some(inner) = inner.upgrade() else { return };
            inner.timer.take();
            if inner.is_full() {
                Self::look_again(&inner);
            } else {
                inner.tell_buffered();
            }
        };
        self.timer
            .replace(Some(Timeout::new(DRAIN_INTERVAL_MS, look)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gloo_timers::future::TimeoutFuture;
    use wasm_bindgen_test::*;
    use web_sys::Event;

    const ATTEMPT: Attempt = Attempt(7);
    /// Reserved for discarding; browsers do not even try it.
    const BLOCKED: &str = "ws://127.0.0.1:9/";
    /// Nobody listens here.
    const REFUSED: &str = "ws://127.0.0.1:1023/";

    fn recording() -> (Door, Rc<RefCell<Vec<Input>>>) {
        let told = Rc::new(RefCell::new(Vec::new()));
        let sink = Rc::clone(&told);
        let door = Door::new(move |input| sink.borrow_mut().push(input));
        (door, told)
    }

    const CLOSED: Input = Input::SocketClosed {
        attempt: ATTEMPT,
        code: NO_CLOSE_CODE,
        retry_after_ms: None,
    };

    #[wasm_bindgen_test]
    async fn an_unreachable_gateway_is_told_once() {
        for url in [BLOCKED, REFUSED] {
            let (door, told) = recording();
            let socket = Socket::open(url, ATTEMPT, door).unwrap();
            socket.send("into the void");
            TimeoutFuture::new(500).await;
            // Should `close` come after all, late.
            let late = CloseEvent::new("close").unwrap();
            socket.inner.raw.dispatch_event(&late).unwrap();
            assert_eq!(*told.borrow(), [CLOSED], "{url}");
        }
    }

    #[wasm_bindgen_test]
    async fn an_error_without_a_close_is_the_end_too() {
        let (door, told) = recording();
        let mut socket = Socket::open(BLOCKED, ATTEMPT, door).unwrap();
        // What WebKit does: `error` comes, `close` never.
        socket._listeners[2] = On::new(&socket.inner.raw, "ping", |_| {});
        TimeoutFuture::new(300).await;
        assert_eq!(*told.borrow(), [CLOSED]);
    }

    #[wasm_bindgen_test]
    async fn nothing_is_heard_of_a_dropped_socket() {
        let (door, told) = recording();
        let socket = Socket::open(REFUSED, ATTEMPT, door).unwrap();
        let raw = socket.inner.raw.clone();
        drop(socket);
        raw.dispatch_event(&Event::new("open").unwrap()).unwrap();
        TimeoutFuture::new(300).await;
        assert!(told.borrow().is_empty());
    }

    /// Replaces the browser's sockets by ones that only count, until it is dropped.
    struct FakeSockets {
        restore: js_sys::Function,
    }

    impl FakeSockets {
        fn new() -> Self {
            let script = "const real = WebSocket;
                globalThis.WebSocket = class extends EventTarget {
                    readyState = 1;
                    bufferedAmount = 0;
                    send(text) { this.bufferedAmount += text.length; }
                    close() { this.readyState = 3; }
                };
                return () => { globalThis.WebSocket = real; };";
            let restore = js_sys::Function::new_no_args(script)
                .call0(&JsValue::UNDEFINED)
                .unwrap();
            Self {
                restore: restore.into(),
            }
        }
    }

    impl Drop for FakeSockets {
        fn drop(&mut self) {
            self.restore.call0(&JsValue::UNDEFINED).unwrap();
        }
    }

    #[wasm_bindgen_test]
    async fn a_full_socket_is_told_once_and_again_when_it_has_drained() {
        let _fake = FakeSockets::new();
        let (door, told) = recording();
        let socket = Socket::open("ws://fake/", ATTEMPT, door).unwrap();
        let set = |key: &str, value: u32| {
            js_sys::Reflect::set(&socket.inner.raw, &key.into(), &value.into()).unwrap();
        };
        let buffered = |bytes| Input::Buffered {
            attempt: ATTEMPT,
            bytes,
        };
        socket.send("a few");
        assert!(told.borrow().is_empty());

        set("bufferedAmount", SOCKET_BUFFER_BYTES_MAX);
        socket.send("too many");
        socket.send("even more");
        let full = buffered(SOCKET_BUFFER_BYTES_MAX + 8);
        assert_eq!(told.borrow()[0], full);
        TimeoutFuture::new(120).await;
        assert_eq!(told.borrow().len(), 1, "once");
        set("bufferedAmount", 5);
        TimeoutFuture::new(120).await;
        assert_eq!(*told.borrow(), [full, buffered(5)]);

        set("readyState", 2);
        socket.send("discarded by a closing socket");
        assert_eq!(socket.inner.raw.buffered_amount(), 5);
    }

    #[wasm_bindgen_test]
    fn an_address_that_is_none_is_an_error() {
        let (door, _) = recording();
        assert!(Socket::open("ws://:0:0", ATTEMPT, door).is_err());
    }
}
