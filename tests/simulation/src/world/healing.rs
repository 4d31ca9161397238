//! The end of all trouble.

use rejoinder::engine::AppInput;

use super::{Slow, World};
use crate::schedule::TABS;

impl World {
    /// Mends everything that was wrong, and lets everybody come back.
    pub fn heal(&mut self) {
        self.trace.note(|| "* everything is mended".to_owned());
        self.is_mended = true;
        for tab in 0..self.tabs.len() {
            self.tabs[tab].around.heal();
            self.tabs[tab].throttled_until = 0;
        }
        for device in &mut self.devices {
            device.slow = Slow::default();
            device.disk.quota = 0;
            device.disk.aborts = 0;
        }
        self.records.busy = 0;
        self.records.unknown.clear();
        self.records.failing_reads = 0;
        self.slow_store = Slow::default();
        self.heal_others();
        self.setting.token_ms = None;
        self.tokens_refused_until = 0;
        for place in 0..self.gateways.len() {
            self.heal_place(place);
        }
        self.heal_peers();
        for link in 0..self.links.len() {
            self.end_stall(link);
        }
        for page in 0..self.pages.len() {
            self.pages[page].crash_after = None;
            self.thaw(page);
        }
        self.give_pages_back();
        // Whoever logged out comes back; every device that ever wrote something is looked at.
        for tab in 0..self.tabs.len() {
            let Some(page) = self.page_in(tab) else {
                continue;
            };
            if self.pages[page].is_logged_out {
                self.close_tab(tab);
                self.open_tab(tab);
            }
        }
        for device in 0..self.devices.len() {
            let is_used = self.pages.iter().any(|page| page.device == device);
            let is_open = self
                .tabs
                .iter()
                .any(|tab| tab.device == device && tab.page.is_some());
            let tab = self.tabs.iter().position(|tab| tab.device == device);
            if let (true, false, Some(tab)) = (is_used, is_open, tab) {
                self.open_tab(tab);
            }
        }
        for page in 0..self.pages.len() {
            if self.pages[page].is_open {
                for thread_id in self.threads_of(self.pages[page].device) {
                    self.app(page, AppInput::OpenThread { thread_id });
                }
                self.app(page, AppInput::Connect);
            }
        }
    }

    /// Every page is its owner's again.
    fn give_pages_back(&mut self) {
        for (tab, device) in TABS.into_iter().enumerate() {
            let is_open = self.page_in(tab).is_some();
            if self.tabs[tab].device != device {
                self.close_tab(tab);
                self.tabs[tab].device = device;
                if is_open {
                    self.open_tab(tab);
                }
            }
        }
    }
}
