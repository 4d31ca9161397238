//! What happens when our own code panics: the instance says so once, then refuses every call.
//!
//! On stable Rust a panic in wasm is final. It unwinds nothing: borrows stay taken and the promise
//! of an async export never settles. So no export may run afterwards, and whoever owns the promises
//! (the facade in `js/`) hears of it and rejects them.

use std::cell::{Cell, RefCell};
use wasm_bindgen::prelude::*;

thread_local! {
    static DEAD: Cell<bool> = const { Cell::new(false) };
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static ON_FATAL: RefCell<Option<js_sys::Function>> = const { RefCell::new(None) };
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = queueMicrotask)]
    fn queue_microtask(task: &JsValue);
}

/// Every export asks this first; so does every callback from the browser.
pub(crate) fn is_sound() -> bool {
    !DEAD.get()
}

/// From now on a panic is noticed and reported, whether or not somebody is to be told.
pub(crate) fn watch() {
    // After a panic std accepts no new hook, which matters only in tests: they share an instance.
    if !WATCHED.replace(true) && !std::thread::panicking() {
        std::panic::set_hook(Box::new(|info| report(&info.to_string())));
    }
}

/// Names who is told; the last one named is told.
pub(crate) fn report_to(on_fatal: js_sys::Function) {
    watch();
    ON_FATAL.set(Some(on_fatal));
}

/// Runs on a stack that is already lost: takes no borrow that could be held, and reports only once.
fn report(message: &str) {
    web_sys::console::error_1(&JsValue::from_str(message));
    if DEAD.replace(true) {
        return;
    }
    let Some(on_fatal) = ON_FATAL.take() else {
        return;
    };
    // JavaScript must not run inside the panicking call, whose borrows are all still held.
    queue_microtask(&on_fatal.bind1(&JsValue::UNDEFINED, &JsValue::from_str(message)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::browser::bindings::Core;
    use std::rc::Rc;
    use wasm_bindgen_test::*;

    /// Calls `f` from JavaScript, as a page does; a panic comes back as `Err`.
    fn from_javascript(f: impl FnMut() + 'static) -> Result<JsValue, JsValue> {
        let f = Closure::<dyn FnMut()>::new(f);
        let outcome = f
            .as_ref()
            .unchecked_ref::<js_sys::Function>()
            .call0(&JsValue::UNDEFINED);
        // A panicking closure is never given back.
        f.forget();
        outcome
    }

    async fn next_task() {
        gloo_timers::future::TimeoutFuture::new(0).await;
    }

    #[wasm_bindgen_test]
    async fn reports_once_and_refuses_what_comes_later() {
        let reports = Rc::new(RefCell::new(Vec::new()));
        let sink = Rc::clone(&reports);
        let on_fatal = Closure::<dyn FnMut(String)>::new(move |m| sink.borrow_mut().push(m));
        report_to(
            on_fatal
                .as_ref()
                .unchecked_ref::<js_sys::Function>()
                .clone(),
        );
        assert!(is_sound());

        assert!(from_javascript(|| panic!("planted")).is_err());
        assert!(
            reports.borrow().is_empty(),
            "told inside the panicking call"
        );
        assert!(from_javascript(|| panic!("planted again")).is_err());
        next_task().await;

        assert_eq!(reports.borrow().len(), 1);
        assert!(reports.borrow()[0].contains("planted"));
        assert!(!is_sound());
        let refusal = Core::new(JsValue::UNDEFINED, JsValue::UNDEFINED)
            .err()
            .unwrap();
        let code = js_sys::Reflect::get(&refusal, &"code".into()).unwrap();
        assert_eq!(code.as_string().as_deref(), Some("panicked"));
        let refusal = js_sys::Error::from(refusal).message();
        assert!(String::from(refusal).contains("reload the page"));

        // The other tests share this instance; std never gives its panic hook back after a panic.
        DEAD.set(false);
    }
}
