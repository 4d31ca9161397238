//! A client as the facade uses it: it answers `tokenWanted` and keeps the timelines it is told of.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use gloo_timers::future::TimeoutFuture;
use js_sys::{Array, JSON, Object, Reflect};
use rejoinder::Core;
use serde_json::Value;
use wasm_bindgen::prelude::*;

/// A port that browsers refuse to connect to.
pub(crate) const NOWHERE: &str = "ws://127.0.0.1:9/ws";
const PATIENCE_MS: u32 = 20_000;

/// Returns a user that no test had before, so that no test finds another's database.
pub(crate) fn somebody(name: &str) -> String {
    thread_local!(static COUNT: Cell<u32> = const { Cell::new(0) });
    COUNT.set(COUNT.get() + 1);
    format!("{name}-{}-{}", js_sys::Date::now() as u64, COUNT.get())
}

/// Returns the thread of two people, as the gateway makes it with `--dev`.
pub(crate) fn pair(one: &str, other: &str) -> String {
    let mut users = [one, other];
    users.sort_unstable();
    users.join("|")
}

pub(crate) fn options(url: &str, user_id: &str) -> JsValue {
    let options = Object::new();
    set(&options, "url", &url.into());
    set(&options, "userId", &user_id.into());
    set(&options, "skipFailed", &false.into());
    options.into()
}

pub(crate) fn set(object: &Object, key: &str, value: &JsValue) {
    Reflect::set(object, &key.into(), value).unwrap();
}

/// Returns the `code` of an error and its message.
pub(crate) fn refusal<T>(result: Result<T, JsValue>) -> (String, String) {
    let error = result.err().expect("nothing was thrown");
    assert!(error.is_instance_of::<js_sys::Error>());
    let text = |key: &str| {
        let value = Reflect::get(&error, &key.into()).unwrap();
        value.as_string().unwrap_or_default()
    };
    (text("code"), text("message"))
}

pub(crate) async fn pause(milliseconds: u32) {
    TimeoutFuture::new(milliseconds).await;
}

/// Waits until something is there.
pub(crate) async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..PATIENCE_MS / 10 {
        if let Some(found) = look() {
            return found;
        }
        pause(10).await;
    }
    panic!("{what}: not within {PATIENCE_MS} ms");
}

/// A timeline as `threadStore.ts` keeps it.
#[derive(Default)]
struct Timeline {
    ids: Vec<String>,
    rows: BTreeMap<String, Value>,
}

/// What the application's token function does.
#[derive(Clone)]
pub(crate) enum Tokens {
    /// It brings a token, and perhaps knows whose that is.
    Bring(String, Option<String>),
    /// It fails.
    Fail,
    /// It never answers.
    Hang,
}

pub(crate) struct Page {
    core: Rc<Core>,
    tokens: Rc<RefCell<Tokens>>,
    heard: Rc<RefCell<Vec<Value>>>,
    raw: Rc<RefCell<Vec<JsValue>>>,
    timelines: RefCell<(usize, BTreeMap<String, Timeline>)>,
    _notify: Closure<dyn FnMut(Array)>,
}

impl Page {
    pub(crate) fn open(url: &str, user: &str) -> Self {
        Self::open_with(url, user, |_, _| {})
    }

    /// `react` is called for each notice, from inside the listener.
    pub(crate) fn open_with(
        url: &str,
        user: &str,
        react: impl Fn(&Core, &Value) + 'static,
    ) -> Self {
        Self::make(url, user, Tokens::Bring(format!("dev:{user}"), None), react)
    }

    pub(crate) fn open_with_tokens(url: &str, user: &str, tokens: Tokens) -> Self {
        Self::make(url, user, tokens, |_, _| {})
    }

    /// With a token that says nothing about whose it is.
    pub(crate) fn open_with_token(url: &str, user: &str, token: &str) -> Self {
        Self::open_with_tokens(url, user, Tokens::Bring(token.to_owned(), None))
    }

    fn make(
        url: &str,
        user: &str,
        tokens: Tokens,
        react: impl Fn(&Core, &Value) + 'static,
    ) -> Self {
        let tokens = Rc::new(RefCell::new(tokens));
        let core: Rc<RefCell<Option<Rc<Core>>>> = Rc::default();
        let heard: Rc<RefCell<Vec<Value>>> = Rc::default();
        let raw: Rc<RefCell<Vec<JsValue>>> = Rc::default();
        let is_inside = Cell::new(false);
        let notify = {
            let (core, heard, raw) = (Rc::clone(&core), Rc::clone(&heard), Rc::clone(&raw));
            let tokens = Rc::clone(&tokens);
            Closure::<dyn FnMut(Array)>::new(move |notices: Array| {
                assert!(!is_inside.replace(true), "called from inside itself");
                assert_ne!(notices.length(), 0, "called for nothing");
                let core = core.borrow().clone().expect("called from inside `new`");
                for notice in notices.iter() {
                    let value = to_json(&notice);
                    raw.borrow_mut().push(notice);
                    heard.borrow_mut().push(value.clone());
                    if value["type"] == "tokenWanted" {
                        answer(&core, &value, &tokens.borrow());
                    }
                    react(&core, &value);
                }
                is_inside.set(false);
            })
        };
        let made = Rc::new(Core::new(options(url, user), notify.as_ref().clone()).unwrap());
        *core.borrow_mut() = Some(Rc::clone(&made));
        Self {
            core: made,
            tokens,
            heard,
            raw,
            timelines: RefCell::default(),
            _notify: notify,
        }
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// From now on the application's token function does this.
    pub(crate) fn set_tokens(&self, tokens: Tokens) {
        *self.tokens.borrow_mut() = tokens;
    }

    /// For which attempts it was asked.
    pub(crate) fn asked(&self) -> Vec<u64> {
        let heard = self.heard.borrow();
        let asked = heard.iter().filter(|one| one["type"] == "tokenWanted");
        asked
            .map(|one| one["attempt"].as_f64().unwrap() as u64)
            .collect()
    }

    pub(crate) fn open_thread(&self, thread: &str) {
        self.core.open_thread(thread.into()).unwrap();
    }

    pub(crate) fn send(&self, thread: &str, body: &str) -> String {
        self.core
            .send(thread.into(), body.into(), JsValue::UNDEFINED)
            .unwrap()
    }

    /// Everything told so far.
    pub(crate) fn heard(&self) -> Vec<Value> {
        self.heard.borrow().clone()
    }

    /// The same as it came.
    pub(crate) fn raw(&self) -> Vec<JsValue> {
        self.raw.borrow().clone()
    }

    pub(crate) async fn until_told(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        until(what, || {
            self.heard.borrow().iter().find(|one| is_it(one)).cloned()
        })
        .await
    }

    pub(crate) async fn settled(&self, client_msg_id: &str) -> Value {
        self.until_told("sendMessage answers", |one| {
            one["type"] == "settled" && one["clientMsgId"] == client_msg_id
        })
        .await
    }

    /// The newest connection notice.
    pub(crate) fn connection(&self) -> Value {
        let heard = self.heard.borrow();
        let mut newest = heard.iter().rev();
        let found = newest.find(|one| one["type"] == "connection");
        found.cloned().unwrap_or_default()
    }

    pub(crate) async fn until_connection(&self, state: &str) -> Value {
        until(state, || {
            Some(self.connection()).filter(|connection| connection["state"] == state)
        })
        .await
    }

    /// Waits until its thread is live: what the first window brings is not announced.
    pub(crate) async fn until_live(&self) {
        self.until_told("the thread is live", |one| {
            one["meta"]["syncState"] == "live"
        })
        .await;
    }

    /// Sends thirty messages at once; returns their texts when the first has been taken.
    pub(crate) async fn send_burst(&self, thread: &str) -> Vec<String> {
        let bodies: Vec<String> = (0..30).map(|number| format!("message {number}")).collect();
        for body in &bodies {
            self.send(thread, body);
        }
        until("the first is sent", || {
            (self.rows(thread).first()?["delivery"]["status"] == "sent").then_some(())
        })
        .await;
        bodies
    }

    /// The rows of a thread as a person sees them.
    pub(crate) fn rows(&self, thread: &str) -> Vec<Value> {
        let mut timelines = self.timelines.borrow_mut();
        let (seen, by_thread) = &mut *timelines;
        let heard = self.heard.borrow();
        for delta in &heard[*seen..] {
            if delta["type"] == "thread" {
                let id = delta["threadId"].as_str().unwrap().to_owned();
                by_thread.entry(id).or_default().apply(delta);
            }
        }
        *seen = heard.len();
        by_thread.get(thread).map_or_else(Vec::new, Timeline::shown)
    }

    /// Waits until a thread shows exactly these texts, all of them `sent`.
    pub(crate) async fn until_sent(&self, thread: &str, bodies: &[&str]) {
        for _ in 0..PATIENCE_MS / 10 {
            let rows = self.rows(thread);
            let is_sent = rows.iter().all(|row| row["delivery"]["status"] == "sent");
            if is_sent && texts(&rows) == bodies {
                return;
            }
            pause(10).await;
        }
        panic!("{bodies:?} are not shown: {:?}", self.rows(thread));
    }
}

fn answer(core: &Core, wanted: &Value, tokens: &Tokens) {
    let attempt = wanted["attempt"].as_f64().unwrap().into();
    let (token, subject) = match tokens {
        Tokens::Bring(token, subject) => (Some(token), subject.as_ref()),
        Tokens::Fail => (None, None),
        Tokens::Hang => return,
    };
    let text = |text: Option<&String>| text.map_or(JsValue::UNDEFINED, JsValue::from);
    core.token(attempt, text(token), text(subject)).unwrap();
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.core.dispose();
    }
}

impl Timeline {
    fn apply(&mut self, delta: &Value) {
        for id in delta["removed"].as_array().unwrap() {
            self.rows.remove(id.as_str().unwrap());
        }
        for row in delta["upserted"].as_array().unwrap() {
            let id = row["id"].as_str().unwrap().to_owned();
            self.rows.insert(id, row.clone());
        }
        if let Some(splice) = delta.get("splice") {
            let number = |key: &str| splice[key].as_f64().unwrap() as usize;
            let at = number("at");
            let inserted = splice["insert"].as_array().unwrap().iter();
            let inserted = inserted.map(|id| id.as_str().unwrap().to_owned());
            self.ids
                .splice(at..at + number("deleteCount"), inserted)
                .for_each(drop);
        }
    }

    fn shown(&self) -> Vec<Value> {
        self.ids.iter().map(|id| self.rows[id].clone()).collect()
    }
}

pub(crate) fn texts(rows: &[Value]) -> Vec<&str> {
    rows.iter().filter_map(|row| row["body"].as_str()).collect()
}

fn to_json(value: &JsValue) -> Value {
    let text = String::from(JSON::stringify(value).unwrap());
    serde_json::from_str(&text).unwrap()
}
