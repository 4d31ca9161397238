//! What survives the page, and what happens where nothing can.

use js_sys::{Function, Object, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::*;

use crate::page::{NOWHERE, Page, pause, somebody, texts, until};

#[wasm_bindgen_test]
async fn the_outbox_survives_a_new_client_on_the_same_database() {
    let alice = somebody("alice");
    let page = Page::open(NOWHERE, &alice);
    page.open_thread("t");
    let first = page.send("t", "first");
    let second = page.send("t", "second");
    assert_eq!(page.settled(&first).await["durability"], "disk");
    assert_eq!(page.settled(&second).await["durability"], "disk");
    drop(page);

    let page = Page::open(NOWHERE, &alice);
    page.open_thread("t");
    until("both are shown", || {
        (texts(&page.rows("t")) == ["first", "second"]).then_some(())
    })
    .await;
    for (row, id) in page.rows("t").iter().zip([&first, &second]) {
        assert_eq!(row["id"], id.as_str());
        assert_eq!(row["delivery"]["status"], "queued");
        assert_eq!(row["delivery"]["durability"], "disk");
    }
    assert_eq!(page.connection()["queueLength"].as_f64(), Some(2.0));
}

#[wasm_bindgen_test]
async fn another_user_and_another_gateway_have_databases_of_their_own() {
    let (alice, bob) = (somebody("alice"), somebody("bob"));
    let page = Page::open(NOWHERE, &alice);
    let id = page.send("t", "of alice");
    page.settled(&id).await;

    for (url, user) in [(NOWHERE, &bob), ("ws://127.0.0.1:9/other", &alice)] {
        let other = Page::open(url, user);
        other.open_thread("t");
        other
            .until_told("the thread is loaded", |one| {
                one["type"] == "thread" && one["meta"]["isLoaded"] == true
            })
            .await;
        pause(100).await;
        assert!(other.rows("t").is_empty());
        assert_eq!(other.connection()["queueLength"].as_f64(), Some(0.0));
    }
}

#[wasm_bindgen_test]
async fn one_gateway_spelled_in_two_ways_is_one_database() {
    let alice = somebody("alice");
    let page = Page::open("WS://127.0.0.1:9", &alice);
    let id = page.send("t", "hello");
    page.settled(&id).await;
    drop(page);
    let page = Page::open("ws://127.0.0.1:9/", &alice);
    page.open_thread("t");
    until("it is shown", || {
        (texts(&page.rows("t")) == ["hello"]).then_some(())
    })
    .await;
}

#[wasm_bindgen_test]
async fn logging_out_deletes_everything_and_leaves_others_alone() {
    let (alice, bob) = (somebody("alice"), somebody("bob"));
    for user in [&alice, &bob] {
        let page = Page::open(NOWHERE, user);
        let id = page.send("t", "hello");
        page.settled(&id).await;
        if user == &alice {
            page.core().logout().unwrap();
            let refused = page.send("t", "too late");
            assert_eq!(page.settled(&refused).await["code"], "logged_out");
        }
    }
    for (user, expected) in [(&alice, 0.0), (&bob, 1.0)] {
        let page = Page::open(NOWHERE, user);
        page.open_thread("t");
        page.until_told("the thread is loaded", |one| {
            one["type"] == "thread" && one["meta"]["isLoaded"] == true
        })
        .await;
        assert_eq!(page.connection()["queueLength"].as_f64(), Some(expected));
    }
}

#[wasm_bindgen_test]
async fn whoever_logs_in_again_at_once_loses_nothing() {
    let alice = somebody("alice");
    let page = Page::open(NOWHERE, &alice);
    page.send("t", "before");
    page.core().logout().unwrap();
    drop(page);

    let page = Page::open(NOWHERE, &alice);
    let id = page.send("t", "after");
    assert_eq!(page.settled(&id).await["durability"], "disk");
    drop(page);

    let page = Page::open(NOWHERE, &alice);
    page.open_thread("t");
    until("it is shown alone", || {
        (texts(&page.rows("t")) == ["after"]).then_some(())
    })
    .await;
}

/// A page whose browser takes storage away, until it is dropped.
struct Without {
    restore: Function,
}

impl Without {
    fn new(break_it: &str) -> Self {
        let script = format!(
            "const old = Object.getOwnPropertyDescriptor(globalThis, 'indexedDB');
             const {{ open }} = IDBFactory.prototype;
             const {{ add }} = IDBObjectStore.prototype;
             {break_it};
             return () => {{
               Object.defineProperty(globalThis, 'indexedDB', old);
               IDBFactory.prototype.open = open;
               IDBObjectStore.prototype.add = add;
             }};"
        );
        let restore = Function::new_no_args(&script)
            .call0(&JsValue::UNDEFINED)
            .unwrap();
        Self {
            restore: restore.into(),
        }
    }
}

impl Drop for Without {
    fn drop(&mut self) {
        self.restore.call0(&JsValue::UNDEFINED).unwrap();
    }
}

async fn is_kept_in_memory(reason: &str) {
    let page = Page::open(NOWHERE, &somebody("alice"));
    page.open_thread("t");
    let connection = page
        .until_told("memory is said aloud", |one| one["storage"] == "memory")
        .await;
    assert_eq!(connection["storageReason"], reason);
    let id = page.send("t", "hello");
    assert_eq!(page.settled(&id).await["durability"], "memory");
    let row = page.rows("t")[0].clone();
    assert_eq!(row["delivery"]["durability"], "memory");
}

#[wasm_bindgen_test]
async fn a_browser_without_storage_keeps_messages_in_memory_and_says_so() {
    let hidden = "Object.defineProperty(globalThis, 'indexedDB', \
                  { get: () => undefined, configurable: true })";
    let without = Without::new(hidden);
    let undefined = Reflect::get(&js_sys::global(), &"indexedDB".into()).unwrap();
    assert!(undefined.is_undefined());
    is_kept_in_memory("unavailable").await;
    drop(without);
    let restored = Reflect::get(&js_sys::global(), &"indexedDB".into()).unwrap();
    assert!(restored.is_instance_of::<Object>());
}

#[wasm_bindgen_test]
async fn a_forbidden_or_broken_database_is_kept_in_memory_too() {
    for name in ["SecurityError", "InvalidStateError"] {
        let throwing = format!(
            "IDBFactory.prototype.open = () => {{ throw new DOMException('no', '{name}') }}"
        );
        let _without = Without::new(&throwing);
        is_kept_in_memory("unavailable").await;
    }
}

#[wasm_bindgen_test]
async fn a_full_disk_keeps_what_is_sent_now_in_memory_and_what_was_sent_before() {
    let alice = somebody("alice");
    let page = Page::open(NOWHERE, &alice);
    page.open_thread("t");
    let kept = page.send("t", "kept");
    assert_eq!(page.settled(&kept).await["durability"], "disk");
    let full = Without::new(
        "IDBObjectStore.prototype.add = () => { throw new DOMException('no', 'QuotaExceededError') }",
    );
    let lost = page.send("t", "in memory");
    assert_eq!(page.settled(&lost).await["durability"], "memory");
    drop(full);
    assert_eq!(page.connection()["storageReason"], "quota");
    assert_eq!(texts(&page.rows("t")), ["kept", "in memory"]);
    drop(page);

    let page = Page::open(NOWHERE, &alice);
    page.open_thread("t");
    until("what was kept is shown", || {
        (texts(&page.rows("t")) == ["kept"]).then_some(())
    })
    .await;
}

#[wasm_bindgen_test]
async fn a_database_that_never_opens_holds_nobody_up_for_ever() {
    let _without = Without::new("IDBFactory.prototype.open = () => new EventTarget()");
    is_kept_in_memory("unavailable").await;
}
