//! What the listener is told: when, in which order, and as what kind of objects.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, BigInt, Function, JsString, Object};
use rejoinder::Core;
use serde_json::Value;
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::*;

use crate::page::{NOWHERE, Page, options, pause, set, somebody, texts, until};

#[wasm_bindgen_test]
async fn a_listener_that_calls_the_client_again_works_and_order_is_kept() {
    let sent: Rc<RefCell<Vec<String>>> = Rc::default();
    let more = Rc::clone(&sent);
    let page = Page::open_with(NOWHERE, &somebody("alice"), move |core, notice| {
        if notice["type"] == "settled" && more.borrow().len() < 5 {
            let body = format!("message {}", more.borrow().len());
            let id = core
                .send("t".into(), body.into(), JsValue::UNDEFINED)
                .unwrap();
            core.set_typing("t".into(), true.into()).unwrap();
            more.borrow_mut().push(id);
        }
    });
    page.open_thread("t");
    let first = page.send("t", "message 0");
    sent.borrow_mut().push(first);

    until("five messages", || {
        (page.rows("t").len() == 5 && sent.borrow().len() == 5).then_some(())
    })
    .await;
    let last = sent.borrow()[4].clone();
    page.settled(&last).await;
    let settled: Vec<String> = page
        .heard()
        .iter()
        .filter(|one| one["type"] == "settled")
        .map(|one| one["clientMsgId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(settled, *sent.borrow());
    let expected: Vec<String> = (0..5).map(|n| format!("message {n}")).collect();
    assert_eq!(texts(&page.rows("t")), expected);
}

#[wasm_bindgen_test]
async fn nothing_is_told_before_the_call_that_caused_it_has_returned() {
    let page = Page::open(NOWHERE, &somebody("alice"));
    page.open_thread("t");
    let id = page.send("t", "hello");
    assert!(page.heard().is_empty(), "told inside the call");
    // One microtask later: in the same frame.
    wasm_bindgen_futures::JsFuture::from(js_sys::Promise::resolve(&JsValue::UNDEFINED))
        .await
        .unwrap();
    assert_eq!(page.rows("t")[0]["id"], id.as_str());
}

#[wasm_bindgen_test]
async fn a_listener_that_throws_is_told_what_comes_later() {
    let calls = Rc::new(RefCell::new(0));
    let counted = Rc::clone(&calls);
    let notify = Closure::<dyn FnMut(Array) -> Result<(), JsValue>>::new(move |_| {
        *counted.borrow_mut() += 1;
        Err("a broken listener".into())
    });
    let core = Core::new(
        options(NOWHERE, &somebody("alice")),
        notify.as_ref().clone(),
    )
    .unwrap();
    core.open_thread("t".into()).unwrap();
    pause(200).await;
    let before = *calls.borrow();
    assert_ne!(before, 0);
    core.send("t".into(), "x".into(), JsValue::UNDEFINED)
        .unwrap();
    pause(200).await;
    assert!(*calls.borrow() > before);
    core.dispose().unwrap();
}

#[wasm_bindgen_test]
async fn text_that_is_no_unicode_arrives_mended_everywhere() {
    let page = Page::open(NOWHERE, &somebody("alice"));
    page.open_thread("t");
    let broken = || -> JsValue { JsString::from_char_code(&[0x61, 0xd800, 0x62]).into() };
    let attachment = Object::new();
    for key in ["name", "mimeType", "url"] {
        set(&attachment, key, &broken());
    }
    set(&attachment, "sizeBytes", &1.into());
    let attachments = Array::of1(&attachment).into();
    let id = page.core().send("t".into(), broken(), attachments).unwrap();

    page.settled(&id).await;
    let row = page.rows("t")[0].clone();
    assert_eq!(row["body"], "a\u{fffd}b");
    assert_eq!(row["attachments"][0]["name"], "a\u{fffd}b");
    assert_eq!(row["attachments"][0]["url"], "a\u{fffd}b");
    // As it was given to `send`.
    let expected = ["mimeType", "name", "sizeBytes", "url"];
    assert_eq!(names(&row["attachments"][0]), expected);
}

#[wasm_bindgen_test]
async fn notices_are_plain_objects_of_numbers_and_texts_without_empty_fields() {
    let page = Page::open(NOWHERE, &somebody("alice"));
    page.core().watch_inbox().unwrap();
    page.open_thread("t");
    page.core().connect().unwrap();
    let id = page.send("t", "hello");
    page.settled(&id).await;
    page.until_connection("waiting").await;
    page.core().discard(id.as_str().into()).unwrap();
    page.until_told("the message is gone", |one| one["type"] == "discarded")
        .await;

    let heard = page.heard();
    let keys = |kind: &str| -> Vec<Vec<String>> {
        let of_kind = heard.iter().filter(|one| one["type"] == kind);
        of_kind.map(names).collect()
    };
    assert_eq!(keys("settled"), [["clientMsgId", "durability", "type"]]);
    assert_eq!(keys("tokenWanted"), [["attempt", "type"]]);
    assert_eq!(keys("discarded"), [["clientMsgId", "outcome", "type"]]);
    for inbox in keys("inbox") {
        assert_eq!(inbox, ["isCurrent", "threads", "type"]);
    }
    let first = heard
        .iter()
        .find(|one| one["type"] == "connection")
        .unwrap();
    let bare = ["queueLength", "state", "storage", "type", "userId"];
    assert_eq!(names(first), bare);
    let waiting = page.until_connection("waiting").await;
    assert!(waiting["nextAttemptAt"].as_f64().unwrap() > 1.6e12);
    assert_eq!(waiting["reason"], "unreachable");
    for notice in page.raw() {
        check_plain(&notice, "notice");
    }
}

fn names(object: &Value) -> Vec<String> {
    let mut names: Vec<String> = object.as_object().unwrap().keys().cloned().collect();
    names.sort();
    names
}

fn check_plain(value: &JsValue, path: &str) {
    assert!(
        !value.is_instance_of::<BigInt>() && !value.is_bigint(),
        "{path}"
    );
    assert!(!value.is_undefined() && !value.is_null(), "{path} is empty");
    if value.is_string() || value.as_f64().is_some() || value.as_bool().is_some() {
        return;
    }
    let make = Function::new_with_args("x", "return x.constructor.name");
    let made = make.call1(&JsValue::UNDEFINED, value).unwrap();
    let made = made.as_string().unwrap();
    assert!(made == "Object" || made == "Array", "{path} is a {made}");
    for entry in Object::entries(value.unchecked_ref()).iter() {
        let entry: Array = entry.into();
        let path = format!("{path}.{}", entry.get(0).as_string().unwrap());
        check_plain(&entry.get(1), &path);
    }
}
