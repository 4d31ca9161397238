//! What must hold, whatever happens.

use std::fmt;

macro_rules! invariants {
    ($($(#[doc = $sentence:literal])+ $name:ident $label:literal,)+) => {
        /// Something that must hold, whatever happens.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Invariant {
            $($(#[doc = $sentence])+ $name,)+
        }

        impl Invariant {
            /// Every invariant.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Returns its number: S for the gateway, C for the client, L for liveness.
            #[must_use]
            pub fn label(self) -> &'static str {
                match self {
                    $(Self::$name => $label,)+
                }
            }

            /// Returns what it says.
            #[must_use]
            pub fn sentence(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($sentence,)+).trim_ascii(),)+
                }
            }
        }
    };
}

invariants! {
    /// For every thread, sender and key at most one message ever exists.
    OneMessagePerKey "S1",
    /// The places of a thread's messages are exactly 1..n, its revisions exactly 1..k.
    DenseNumbers "S2",
    /// A page, reset or history is exactly what the store's history says at its head: no change
    /// appears below one that was read before.
    ReadsAreWhole "S3",
    /// Every ack names a committed message of that sender and key; all acks of a key are equal.
    AcksAreTrue "S4",
    /// What was acknowledged is in the store after every crash.
    AckedIsStored "S5",
    /// The same key with another payload is refused, and nothing else is refused so.
    ConflictsAreTrue "S6",
    /// A message's sender is the user of the connection that brought it.
    SenderIsUser "S7",
    /// Nothing is committed for somebody who does not take part at that commit.
    OnlyMembersWrite "S8",
    /// Nothing that happened after a removal is told to whoever was removed.
    OnlyMembersRead "S9",
    /// The changes told to a subscription rise by one, and no page leaves one out, unless a reset
    /// comes before.
    ToldWithoutHole "S10",
    /// A page holds at most 200 changes and 256 KiB and moves on, unless one object is longer.
    PagesAreBounded "S12",
    /// Nothing is done for a token later than 30 s after its end.
    ExpiryEnds "S13",
    /// When all is quiet, a partner is shown online exactly if one of their devices is connected.
    PresenceIsTrue "S14",
    /// When all is quiet, nobody is shown writing.
    TypingEnds "S15",
    /// Nobody has more connections at one gateway than a user may have.
    ConnectionsAreBounded "S17",
    /// A message that `sendMessage` called safe is committed in the end, or shown as failed, or the
    /// user took it back.
    SafeIsSafe "C1",
    /// A message is shown at most once.
    ShownOnce "C2",
    /// What one device sent to a thread is committed in the order of sending.
    OrderOfSending "C3",
    /// When all is quiet, every open tab shows exactly what the store holds.
    Convergence "C4",
    /// What is stored in the browser has no hole up to its cursor, and no row older than that.
    StoredIsWhole "C5",
    /// Messages are shown without a hole, or the hole is shown.
    HolesAreShown "C6",
    /// A message that waits is shown until it is confirmed or its user takes it back.
    PendingStays "C7",
    /// Nothing of one user leaves on a connection of another.
    NothingToStrangers "C8",
    /// A row of the outbox goes only once its message is committed, or its user took it back.
    RowsStay "C9",
    /// Attempts are at least 100 ms apart, at most 15 in a minute, and never before the time that
    /// the gateway asked for.
    PoliteAttempts "C10",
    /// Nothing panics.
    NoPanic "C12",
    /// The same seed gives the same trace.
    SameSeedSameTrace "C13",
    /// After `logout` nothing of the user is stored.
    LogoutForgets "C14",
    /// `sendMessage` is answered exactly once, and "disk" means that the row is there.
    AnsweredOnce "C16",
    /// What a discard says of a message is true for ever.
    DiscardsAreTrue "C17",
    /// A message is announced at most once per page.
    AnnouncedOnce "C18",
    /// A timer that fires late gives up no connection whose words wait to be read.
    HeardBeforeJudged "C19",
    /// A message is shown as failed only for a reason that trying again cannot mend.
    FailuresAreFinal "C21",
    /// When all is quiet, what is stored is as new as what is shown.
    CacheFollows "C22",
    /// A page closes its connection before it tries to make another.
    OneConnection "C23",
    /// A device that heard that its user was removed from a thread stores nothing of it.
    RemovedForgets "C24",
    /// `auth-required` is shown only after two tokens in a row were refused.
    AskedAnew "C25",
    /// A connection whose application brings newer tokens is not closed because its token has ended.
    TokensAreReplaced "C26",
    /// On one connection the application is asked for a token at most every ten seconds.
    PoliteRefresh "C27",
    /// A token that was asked for an older attempt changes nothing.
    LateTokensDropped "C28",
    /// A connection that lives is not given up because something beside it failed for now.
    LivingStays "C29",
    /// Where something cuts each WebSocket soon, a page goes on by a stream.
    StreamsWhereSocketsDie "C30",
    /// What was on its way when another connection takes over is sent again on that at once.
    FlightsGoOn "C31",
    /// A minute and a half after the last fault everybody is connected.
    EverybodyConnects "L1",
    /// Whoever is not where they want to be waits for something.
    SomethingIsAwaited "L2",
    /// Some minutes after the last fault nothing waits, and no thread holds up another.
    NothingWaits "L3",
}

/// An invariant that did not hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// When, in virtual milliseconds.
    pub at: u64,
    /// What happened instead.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = self.invariant.label();
        write!(
            f,
            "{label} {:?} at {} ms: {}\n    {}",
            self.invariant,
            self.at,
            self.detail,
            self.invariant.sentence()
        )
    }
}

/// What is not checked or not played here, with the reason or the place where it is.
pub const LEFT_OUT: &[(&str, &str)] = &[
    (
        "S11: outbound memory is bounded",
        "the queues are private; unit tests of server/src/core/outbound.rs",
    ),
    (
        "S16: one connection's bad frame or panic harms no other",
        "server/src/core/gateway/tests.rs and the panic test of the shell",
    ),
    (
        "C11: jumps of the wall clock change nothing",
        "no check of its own: jumps are a fault, and every other invariant holds under them",
    ),
    (
        "C15: deltas over the first snapshot give the current one",
        "no check of its own: the screen is nothing but deltas, and C4 compares it with the store",
    ),
    (
        "C12: a step takes a millisecond at most; C13: native equals WebAssembly",
        "no test asserts a time; the engine has no code that differs on wasm32",
    ),
    (
        "a device whose storage fails in one tab while another discards",
        "the first may send what the second discarded, for nobody can tell it; see docs/simulation.md",
    ),
    (
        "rows that cannot be read, a newer schema, a blocked upgrade",
        "tests/engine/storing.rs and the browser tests: real IndexedDB",
    ),
    (
        "the SQL of PostgreSQL, and the triggers that number what others write",
        "server/src/store/contract.rs and the tests of server/src/store/postgres, on a real server; here others write by the same plan",
    ),
    (
        "Redis itself: its stream, its scripts, its failures",
        "server/src/bus/tests.rs and server/tests/several_gateways.rs, on a real server; here news \
         and leases are played",
    ),
    (
        "leader and follower tabs",
        "not built yet; they join with their faults, invariants and mutants",
    ),
    (
        "HTTP itself: heads, statuses, events that are cut",
        "server/tests/streams.rs, tests/browser/streams.rs and src/event_stream.rs",
    ),
];
