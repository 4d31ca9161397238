//! A real gateway that a test may start and kill, by way of `xtask/src/supervisor.rs`.

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// One gateway with a database of its own. It keeps its address.
pub(crate) struct Gateway {
    name: &'static str,
    pub(crate) url: String,
}

impl Gateway {
    pub(crate) async fn start(name: &'static str) -> Self {
        let answer = ask("start", name).await;
        let url = Reflect::get(&answer, &"url".into()).unwrap();
        Self {
            name,
            url: url.as_string().unwrap(),
        }
    }

    pub(crate) async fn start_again(&self) {
        assert_eq!(Self::start(self.name).await.url, self.url);
    }

    /// Returns the address of a proxy in front of it that lets no WebSocket through.
    pub(crate) async fn proxy(&self) -> String {
        let answer = ask("proxy", self.name).await;
        let url = Reflect::get(&answer, &"url".into()).unwrap();
        url.as_string().unwrap()
    }

    /// As a crash would end it.
    pub(crate) async fn kill(&self) {
        ask("kill", self.name).await;
    }

    /// As an operator would end it.
    pub(crate) async fn stop(&self) {
        ask("stop", self.name).await;
    }
}

async fn ask(verb: &str, name: &str) -> JsValue {
    let Some(supervisor) = option_env!("REJOINDER_SUPERVISOR") else {
        panic!("these tests need the supervisor of `cargo xtask test`");
    };
    let script = "return fetch(url, { method: 'POST' }).then(async (answer) => {
        const text = await answer.text();
        if (!answer.ok) throw new Error(text);
        return JSON.parse(text);
    })";
    let url = format!("{supervisor}/{verb}?name={name}");
    let promise: Promise = Function::new_with_args("url", script)
        .call1(&JsValue::UNDEFINED, &url.into())
        .unwrap()
        .unchecked_into();
    match JsFuture::from(promise).await {
        Ok(answer) => answer,
        Err(error) => panic!("{verb} {name}: {error:?}"),
    }
}
