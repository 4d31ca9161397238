//! One issuer's keys: the cache that decides, and the task that asks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::fetch::{KeysUrl, KeysUrlError};
use super::key_cache::{KeyCache, LookUp};
use super::key_set::{KeySet, VerifyingKey};
use crate::core::{Millis, Refusal};

/// A token waits for its key so long. A client must be greeted within 5 s of connecting, and should
/// hear why it is not.
const PATIENCE: Duration = Duration::from_secs(3);

/// One issuer's keys.
pub(super) struct IssuerKeys {
    url: KeysUrl,
    cache: Mutex<KeyCache>,
    /// Changes with every answer of the issuer.
    answers: watch::Sender<()>,
}

impl IssuerKeys {
    pub(super) fn at(url: &str) -> Result<Arc<Self>, KeysUrlError> {
        Ok(Arc::new(Self {
            url: KeysUrl::parse(url)?,
            cache: Mutex::default(),
            answers: watch::Sender::new(()),
        }))
    }

    /// Finds the key of a name, and asks the issuer if that is due.
    pub(super) async fn find(
        self: &Arc<Self>,
        now: Millis,
        kid: &str,
    ) -> Result<VerifyingKey, Refusal> {
        let mut meanwhile = None;
        let search = async {
            loop {
                // Before the look-up: an answer in between must not be missed.
                let mut answer = self.answers.subscribe();
                let looked_up = self.with_cache(|cache| cache.look_up(now, kid));
                match looked_up {
                    LookUp::Found(key) => return Ok(key),
                    LookUp::Unknown => return Err(Refusal::Invalid),
                    LookUp::Unavailable => return Err(Refusal::Unavailable),
                    LookUp::Wait {
                        ask,
                        meanwhile: key,
                    } => {
                        meanwhile = key;
                        if ask {
                            // A task of its own: the answer is for everybody, and whoever waits
                            // may leave.
                            tokio::spawn(Arc::clone(self).ask());
                        }
                        let _ = answer.changed().await;
                    }
                }
            }
        };
        let found = tokio::time::timeout(PATIENCE, search).await;
        found.unwrap_or_else(|_| meanwhile.ok_or(Refusal::Unavailable))
    }

    pub(super) fn url(&self) -> String {
        self.url.to_string()
    }

    /// Asks the issuer, whatever the cache holds.
    pub(super) async fn fetch(&self) -> Result<KeySet, String> {
        let document = self.url.fetch().await.map_err(|error| error.to_string())?;
        KeySet::parse(&document).map_err(|error| error.to_string())
    }

    async fn ask(self: Arc<Self>) {
        let keys = match self.fetch().await {
            Ok(keys) => {
                tracing::info!(url = %self.url, keys = keys.len(), "fetched the issuer's keys");
                Some(keys)
            }
            Err(error) => {
                tracing::warn!(url = %self.url, %error, "the issuer's keys could not be fetched");
                None
            }
        };
        self.with_cache(|cache| cache.answered(keys));
        self.answers.send_replace(());
    }

    fn with_cache<T>(&self, step: impl FnOnce(&mut KeyCache) -> T) -> T {
        // Every step leaves the cache whole.
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        step(&mut cache)
    }
}
