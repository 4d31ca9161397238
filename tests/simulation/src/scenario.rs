//! A day that was thought of in advance, with a fault at every single place where one can be.

use crate::action::{Action, Key, Size};
use crate::run::{Verdict, run_with};
use crate::schedule::{Schedule, Setting, Step};
use crate::world::FaultAt;

/// A day that was thought of in advance.
#[derive(Clone, Debug)]
pub struct Scenario {
    schedule: Schedule,
}

impl Scenario {
    /// Everybody of these tabs is there, and nothing takes long.
    #[must_use]
    pub fn with(open: &[usize]) -> Self {
        let setting = Setting {
            open: open.to_vec(),
            skip_failed: false,
            network_ms: 1,
            storage_ms: 1,
            store_ms: 1,
            token_ms: None,
            is_token_text: false,
            others_write: false,
            gateways: 1,
            gateway_skew_ms: 0,
            user_connections: 20,
        };
        let schedule = Schedule {
            seed: 1,
            setting,
            steps: Vec::new(),
        };
        Self { schedule }
    }

    /// Something happens, at a moment in virtual milliseconds.
    #[must_use]
    pub fn at(mut self, at: u64, action: Action) -> Self {
        self.schedule.steps.push(Step { at, action });
        self
    }

    /// Some messages are sent to a thread, one after another.
    #[must_use]
    pub fn sends(mut self, at: u64, tab: usize, thread: usize, count: u64) -> Self {
        for number in 0..count {
            let (size, key) = (Size::Short, Key::Fresh);
            self = self.at(
                at + number,
                Action::Send {
                    tab,
                    thread,
                    size,
                    key,
                },
            );
        }
        self
    }

    /// From now on nothing reaches a tab, and nobody tells it.
    #[must_use]
    pub fn goes_deaf(self, at: u64, tab: usize) -> Self {
        self.at(at, Action::goes_deaf(tab))
    }

    /// A token counts for so long, in milliseconds.
    #[must_use]
    pub fn token_ms(mut self, ms: u64) -> Self {
        self.schedule.setting.token_ms = Some(ms);
        self
    }

    /// Applications connect with a text, not with a function.
    #[must_use]
    pub fn token_text(mut self) -> Self {
        self.schedule.setting.is_token_text = true;
        self
    }

    /// There are several gateways.
    #[must_use]
    pub fn gateways(mut self, gateways: usize) -> Self {
        self.schedule.setting.gateways = gateways;
        self
    }

    /// Others write into the database, too.
    #[must_use]
    pub fn others_write(mut self) -> Self {
        self.schedule.setting.others_write = true;
        self
    }

    /// Returns the day as a schedule.
    #[must_use]
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    fn run(&self, fault: Option<FaultAt>) -> Verdict {
        run_with(&self.schedule, fault, false)
    }

    /// Runs the day as it is, and then once for each effect of a page and of the gateway with a
    /// crash right before it, and once for each write with a full disk. Returns how many runs that
    /// were.
    ///
    /// # Errors
    ///
    /// What did not hold, and where the fault was.
    pub fn survives_everything(&self) -> Result<u64, String> {
        let calm = self.run(None);
        if let Some(violation) = calm.violation {
            return Err(format!("on a calm day: {violation}"));
        }
        let (pages, gateway) = calm.effects;
        let crashes = (0..=pages).map(FaultAt::PageEffect);
        let kills = (0..=gateway).map(FaultAt::GatewayEffect);
        let writes = (0..calm.writes).map(FaultAt::Write);
        let mut runs = 1;
        for fault in crashes.chain(kills).chain(writes) {
            runs += 1;
            if let Some(violation) = self.run(Some(fault)).violation {
                return Err(format!("with a fault at {fault:?}: {violation}"));
            }
        }
        Ok(runs)
    }

    /// Runs the day as it is.
    ///
    /// # Errors
    ///
    /// What did not hold.
    pub fn is_survived(&self) -> Result<(), String> {
        match self.run(None).violation {
            Some(violation) => Err(violation.to_string()),
            None => Ok(()),
        }
    }
}
