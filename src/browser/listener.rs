//! An event listener that lives as long as its value.

use wasm_bindgen::prelude::*;
use web_sys::{Event, EventTarget};

/// Listens from `new` until it is dropped, so that no callback outlives what it captured.
pub(crate) struct On {
    target: EventTarget,
    name: &'static str,
    callback: Closure<dyn FnMut(Event)>,
}

impl On {
    /// Starts listening to the event `name` of `target`.
    pub(crate) fn new(
        target: &EventTarget,
        name: &'static str,
        callback: impl FnMut(Event) + 'static,
    ) -> Self {
        let callback = Closure::new(callback);
        // Fails only for a callback that is no function.
        let _ = target.add_event_listener_with_callback(name, callback.as_ref().unchecked_ref());
        Self {
            target: target.clone(),
            name,
            callback,
        }
    }
}

impl Drop for On {
    fn drop(&mut self) {
        let callback = self.callback.as_ref().unchecked_ref();
        let _ = self
            .target
            .remove_event_listener_with_callback(self.name, callback);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::Cell, rc::Rc};
    use wasm_bindgen_test::*;

    #[wasm_bindgen_test]
    fn listens_until_dropped() {
        let target = EventTarget::new().unwrap();
        let page: EventTarget = js_sys::global().unchecked_into();
        let (heard, errors) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (heard_counter, error_counter) = (Rc::clone(&heard), Rc::clone(&errors));
        // A callback that is still registered but freed throws into the page's error handler.
        let _on_error = On::new(&page, "error", move |_| {
            error_counter.set(error_counter.get() + 1)
        });
        let on = On::new(&target, "ping", move |_| {
            heard_counter.set(heard_counter.get() + 1)
        });
        target.dispatch_event(&Event::new("ping").unwrap()).unwrap();
        drop(on);
        target.dispatch_event(&Event::new("ping").unwrap()).unwrap();
        assert_eq!((heard.get(), errors.get()), (1, 0));
    }
}
