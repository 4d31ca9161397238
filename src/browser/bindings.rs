//! What JavaScript sees of the core: a mirror of the engine's inputs that checks arguments.
//!
//! Every export first asks whether the instance is still sound. Arguments are taken as they come
//! and checked here, so that a wrong one is an error with a code, not the glue's `TypeError`.
//! Texts with lone surrogates, which are no Unicode, arrive with U+FFFD in their places.

use std::rc::Rc;
use std::str::FromStr;

use js_sys::Function;
use rejoinder_protocol::{Attachment, IdError, Token, UserId};
use serde::Deserialize;
use wasm_bindgen::prelude::*;

use super::driver::{self, Driver};
use super::panic;
use super::refusal::Refusal;
use crate::engine::{AppInput, Attempt, Config, Input, TokenInput};

/// Names the function that is told, once, that this instance has panicked.
///
/// # Errors
///
/// `panicked`, or `invalid_argument` if it is no function.
#[wasm_bindgen(js_name = setFatalListener)]
pub fn set_fatal_listener(callback: JsValue) -> Result<(), JsValue> {
    check_sound()?;
    panic::report_to(function(callback, "callback")?);
    Ok(())
}

/// Panics on purpose, so that tests can watch the real artefact do it.
///
/// # Errors
///
/// `panicked`, if it has done so before.
#[doc(hidden)]
#[wasm_bindgen(js_name = plantedPanic, skip_typescript)]
#[allow(clippy::panic, reason = "that is its job")]
pub fn planted_panic() -> Result<(), JsValue> {
    check_sound()?;
    panic!("planted panic");
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    url: String,
    user_id: UserId,
    skip_failed: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttachmentInput {
    name: String,
    mime_type: String,
    size_bytes: u64,
    url: String,
}

/// The client of one user at one gateway.
#[wasm_bindgen]
pub struct Core {
    driver: Rc<Driver>,
}

#[wasm_bindgen]
impl Core {
    /// Makes a client that is not connected. `notify` is called with a list of notices, never from
    /// inside one of the calls below.
    ///
    /// # Errors
    ///
    /// `invalid_argument` or `panicked`.
    #[wasm_bindgen(constructor)]
    pub fn new(options: JsValue, notify: JsValue) -> Result<Core, JsValue> {
        check_sound()?;
        panic::watch();
        let options: Options = serde_wasm_bindgen::from_value(options)
            .map_err(|error| invalid("options", &error.to_string()))?;
        let config = Config {
            user_id: options.user_id,
            skip_failed: options.skip_failed.unwrap_or_default(),
        };
        let driver = Driver::new(
            gateway_url(&options.url)?,
            config,
            function(notify, "notify")?,
        );
        Ok(Self { driver })
    }

    /// Connects, and stays connected.
    ///
    /// # Errors
    ///
    /// `disposed` or `panicked`.
    pub fn connect(&self) -> Result<(), JsValue> {
        self.app(AppInput::Connect)
    }

    /// Disconnects until the next `connect`.
    ///
    /// # Errors
    ///
    /// `disposed` or `panicked`.
    pub fn disconnect(&self) -> Result<(), JsValue> {
        self.app(AppInput::Disconnect)
    }

    /// Shows a thread.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `disposed` or `panicked`.
    #[wasm_bindgen(js_name = openThread)]
    pub fn open_thread(&self, thread_id: JsValue) -> Result<(), JsValue> {
        self.check()?;
        let thread_id = id(&thread_id, "threadId")?;
        self.app(AppInput::OpenThread { thread_id })
    }

    /// Stops showing a thread.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `disposed` or `panicked`.
    #[wasm_bindgen(js_name = closeThread)]
    pub fn close_thread(&self, thread_id: JsValue) -> Result<(), JsValue> {
        self.check()?;
        let thread_id = id(&thread_id, "threadId")?;
        self.app(AppInput::CloseThread { thread_id })
    }

    /// Sends a message. Returns its `clientMsgId`; the notice `settled` tells what became of it.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `disposed` or `panicked`; then nothing was queued.
    pub fn send(
        &self,
        thread_id: JsValue,
        body: JsValue,
        attachments: JsValue,
    ) -> Result<String, JsValue> {
        self.check()?;
        let client_msg_id = driver::new_client_msg_id();
        self.app(AppInput::Send {
            thread_id: id(&thread_id, "threadId")?,
            client_msg_id,
            body: text(&body, "body")?,
            attachments: attachments_of(attachments)?,
        })?;
        Ok(client_msg_id.to_string())
    }

    /// Tries a failed message again.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `disposed` or `panicked`.
    pub fn retry(&self, client_msg_id: JsValue) -> Result<(), JsValue> {
        self.check()?;
        let client_msg_id = id(&client_msg_id, "clientMsgId")?;
        self.app(AppInput::Retry { client_msg_id })
    }

    /// Takes a message back; the notice `discarded` tells what became of it.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `disposed` or `panicked`.
    pub fn discard(&self, client_msg_id: JsValue) -> Result<(), JsValue> {
        self.check()?;
        let client_msg_id = id(&client_msg_id, "clientMsgId")?;
        self.app(AppInput::Discard { client_msg_id })
    }

    /// Shows older messages of an open thread.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `disposed` or `panicked`.
    #[wasm_bindgen(js_name = loadOlder)]
    pub fn load_older(&self, thread_id: JsValue) -> Result<(), JsValue> {
        self.check()?;
        let thread_id = id(&thread_id, "threadId")?;
        self.app(AppInput::LoadOlder { thread_id })
    }

    /// Says that the user is writing, or stopped.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `disposed` or `panicked`.
    #[wasm_bindgen(js_name = setTyping)]
    pub fn set_typing(&self, thread_id: JsValue, is_typing: JsValue) -> Result<(), JsValue> {
        self.check()?;
        self.app(AppInput::SetTyping {
            thread_id: id(&thread_id, "threadId")?,
            is_typing: boolean(&is_typing, "isTyping")?,
        })
    }

    /// Keeps the list of threads up to date from now on.
    ///
    /// # Errors
    ///
    /// `disposed` or `panicked`.
    #[wasm_bindgen(js_name = watchInbox)]
    pub fn watch_inbox(&self) -> Result<(), JsValue> {
        self.app(AppInput::WatchInbox)
    }

    /// Disconnects and deletes everything stored for this user on this device.
    ///
    /// # Errors
    ///
    /// `disposed` or `panicked`.
    pub fn logout(&self) -> Result<(), JsValue> {
        self.app(AppInput::Logout)
    }

    /// Answers the notice `tokenWanted`; without a token there is none now.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `disposed` or `panicked`.
    pub fn token(&self, attempt: JsValue, token: JsValue, subject: JsValue) -> Result<(), JsValue> {
        self.check()?;
        let attempt = Attempt(count(&attempt, "attempt")?);
        let token = if is_absent(&token) {
            None
        } else {
            let subject = if is_absent(&subject) {
                None
            } else {
                Some(id(&subject, "subject")?)
            };
            let token = Token::new(text(&token, "token")?);
            Some(TokenInput { token, subject })
        };
        self.driver.feed(Input::Token { attempt, token });
        Ok(())
    }

    /// Cuts the connection as if the network broke, until it is mended; for demos and tests.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `disposed` or `panicked`.
    pub fn cut(&self, is_cut: JsValue) -> Result<(), JsValue> {
        self.check()?;
        self.driver.cut(boolean(&is_cut, "isCut")?);
        Ok(())
    }

    /// Closes everything and tells nothing more; a second time it does nothing. What was sent
    /// stays stored.
    ///
    /// # Errors
    ///
    /// `panicked`.
    pub fn dispose(&self) -> Result<(), JsValue> {
        check_sound()?;
        self.driver.dispose();
        Ok(())
    }

    fn app(&self, input: AppInput) -> Result<(), JsValue> {
        self.check()?;
        self.driver.feed(Input::App(input));
        Ok(())
    }

    fn check(&self) -> Result<(), Refusal> {
        check_sound()?;
        if self.driver.is_disposed() {
            return Err(Refusal::Disposed);
        }
        Ok(())
    }
}

fn check_sound() -> Result<(), Refusal> {
    if panic::is_sound() {
        Ok(())
    } else {
        Err(Refusal::Panicked)
    }
}

fn invalid(name: &str, problem: &str) -> Refusal {
    Refusal::InvalidArgument([name, ": ", problem].concat())
}

fn is_absent(value: &JsValue) -> bool {
    value.is_undefined() || value.is_null()
}

fn text(value: &JsValue, name: &str) -> Result<String, Refusal> {
    value
        .as_string()
        .ok_or_else(|| invalid(name, "must be a string"))
}

fn boolean(value: &JsValue, name: &str) -> Result<bool, Refusal> {
    value
        .as_bool()
        .ok_or_else(|| invalid(name, "must be a boolean"))
}

fn id<T: FromStr<Err = IdError>>(value: &JsValue, name: &str) -> Result<T, Refusal> {
    text(value, name)?
        .parse()
        .map_err(|error: IdError| invalid(name, &error.to_string()))
}

fn count(value: &JsValue, name: &str) -> Result<u64, Refusal> {
    value
        .as_f64()
        .filter(|number| js_sys::Number::is_safe_integer(&(*number).into()) && *number >= 0.0)
        .map(|number| number as u64)
        .ok_or_else(|| invalid(name, "must be a whole number"))
}

fn function(value: JsValue, name: &str) -> Result<Function, Refusal> {
    value
        .dyn_into()
        .map_err(|_| invalid(name, "must be a function"))
}

fn attachments_of(value: JsValue) -> Result<Vec<Attachment>, Refusal> {
    if is_absent(&value) {
        return Ok(Vec::new());
    }
    let inputs: Vec<AttachmentInput> = serde_wasm_bindgen::from_value(value)
        .map_err(|error| invalid("attachments", &error.to_string()))?;
    let attachments = inputs.into_iter().map(|input| Attachment {
        name: input.name,
        mime_type: input.mime_type,
        size_bytes: input.size_bytes,
        url: input.url,
    });
    Ok(attachments.collect())
}

/// Two spellings of one address are one gateway, and one database.
fn gateway_url(url: &str) -> Result<String, Refusal> {
    let parsed = web_sys::Url::new(url).map_err(|_| invalid("url", "must be an absolute URL"))?;
    if !matches!(parsed.protocol().as_str(), "ws:" | "wss:") {
        return Err(invalid("url", "must begin with ws: or wss:"));
    }
    if !parsed.hash().is_empty() {
        return Err(invalid("url", "a WebSocket's URL has no #fragment"));
    }
    Ok(parsed.href())
}
