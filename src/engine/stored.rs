//! What is kept in the browser, and what a transaction decides about it.
//!
//! Everything here is pure: the browser adapter and the simulation's storage both read what
//! [`needs`] names, call [`decide`], and write what it returns, all in one transaction. So every
//! rule about what may overwrite what exists once.
//!
//! | store | key | value |
//! |---|---|---|
//! | `outbox` | auto-increment = order of sending | [`EntryRecord`] |
//! | `cursors` | thread | [`CursorRecord`] |
//! | `buckets` | thread, [`bucket_of`] | messages |
//! | `participants` | thread | participants |
//!
//! Values are bytes: the address of a message follows from its number, so no index is needed.

mod decide;
mod entries;
mod load;
mod record;
mod write;

pub use decide::{decide, needs};
pub use load::{ThreadLoad, buckets_to_load, load_outbox, load_thread};
pub use record::{BUCKET_ROWS, CursorRecord, EntryRecord, OrderNumber, bucket_of};
pub use write::{Advance, Answer, Changes, Found, History, Needs, Refused, Reset, Write};
