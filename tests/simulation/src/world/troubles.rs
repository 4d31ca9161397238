//! What goes wrong: with devices, networks and the gateway.

use super::{Slow, World};
use crate::action::Action;

impl World {
    pub(super) fn act_device(&mut self, action: &Action) {
        match action {
            Action::OpenTab { tab } => self.open_tab(*tab),
            Action::CloseTab { tab } => self.close_tab(*tab),
            Action::Reload { tab } if self.page_in(*tab).is_some() => {
                self.close_tab(*tab);
                self.open_tab(*tab);
            }
            Action::Crash { tab } => {
                if let Some(page) = self.page_in(*tab) {
                    self.crash(page);
                    self.open_tab(*tab);
                }
            }
            Action::CrashAfter { tab, effects } => {
                if let Some(page) = self.page_in(*tab) {
                    self.pages[page].crash_after = Some(*effects);
                }
            }
            Action::Sleep {
                tab,
                ms,
                clock_stops,
                timers_first,
            } => {
                self.trouble_tab(*tab, self.now + ms);
                if let Some(page) = self.page_in(*tab) {
                    self.fall_asleep(page, *ms, *clock_stops, *timers_first);
                }
            }
            Action::Throttle { tab, ms } => {
                self.trouble_tab(*tab, self.now + ms);
                self.tabs[*tab].throttled_until = self.now + ms;
            }
            Action::WallJump { tab, ms } => {
                let device = self.tabs[*tab].device;
                self.devices[device].wall_offset_ms += ms;
            }
            Action::PowerLoss { device } => self.lose_power(*device),
            Action::Quota { device, writes } => self.devices[*device].disk.quota = *writes,
            Action::AbortWrites { device, writes } => self.devices[*device].disk.aborts = *writes,
            Action::CloseDatabase { device } => self.close_database(*device),
            Action::SlowStorage {
                device,
                each_ms,
                ms,
            } => {
                let (each_ms, until) = (*each_ms, self.now + ms);
                self.devices[*device].slow = Slow { each_ms, until };
            }
            Action::Damage { device } => self.devices[*device].disk.damage_buckets(),
            Action::Evict { device } => self.forget(*device),
            _ => {}
        }
    }

    /// All pages of a device end, and its disk forgets what was not flushed.
    fn lose_power(&mut self, device: usize) {
        let tabs = (0..self.tabs.len()).filter(|tab| self.tabs[*tab].device == device);
        let open: Vec<_> = tabs.filter(|tab| self.tabs[*tab].page.is_some()).collect();
        for tab in &open {
            if let Some(page) = self.page_in(*tab) {
                self.crash(page);
            }
        }
        let device = &mut self.devices[device];
        let lost = device.disk.lose_power(&mut device.rng);
        self.trace.note(|| format!("{lost} transactions are lost"));
        if lost > 0 {
            self.coverage.see("state", "relaxed commit lost");
        }
        for tab in open {
            self.open_tab(tab);
        }
    }

    /// The open pages of a device lose their connection to the database.
    fn close_database(&mut self, device: usize) {
        for page in self
            .pages
            .iter_mut()
            .filter(|page| page.device == device && page.is_open)
        {
            page.is_database_closed = true;
        }
    }

    pub(super) fn act_network(&mut self, action: &Action) {
        let (tab, until) = match action {
            Action::Cut { tab, ms }
            | Action::Flap { tab, ms }
            | Action::Portal { tab, ms }
            | Action::RefuseUpgrades { tab, ms }
            | Action::CutSockets { tab, ms }
            | Action::RefuseRequests { tab, ms }
            | Action::Lag { tab, ms, .. }
            | Action::NoToken { tab, ms }
            | Action::SlowToken { tab, ms }
            | Action::WrongToken { tab, ms }
            | Action::OthersToken { tab, ms }
            | Action::HangingToken { tab, ms }
            | Action::SameToken { tab, ms }
            | Action::Stall { tab, ms, .. } => (*tab, self.now + ms),
            Action::HangUp { tab, .. } | Action::Truncate { tab } => (*tab, self.now),
            _ => return,
        };
        self.trouble_tab(tab, until);
        let links = self.links_of(tab);
        let around = &mut self.tabs[tab].around;
        match action {
            Action::Cut { .. } => around.cut_until = until,
            Action::Flap { .. } => around.flap_until = until,
            Action::Portal { .. } => around.portal_until = until,
            Action::RefuseUpgrades { .. } => around.refusing_until = until,
            Action::CutSockets { .. } => around.cutting_until = until,
            Action::RefuseRequests { .. } => around.refusing_requests_until = until,
            Action::Lag { usual_ms, .. } => {
                around.lag = Slow {
                    each_ms: *usual_ms,
                    until,
                }
            }
            Action::NoToken { .. } => around.tokens.none_until = until,
            Action::SlowToken { .. } => around.tokens.slow_until = until,
            Action::WrongToken { .. } => around.tokens.wrong_until = until,
            Action::OthersToken { .. } => around.tokens.others_until = until,
            Action::HangingToken { .. } => around.tokens.hanging_until = until,
            Action::SameToken { .. } => around.tokens.same_until = until,
            _ => {}
        }
        for link in links {
            self.trouble_link(link, action);
        }
    }

    /// Returns a tab's connections, requests included.
    fn links_of(&self, tab: usize) -> Vec<usize> {
        let Some(page) = self.page_in(tab) else {
            return Vec::new();
        };
        let mut links = self.pages[page].links.clone();
        for link in self.pages[page].links.iter() {
            links.extend(self.requests_of(page, self.links[*link].attempt));
        }
        links
    }

    fn trouble_link(&mut self, link: usize, action: &Action) {
        match action {
            Action::Cut { .. }
            | Action::Truncate { .. }
            | Action::Flap { .. }
            | Action::RefuseUpgrades { .. } => self.reset_link(link),
            Action::HangUp { code, .. } => self.hang_up(link, *code),
            Action::Stall {
                up,
                down,
                ms,
                ending,
                ..
            } => {
                self.stall(link, *up, *down, *ms, *ending);
            }
            _ => {}
        }
    }

    pub(super) fn act_gateway(&mut self, action: &Action) {
        match action {
            Action::Kill { down_ms } => {
                if let Some(number) = self.any_process(|_| true) {
                    self.kill_process(number, *down_ms);
                }
            }
            Action::KillAfter { effects, down_ms } => {
                if let Some(number) = self.any_process(|_| true) {
                    self.kill_process_after(number, *effects, *down_ms);
                }
            }
            Action::Drain { down_ms } => {
                if let Some(number) = self.any_process(|_| true) {
                    self.drain_process(number, *down_ms);
                }
            }
            Action::RefuseTokens { ms } => {
                self.gateway_troubled_until = self.gateway_troubled_until.max(self.now + ms);
                self.tokens_refused_until = self.now + ms;
            }
            Action::Pause { ms } => {
                self.gateway_troubled_until = self.gateway_troubled_until.max(self.now + ms);
                if let Some(number) = self.any_process(|_| true) {
                    self.pause_process(number, *ms);
                }
            }
            Action::Restore { batches } => self.restore_backup(*batches as usize, 200),
            Action::StoreBusy { commits } => self.records.busy = *commits,
            Action::StoreUnknown { is_stored } => self.records.unknown.push_back(*is_stored),
            Action::ReadsFail { reads } => self.records.failing_reads = *reads,
            Action::SlowStore { each_ms, ms } => {
                let (each_ms, until) = (*each_ms, self.now + ms);
                self.gateway_troubled_until = self.gateway_troubled_until.max(until);
                self.slow_store = Slow { each_ms, until };
            }
            _ => {}
        }
    }
}
