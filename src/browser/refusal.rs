//! Why an export did nothing, as JavaScript sees it.

use wasm_bindgen::prelude::*;

/// Becomes an `Error` with a `code` for programs and a sentence for people.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The instance was disposed of.
    #[error("this Rejoinder client was disposed of; make a new one")]
    Disposed,
    /// An argument is not what it must be.
    #[error("{0}")]
    InvalidArgument(String),
    /// The code has panicked.
    #[error("the Rejoinder core has stopped after an internal error; reload the page")]
    Panicked,
}

impl Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Disposed => "disposed",
            Self::InvalidArgument(_) => "invalid_argument",
            Self::Panicked => "panicked",
        }
    }
}

impl From<Refusal> for JsValue {
    fn from(refusal: Refusal) -> Self {
        let error = js_sys::Error::new(&refusal.to_string());
        // Cannot fail on an object that was just made.
        let _ = js_sys::Reflect::set(&error, &"code".into(), &refusal.code().into());
        error.into()
    }
}
