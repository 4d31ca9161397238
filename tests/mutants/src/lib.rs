//! Bugs that can be switched on in the client and the gateway, to see the simulation find them.
//!
//! A mutant is one line in the code under test, behind the cargo feature `mutants`:
//!
//! ```ignore
//! #[cfg(feature = "mutants")]
//! let skip_failed = skip_failed || rejoinder_mutants::planted!(SkipOnFailure);
//! ```
//!
//! Without the feature nothing of it is compiled; with it, nothing happens until [`plant`] is
//! called, and then only on the thread that called it.

use std::cell::Cell;

macro_rules! mutants {
    ($($(#[doc = $sentence:literal])+ $name:ident,)+) => {
        /// A bug that can be switched on.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Mutant {
            $($(#[doc = $sentence])+ $name,)+
        }

        impl Mutant {
            /// Every mutant.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Returns what is wrong with the code while this mutant is planted.
            #[must_use]
            pub fn sentence(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($sentence,)+).trim_ascii(),)+
                }
            }
        }
    };
}

mutants! {
    /// The gateway answers a batch of several commands as stored, and rolls it back.
    AckBeforeCommit,
    /// A key is looked up without its sender: one user can take another's.
    KeyWithoutSender,
    /// A key is forgotten after twenty seconds.
    KeyWindow,
    /// A duplicate takes the next revision, and burns it.
    DuplicateBurnsRevision,
    /// A duplicate is answered with the time of its own arrival.
    DuplicateNewTime,
    /// An edit keeps the revision of what it changes.
    EditKeepsRevision,
    /// A deleted message is deleted from the table, too.
    HardDelete,
    /// An edit forgets the key of its message.
    EditTouchesKey,
    /// The head is believed as a read found it, though something was published meanwhile.
    StaleHeadBelieved,
    /// A change that finds no place in a slow client's queue is dropped.
    OverflowDropsSilently,
    /// A commit of unknown fate is forgotten: nobody looks again.
    UnknownFateForgotten,
    /// A thread whose lock was waited for gets no second turn.
    PatientTurnLost,
    /// What others write is looked at only when somebody says so.
    PollForgotten,
    /// A read that began before somebody else's change is believed after it.
    EarlierReadBelieved,
    /// What another gateway tells of another history of the database is told on.
    NewsOfAnotherHistory,
    /// A request that is meant for another history of the database is taken.
    PostOfAnotherHistoryTaken,
    /// A request of one frame that ends is counted as a connection that ends.
    PostEndsPresence,
    /// A user may have any number of connections.
    ConnectionsUncounted,
    /// A gateway holds its users' leases once, and never renews them.
    LeaseNotRenewed,
    /// What a gateway has missed of others it does not look for.
    PeersNotPolled,
    /// Who takes part is believed of what is older than what was told since.
    OldNewsBelieved,
    /// A refusal that was read before its user was let in is told after it.
    StaleRefusalBelieved,
    /// Whoever comes to a thread is not shown to those who watch it.
    NewcomerUnshown,
    /// Whoever left a thread still takes part in it.
    MembershipForEver,
    /// A page says that it reaches the head, though it was cut.
    CutPageSaysComplete,
    /// The gateway continues a cursor of another history.
    EpochIgnored,
    /// The first connection of a user that ends makes the user offline.
    PresenceWithoutCount,
    /// An expired token keeps working on a connection that is open.
    TokenNeverExpires,
    /// A token of another user makes a connection theirs.
    SessionChangesUser,
    /// The stored cursor advances, the rows do not.
    CursorWithoutRows,
    /// A write over what another tab changed is not refused.
    WriteNeverRefused,
    /// A stored reset empties the outbox.
    ResetWipesOutbox,
    /// A message that may have been sent is discarded as if it never was.
    DiscardForgetsAttempt,
    /// A tab that writes a row does not hear of those written before.
    EarlierRowsUnseen,
    /// A change above the next one is applied, and the cursor jumps to it.
    CursorJumpsHole,
    /// Nothing follows from a refused write.
    RefusalIgnored,
    /// What passed while a thread was read anew is not asked for.
    ReloadWithoutSync,
    /// Older messages are taken though a change passed them on their way.
    HistoryBelieved,
    /// What is stored of a thread stays when its user is removed.
    RemovedKeepsRows,
    /// A message is sent again under another key.
    ResendNewKey,
    /// A failed message does not hold those after it.
    SkipOnFailure,
    /// "Busy" counts as refused for good.
    BusyIsPermanent,
    /// The stored row goes as soon as its message is sent.
    RowDeletedAtSend,
    /// The optimistic message goes with its acknowledgement, before its change has come.
    RowDroppedAtAck,
    /// A message leaves before its row is stored.
    SentBeforeStored,
    /// A row whose message is in the log is shown beside it.
    ShownTwice,
    /// The outbox is read only once.
    OutboxReadOnce,
    /// Pending messages are in the order of the device's clock.
    OrderByClock,
    /// Whoever the gateway takes us for, we go on.
    OwnerUnchecked,
    /// What came from an older socket is believed.
    StaleAttemptBelieved,
    /// A token that was asked for an older attempt is taken.
    StaleTokenBelieved,
    /// A token is never replaced before it ends.
    RefreshNever,
    /// A token function that brings nothing newer is asked again at once.
    RefreshInLoop,
    /// A token of another user is given for the connection that lives.
    OthersTokenSent,
    /// A refused token is the end: the application is not asked for another one.
    RefusedNotAskedAnew,
    /// Who must sign in again loses what waits.
    AuthRequiredDropsQueue,
    /// What was on its way when another connection took over is not sent again.
    TakeOverForgetsFlights,
    /// A stream that should be told something is not followed by another.
    StreamNeverFollowed,
    /// A connection ends because another beside it cannot be had for now.
    SuccessorMustBeHad,
    /// A connection without a socket ends with the first request that is refused.
    RefusalEndsStream,
    /// A list of threads that is refused for now is not asked for again.
    InboxAskedOnce,
    /// A WebSocket counts as one that works as soon as it is welcomed.
    WelcomeProvesSocket,
    /// A timer that fires late is believed at once.
    LateTimerBelieved,
    /// A welcome is enough for the delays to begin anew.
    BackoffForgetsEarly,
    /// What the gateway asked us to wait is not waited.
    RetryAfterIgnored,
    /// Somebody who began to write writes until they say otherwise.
    TypingWithoutLease,
}

thread_local! {
    static PLANTED: Cell<Option<Mutant>> = const { Cell::new(None) };
}

/// Switches a bug on for this thread, and every other one off.
pub fn plant(mutant: Option<Mutant>) {
    PLANTED.set(mutant);
}

/// Returns whether a bug is switched on, by its name.
#[macro_export]
macro_rules! planted {
    ($name:ident) => {
        $crate::is_planted($crate::Mutant::$name)
    };
}

/// Returns whether a bug is switched on.
#[must_use]
pub fn is_planted(mutant: Mutant) -> bool {
    PLANTED.get() == Some(mutant)
}
