//! What people do, whatever happens around them.

use std::time::Duration;

use fastrand::Rng;
use rejoinder::engine::AppInput;
use rejoinder_protocol::ThreadId;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::client::Client;
use crate::clock;
use crate::people::Device;

/// Between two things that somebody does, in milliseconds.
const PAUSE_MS: std::ops::RangeInclusive<u64> = 50..=1_000;
/// Whoever closes a thread opens it again after so long at most, in milliseconds.
const CLOSED_MS_MAX: u64 = 400;
/// Now and then somebody writes so many letters.
const LONG: usize = 4_000;

/// One person at one device.
pub(crate) struct Person {
    pub(crate) device: Device,
    pub(crate) rng: Rng,
    /// Messages that were written so far.
    pub(crate) written: u64,
}

impl Person {
    /// Does one thing after another until it is time to stop.
    pub(crate) async fn work(&mut self, client: &Client, mut stop: watch::Receiver<bool>) {
        loop {
            let pause = Duration::from_millis(self.rng.u64(PAUSE_MS));
            tokio::select! {
                () = sleep(pause) => self.act(client).await,
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn act(&mut self, client: &Client) {
        let Some(thread_id) = self.rng.choice(&self.device.threads).cloned() else {
            return;
        };
        match self.rng.u8(0..100) {
            0..=59 => self.write(client, thread_id),
            60..=69 => {
                // Several at once: the later ones wait for the first.
                for _ in 0..self.rng.u8(2..=5) {
                    self.write(client, thread_id.clone());
                }
            }
            70..=79 => self.take_back(client, thread_id).await,
            80..=89 => {
                let is_typing = self.rng.bool();
                client.ask(AppInput::SetTyping {
                    thread_id,
                    is_typing,
                });
            }
            90..=94 => client.ask(AppInput::LoadOlder { thread_id }),
            _ => {
                client.ask(AppInput::CloseThread {
                    thread_id: thread_id.clone(),
                });
                sleep(Duration::from_millis(self.rng.u64(0..CLOSED_MS_MAX))).await;
                client.ask(AppInput::OpenThread { thread_id });
            }
        }
    }

    fn write(&mut self, client: &Client, thread_id: ThreadId) {
        client.ask(self.message(thread_id));
    }

    /// Writes, and wants it back: at once, or when it may be on its way.
    async fn take_back(&mut self, client: &Client, thread_id: ThreadId) {
        let message = self.message(thread_id);
        let AppInput::Send { client_msg_id, .. } = message else {
            return;
        };
        client.ask(message);
        if self.rng.bool() {
            sleep(Duration::from_millis(self.rng.u64(0..60))).await;
        }
        client.ask(AppInput::Discard { client_msg_id });
    }

    fn message(&mut self, thread_id: ThreadId) -> AppInput {
        self.written += 1;
        let mut body = format!(
            "{}.{}.{}",
            self.device.user_id, self.device.number, self.written
        );
        if self.rng.u8(0..20) == 0 {
            body = format!("{body:x<LONG$}");
        }
        AppInput::Send {
            thread_id,
            client_msg_id: clock::new_client_msg_id(),
            body,
            attachments: Vec::new(),
        }
    }
}
