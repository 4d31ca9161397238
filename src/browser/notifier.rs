//! What goes up to JavaScript: collected while the engine works, told when nobody is inside it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Array, Function};
use serde::Serialize;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::panic;
use crate::engine::{Attempt, Notice};

/// Plain objects, and nothing where there is nothing.
const SHAPE: serde_wasm_bindgen::Serializer =
    serde_wasm_bindgen::Serializer::new().serialize_maps_as_objects(true);

/// One element of what the listener is called with.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum News {
    Notice(Notice),
    TokenWanted(TokenWanted),
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "tokenWanted")]
struct TokenWanted {
    attempt: u64,
}

/// The queue to the application's one listener.
///
/// The listener runs in a microtask of its own, with everything that has come together until then:
/// never inside a call of the application, whose result it could not know yet, and never while
/// something here is borrowed. It may call whatever it likes.
pub(crate) struct Notifier {
    listener: Function,
    queue: RefCell<Vec<News>>,
    is_scheduled: Cell<bool>,
    is_closed: Cell<bool>,
}

impl Notifier {
    pub(crate) fn new(listener: Function) -> Rc<Self> {
        Rc::new(Self {
            listener,
            queue: RefCell::default(),
            is_scheduled: Cell::new(false),
            is_closed: Cell::new(false),
        })
    }

    pub(crate) fn notice(self: &Rc<Self>, notice: Notice) {
        self.push(News::Notice(notice));
    }

    pub(crate) fn token_wanted(self: &Rc<Self>, attempt: Attempt) {
        self.push(News::TokenWanted(TokenWanted { attempt: attempt.0 }));
    }

    /// The listener is never called again.
    pub(crate) fn close(&self) {
        self.is_closed.set(true);
        self.queue.take();
    }

    fn push(self: &Rc<Self>, news: News) {
        self.queue.borrow_mut().push(news);
        if !self.is_scheduled.replace(true) {
            let notifier = Rc::clone(self);
            spawn_local(async move { notifier.deliver() });
        }
    }

    fn deliver(&self) {
        self.is_scheduled.set(false);
        if self.is_closed.get() || !panic::is_sound() {
            return;
        }
        let notices = Array::new();
        for news in self.queue.take() {
            match news.serialize(&SHAPE) {
                Ok(news) => {
                    notices.push(&news);
                }
                // Everything here is numbers below 2^53, texts and objects of them.
                Err(error) => web_sys::console::error_1(&error.into()),
            }
        }
        if notices.length() == 0 {
            return;
        }
        if let Err(error) = self.listener.call1(&JsValue::UNDEFINED, &notices) {
            // A broken listener must not keep later news from being told.
            web_sys::console::error_2(&"Rejoinder: the listener threw".into(), &error);
        }
    }
}
