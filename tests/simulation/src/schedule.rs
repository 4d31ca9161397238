//! A schedule: who is there, what they do, and what goes wrong when.

use serde::{Deserialize, Serialize};

use crate::action::Action;

/// The users, by number.
pub const USERS: [&str; 3] = ["alice", "bob", "carol"];
/// The threads, by number. Alice takes part in both.
pub const THREADS: [&str; 2] = ["alice|bob", "alice|carol"];
/// Whose each device is. The last is no device of its own: it is Bob's database in the browser of
/// Alice's phone.
pub const DEVICES: [usize; 5] = [0, 0, 1, 2, 1];
/// On which device each tab is. The last is opened only to see what a guest has left behind.
pub const TABS: [usize; 7] = [0, 0, 1, 2, 2, 3, GUEST];
/// The device that stands for the guest's database.
const GUEST: usize = 4;

/// Returns the database of the other user of a browser, for one that two of them use.
pub(crate) fn other_user_of(device: usize) -> Option<usize> {
    match device {
        0 => Some(GUEST),
        GUEST => Some(0),
        _ => None,
    }
}

/// Returns the threads, by number, that a device's user takes part in.
pub(crate) fn threads_of(device: usize) -> impl Iterator<Item = usize> {
    let user = USERS[DEVICES[device]];
    let is_theirs = move |thread: &usize| THREADS[*thread].split('|').any(|one| one == user);
    (0..THREADS.len()).filter(is_theirs)
}

/// What does not change during a run.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Setting {
    /// The tabs that are open at the beginning.
    pub open: Vec<usize>,
    /// Failed messages do not hold those after them.
    pub skip_failed: bool,
    /// How long the network usually takes at most, in milliseconds.
    pub network_ms: u64,
    /// The same for the browser's storage.
    pub storage_ms: u64,
    /// The same for the gateway's store.
    pub store_ms: u64,
    /// How long a token counts, in milliseconds; `None`: for ever.
    pub token_ms: Option<u64>,
    /// Applications connect with a text: the same token at each attempt, until they connect anew.
    #[serde(default)]
    pub is_token_text: bool,
    /// Others write into the database, too.
    #[serde(default)]
    pub others_write: bool,
    /// How many gateways there are.
    #[serde(default = "one")]
    pub gateways: usize,
    /// How far the gateway's wall clock is off, in milliseconds.
    pub gateway_skew_ms: i64,
    /// How many connections a user may have at one gateway.
    #[serde(default = "plenty")]
    pub user_connections: usize,
}

/// Days of before there were several.
fn one() -> usize {
    1
}

/// Days of before they were counted.
fn plenty() -> usize {
    usize::MAX
}

/// Something that happens at a moment.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Step {
    /// When, in virtual milliseconds.
    pub at: u64,
    /// What.
    pub action: Action,
}

/// A schedule. With the seed for all delays it decides a run completely.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Schedule {
    /// Decides how long everything takes.
    pub seed: u64,
    /// What does not change.
    pub setting: Setting,
    /// What happens, by rising time.
    pub steps: Vec<Step>,
}
