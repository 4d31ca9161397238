//! What is thrown at whoever calls it wrongly.

use js_sys::{Array, Function, JsString, Object};
use rejoinder::{Core, set_fatal_listener};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::*;

use crate::page::{NOWHERE, Page, options, refusal, set, somebody};

const NOTHING: JsValue = JsValue::UNDEFINED;

fn listener() -> JsValue {
    Function::new_no_args("").into()
}

fn is_invalid<T>(result: Result<T, JsValue>, named: &str) {
    let (code, message) = refusal(result);
    assert_eq!(code, "invalid_argument", "{message}");
    assert!(message.contains(named), "`{message}` does not name {named}");
}

#[wasm_bindgen_test]
fn options_are_checked() {
    let with = |key: &str, value: JsValue| {
        let options: Object = options(NOWHERE, "alice").into();
        set(&options, key, &value);
        Core::new(options.into(), listener())
    };
    for wrong in [NOTHING, JsValue::NULL, 5.into(), "ws://x".into()] {
        is_invalid(Core::new(wrong, listener()), "options");
    }
    for wrong in [
        NOTHING,
        7.into(),
        "".into(),
        "a b".into(),
        "x".repeat(129).into(),
    ] {
        is_invalid(with("userId", wrong), "options");
    }
    is_invalid(with("url", 7.into()), "options");
    is_invalid(with("skipFailed", "yes".into()), "options");
    for wrong in ["", "/ws", "http://x/ws", "ws://", "ws://x/ws#top"] {
        is_invalid(with("url", wrong.into()), "url");
    }
    for wrong in [NOTHING, JsValue::NULL, Object::new().into()] {
        is_invalid(
            Core::new(options(NOWHERE, "alice"), wrong.clone()),
            "notify",
        );
        is_invalid(set_fatal_listener(wrong), "callback");
    }
    assert!(with("skipFailed", NOTHING).is_ok(), "it has a default");
}

#[wasm_bindgen_test]
fn arguments_are_checked() {
    let page = Page::open(NOWHERE, &somebody("alice"));
    let core = page.core();
    for wrong in [
        NOTHING,
        JsValue::NULL,
        5.into(),
        Object::new().into(),
        "".into(),
        "a/b".into(),
        JsString::from_char_code(&[0x61, 0xd800]).into(),
    ] {
        is_invalid(core.open_thread(wrong.clone()), "threadId");
        is_invalid(core.close_thread(wrong.clone()), "threadId");
        is_invalid(core.load_older(wrong.clone()), "threadId");
        is_invalid(core.set_typing(wrong.clone(), true.into()), "threadId");
        is_invalid(core.retry(wrong.clone()), "clientMsgId");
        is_invalid(core.discard(wrong.clone()), "clientMsgId");
        is_invalid(core.send(wrong, "x".into(), NOTHING), "threadId");
    }
    for wrong in [NOTHING, JsValue::NULL, 5.into(), Array::new().into()] {
        is_invalid(core.send("t".into(), wrong.clone(), NOTHING), "body");
        is_invalid(core.set_typing("t".into(), wrong.clone()), "isTyping");
        is_invalid(core.cut(wrong), "isCut");
    }
    for wrong in [
        NOTHING,
        (-1).into(),
        0.5.into(),
        "1".into(),
        f64::NAN.into(),
    ] {
        is_invalid(core.token(wrong, "t".into(), NOTHING), "attempt");
    }
    is_invalid(core.token(1.into(), 5.into(), NOTHING), "token");
    is_invalid(core.token(1.into(), "t".into(), "a b".into()), "subject");
    let (_, message) = refusal(core.token(1.into(), "secret".into(), 5.into()));
    assert!(!message.contains("secret"));
}

#[wasm_bindgen_test]
fn attachments_are_checked() {
    let page = Page::open(NOWHERE, &somebody("alice"));
    let attachment = |size: JsValue| {
        let one = Object::new();
        for key in ["name", "mimeType", "url"] {
            set(&one, key, &"x".into());
        }
        set(&one, "sizeBytes", &size);
        one
    };
    let send = |attachments: &JsValue| {
        page.core()
            .send("t".into(), "x".into(), attachments.clone())
    };
    assert!(send(&JsValue::NULL).is_ok());
    assert!(send(&Array::of1(&attachment(1.into())).into()).is_ok());
    is_invalid(send(&5.into()), "attachments");
    is_invalid(send(&Array::of1(&5.into()).into()), "attachments");
    is_invalid(send(&Array::of1(&Object::new()).into()), "attachments");
    for size in [(-1).into(), 0.5.into(), "1".into(), 2f64.powi(53).into()] {
        is_invalid(send(&Array::of1(&attachment(size)).into()), "attachments");
    }
}

#[wasm_bindgen_test]
async fn after_dispose_every_call_says_so_and_nothing_is_told() {
    let page = Page::open(NOWHERE, &somebody("alice"));
    let core = page.core();
    core.connect().unwrap();
    core.dispose().unwrap();
    core.dispose().unwrap();
    let thread = || JsValue::from("t");
    let key = || JsValue::from("0198c0de-0000-7000-8000-00000000000a");
    for result in [
        core.connect(),
        core.disconnect(),
        core.open_thread(thread()),
        core.close_thread(thread()),
        core.send(thread(), "x".into(), NOTHING).map(drop),
        core.retry(key()),
        core.discard(key()),
        core.load_older(thread()),
        core.set_typing(thread(), true.into()),
        core.watch_inbox(),
        core.logout(),
        core.token(1.into(), NOTHING, NOTHING),
        core.cut(true.into()),
    ] {
        assert_eq!(refusal(result).0, "disposed");
    }
    crate::page::pause(300).await;
    assert!(page.heard().is_empty(), "{:?}", page.heard());
}
