//! What people do, and what goes wrong.

use serde::{Deserialize, Serialize};

/// A tab's number: a place where pages are opened, one after another.
pub type TabNo = usize;
/// A device's number: a browser profile with its database.
pub type DeviceNo = usize;
/// A thread's number.
pub type ThreadNo = usize;

/// How long a message is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub enum Size {
    /// Some words.
    Short,
    /// Some kilobytes.
    Long,
    /// Longer than a gateway takes.
    TooLong,
}

/// Which key a message gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub enum Key {
    /// A new one, as it should be.
    Fresh,
    /// The key of another user's message in the thread.
    Stolen,
    /// The key and the text of an own message of another device: a draft sent twice.
    Copied,
    /// The key of an own message of another device, with another text.
    Clashing,
}

/// What the browser tells of the page and the network.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub enum Hint {
    /// The page is hidden.
    Hidden,
    /// There is no network, it believes.
    Offline,
    /// There is a network, it believes.
    Online,
    /// The page is visible.
    Visible,
}

/// How a stalled connection ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub enum Ending {
    /// What was on its way arrives, late.
    Resumes,
    /// It is reset on both sides.
    Resets,
    /// What was on its way is lost, and nobody is ever told.
    Dies,
}

/// Something that somebody does, or that goes wrong. `ms` is how long it lasts, in virtual
/// milliseconds.
#[allow(missing_docs, reason = "each field is one of the words above")]
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub enum Action {
    /// A user sends a message.
    Send {
        tab: TabNo,
        thread: ThreadNo,
        size: Size,
        key: Key,
    },
    /// A user takes one of their waiting messages back.
    Discard { tab: TabNo, which: u32 },
    /// A user tries their failed messages again.
    Retry { tab: TabNo },
    /// A user scrolls up.
    LoadOlder { tab: TabNo, thread: ThreadNo },
    /// A user opens a thread.
    Open { tab: TabNo, thread: ThreadNo },
    /// A user closes a thread.
    Close { tab: TabNo, thread: ThreadNo },
    /// A user writes, or stops.
    Type {
        tab: TabNo,
        thread: ThreadNo,
        is_typing: bool,
    },
    /// The application shows the list of threads.
    WatchInbox { tab: TabNo },
    /// The application connects.
    Connect { tab: TabNo },
    /// The application disconnects.
    Disconnect { tab: TabNo },
    /// The user logs out.
    Logout { tab: TabNo },
    /// Another user takes over the page, or gives it back. Nobody logs out.
    SwitchUser { tab: TabNo },

    /// The backend edits a message for its sender.
    Edit { thread: ThreadNo, which: u32 },
    /// The backend deletes a message for its sender.
    Delete { thread: ThreadNo, which: u32 },
    /// The backend removes a participant; `0` is the one who is in both threads.
    Remove { thread: ThreadNo, who: u32 },
    /// The backend stores many messages at once.
    Import { thread: ThreadNo, count: u32 },

    /// A tab is opened, if it is closed.
    OpenTab { tab: TabNo },
    /// A tab is closed properly.
    CloseTab { tab: TabNo },
    /// A page is loaded anew.
    Reload { tab: TabNo },
    /// A tab crashes.
    Crash { tab: TabNo },
    /// A tab crashes after it has done so many more things.
    CrashAfter { tab: TabNo, effects: u32 },
    /// A page is frozen, or its device sleeps.
    Sleep {
        tab: TabNo,
        ms: u64,
        /// The monotonic clock stands still meanwhile.
        clock_stops: bool,
        /// Overdue timers fire before what arrived is read.
        timers_first: bool,
    },
    /// A hidden page's timers fire once a minute.
    Throttle { tab: TabNo, ms: u64 },
    /// The device's wall clock jumps.
    WallJump { tab: TabNo, ms: i64 },
    /// The browser tells something.
    Tell { tab: TabNo, hint: Hint },
    /// The device loses power.
    PowerLoss { device: DeviceNo },

    /// The next writes find no room.
    Quota { device: DeviceNo, writes: u32 },
    /// The next writes are aborted.
    AbortWrites { device: DeviceNo, writes: u32 },
    /// The open pages lose their connection to the database.
    CloseDatabase { device: DeviceNo },
    /// The database is slow.
    SlowStorage {
        device: DeviceNo,
        each_ms: u64,
        ms: u64,
    },
    /// The stored messages cannot be read any more.
    Damage { device: DeviceNo },
    /// The browser throws the database away.
    Evict { device: DeviceNo },

    /// There is no network.
    Cut { tab: TabNo, ms: u64 },
    /// A connection stalls, in one direction or both.
    Stall {
        tab: TabNo,
        up: bool,
        down: bool,
        ms: u64,
        ending: Ending,
    },
    /// A proxy ends the connection.
    HangUp { tab: TabNo, code: u16 },
    /// A proxy cuts the connection in the middle of a frame.
    Truncate { tab: TabNo },
    /// Every connection is ended soon after it was welcomed.
    Flap { tab: TabNo, ms: u64 },
    /// Something else answers instead of the gateway.
    Portal { tab: TabNo, ms: u64 },
    /// A proxy cuts the connection, and lets no WebSocket through.
    RefuseUpgrades { tab: TabNo, ms: u64 },
    /// A proxy lets each WebSocket open, and cuts it soon.
    CutSockets { tab: TabNo, ms: u64 },
    /// Something on the way refuses every other request that says a frame.
    RefuseRequests { tab: TabNo, ms: u64 },
    /// The network is slow.
    Lag { tab: TabNo, usual_ms: u64, ms: u64 },

    /// The application has no token.
    NoToken { tab: TabNo, ms: u64 },
    /// The application's token server does not answer in time.
    SlowToken { tab: TabNo, ms: u64 },
    /// The application brings another user's token, and does not know it.
    WrongToken { tab: TabNo, ms: u64 },
    /// The application brings another user's token, which says so.
    OthersToken { tab: TabNo, ms: u64 },
    /// The application's token function never answers.
    HangingToken { tab: TabNo, ms: u64 },
    /// The application brings the token that it brought last, whether it has ended or not.
    SameToken { tab: TabNo, ms: u64 },

    /// The gateway is killed, and started again later.
    Kill { down_ms: u64 },
    /// The gateway is killed after it has done so many more things.
    KillAfter { effects: u32, down_ms: u64 },
    /// The gateway is stopped properly, and started again later.
    Drain { down_ms: u64 },
    /// The gateway knows no key that tokens are signed with.
    RefuseTokens { ms: u64 },
    /// The gateway's process stands still.
    Pause { ms: u64 },
    /// The database is restored from a backup that lacks the newest batches.
    Restore { batches: u32 },
    /// The next commits find the store busy.
    StoreBusy { commits: u32 },
    /// The fate of the next commit is unknown.
    StoreUnknown { is_stored: bool },
    /// The next reads fail.
    ReadsFail { reads: u32 },
    /// The store is slow.
    SlowStore { each_ms: u64, ms: u64 },

    /// Others store messages, past the gateway.
    OthersSend { thread: ThreadNo, count: u32 },
    /// Others edit or delete a message, past the gateway.
    OthersChange {
        thread: ThreadNo,
        which: u32,
        is_deleted: bool,
    },
    /// Others remove a participant, past the gateway.
    OthersRemove { thread: ThreadNo, who: u32 },
    /// The backend, or others past the gateway, let a participant in again.
    Admit {
        thread: ThreadNo,
        who: u32,
        by_others: bool,
    },
    /// The gateway is told nothing of what others write, and knows it.
    Deafen { ms: u64 },
    /// The gateway is not told of the next changes of others, and does not know it.
    LoseNews { changes: u32 },
    /// A transaction of others holds a thread.
    Hold { thread: ThreadNo, ms: u64 },

    /// Gateways do not reach each other, and know it. Who is where may be forgotten meanwhile.
    Part { ms: u64, is_forgotten: bool },
    /// The next news between gateways are lost, and nobody knows it.
    LoseWords { count: u32 },
}

impl Action {
    /// From now on nothing reaches a tab, and nobody tells it.
    #[must_use]
    pub fn goes_deaf(tab: TabNo) -> Self {
        Self::Stall {
            tab,
            up: false,
            down: true,
            ms: 1,
            ending: Ending::Dies,
        }
    }

    /// Returns the name of its kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Send {
                key: Key::Fresh, ..
            } => "send",
            Self::Send {
                key: Key::Stolen, ..
            } => "send with a stolen key",
            Self::Send {
                key: Key::Copied, ..
            } => "send a copy",
            Self::Send {
                key: Key::Clashing, ..
            } => "send with a clashing key",
            Self::Discard { .. } => "discard",
            Self::Retry { .. } => "retry",
            Self::LoadOlder { .. } => "load older",
            Self::Open { .. } => "open a thread",
            Self::Close { .. } => "close a thread",
            Self::Type { .. } => "type",
            Self::WatchInbox { .. } => "watch the inbox",
            Self::Connect { .. } => "connect",
            Self::Disconnect { .. } => "disconnect",
            Self::Logout { .. } => "log out",
            Self::SwitchUser { .. } => "switch user",
            Self::Edit { .. } => "edit",
            Self::Delete { .. } => "delete",
            Self::Remove { .. } => "remove a participant",
            Self::Import { .. } => "import many messages",
            Self::OpenTab { .. } => "open a tab",
            Self::CloseTab { .. } => "close a tab",
            Self::Reload { .. } => "reload",
            Self::Crash { .. } => "crash",
            Self::CrashAfter { .. } => "crash after an effect",
            Self::Sleep {
                clock_stops: true, ..
            } => "sleep, the clock stops",
            Self::Sleep {
                timers_first: true, ..
            } => "sleep, timers first",
            Self::Sleep { .. } => "sleep, inputs first",
            Self::Throttle { .. } => "throttled timers",
            Self::WallJump { .. } => "wall clock jump",
            Self::Tell { .. } => "lifecycle hint",
            Self::PowerLoss { .. } => "power loss",
            Self::Quota { .. } => "quota",
            Self::AbortWrites { .. } => "aborted writes",
            Self::CloseDatabase { .. } => "database closed",
            Self::SlowStorage { .. } => "slow storage",
            Self::Damage { .. } => "damaged rows",
            Self::Evict { .. } => "storage evicted",
            Self::Cut { .. } => "no network",
            Self::Stall {
                ending: Ending::Resumes,
                ..
            } => "stall, then resume",
            Self::Stall {
                ending: Ending::Resets,
                ..
            } => "stall, then reset",
            Self::Stall {
                ending: Ending::Dies,
                ..
            } => "half-open connection",
            Self::HangUp { .. } => "closed by a proxy",
            Self::Truncate { .. } => "cut in a frame",
            Self::Flap { .. } => "flapping network",
            Self::Portal { .. } => "captive portal",
            Self::RefuseUpgrades { .. } => "no WebSocket passes",
            Self::CutSockets { .. } => "WebSockets are cut soon",
            Self::RefuseRequests { .. } => "requests are refused",
            Self::Lag { .. } => "slow network",
            Self::NoToken { .. } => "no token",
            Self::SlowToken { .. } => "slow token",
            Self::WrongToken { .. } => "another user's token",
            Self::OthersToken { .. } => "another user's token, readable",
            Self::HangingToken { .. } => "hanging token",
            Self::SameToken { .. } => "same token again",
            Self::RefuseTokens { .. } => "tokens refused",
            Self::Kill { .. } => "gateway killed",
            Self::KillAfter { .. } => "gateway killed after an effect",
            Self::Drain { .. } => "gateway drained",
            Self::Pause { .. } => "gateway paused",
            Self::Restore { .. } => "restored from a backup",
            Self::StoreBusy { .. } => "store busy",
            Self::StoreUnknown { is_stored: true } => "commit unknown, stored",
            Self::StoreUnknown { is_stored: false } => "commit unknown, not stored",
            Self::ReadsFail { .. } => "reads fail",
            Self::SlowStore { .. } => "slow store",
            Self::OthersSend { .. } => "others send",
            Self::OthersChange { .. } => "others edit or delete",
            Self::OthersRemove { .. } => "others remove a participant",
            Self::Admit { .. } => "let a participant in again",
            Self::Deafen { .. } => "news of others end",
            Self::LoseNews { .. } => "news of others are lost",
            Self::Hold { .. } => "a thread is locked by others",
            Self::Part {
                is_forgotten: true, ..
            } => "gateways parted, leases forgotten",
            Self::Part { .. } => "gateways parted",
            Self::LoseWords { .. } => "news of gateways are lost",
        }
    }
}
