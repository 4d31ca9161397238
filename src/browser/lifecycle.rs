//! What the page and the network hint at.

use wasm_bindgen::prelude::*;
use web_sys::EventTarget;

use super::door::Door;
use super::listener::On;
use crate::engine::{Input, Lifecycle as Hint};

/// Listens until it is dropped.
pub(crate) struct Lifecycle {
    _listeners: Vec<On>,
}

impl Lifecycle {
    pub(crate) fn new(door: &Door) -> Self {
        let global: EventTarget = js_sys::global().unchecked_into();
        let always = |target: &EventTarget, name, hint| {
            let door = door.clone();
            On::new(target, name, move |_| door.tell(Input::Lifecycle(hint)))
        };
        let mut listeners = vec![
            always(&global, "offline", Hint::Offline),
            always(&global, "online", Hint::Online),
            always(&global, "pagehide", Hint::Hidden),
            always(&global, "pageshow", Hint::Visible),
        ];
        if let Some(document) = document() {
            listeners.push(always(&document, "freeze", Hint::Hidden));
            listeners.push(always(&document, "resume", Hint::Visible));
            let (door, page) = (door.clone(), document.clone());
            listeners.push(On::new(&document, "visibilitychange", move |_| {
                let hint = if page.hidden() {
                    Hint::Hidden
                } else {
                    Hint::Visible
                };
                door.tell(Input::Lifecycle(hint));
            }));
        }
        Self {
            _listeners: listeners,
        }
    }
}

/// A worker has none.
fn document() -> Option<web_sys::Document> {
    js_sys::Reflect::get(&js_sys::global(), &"document".into())
        .ok()?
        .dyn_into()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;
    use wasm_bindgen_test::*;
    use web_sys::Event;

    #[wasm_bindgen_test]
    fn every_event_is_told_until_it_is_dropped() {
        let told = Rc::new(RefCell::new(Vec::new()));
        let sink = Rc::clone(&told);
        let door = Door::new(move |input| sink.borrow_mut().push(input));
        let lifecycle = Lifecycle::new(&door);
        let page: EventTarget = js_sys::global().unchecked_into();
        let document: EventTarget = document().unwrap().into();
        let say = |target: &EventTarget, name| {
            target.dispatch_event(&Event::new(name).unwrap()).unwrap();
        };

        for name in ["offline", "online", "pagehide", "pageshow"] {
            say(&page, name);
        }
        for name in ["freeze", "resume", "visibilitychange"] {
            say(&document, name);
        }
        drop(lifecycle);
        say(&page, "online");

        let hints = [
            Hint::Offline,
            Hint::Online,
            Hint::Hidden,
            Hint::Visible,
            Hint::Hidden,
            Hint::Visible,
            Hint::Visible,
        ];
        assert_eq!(*told.borrow(), hints.map(Input::Lifecycle));
    }
}
