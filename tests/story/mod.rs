//! The people and places of the story: browsers without a browser, in one process, under a virtual
//! clock. Engine and storage rules are the real ones.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod browser;
pub(crate) mod screen;
pub(crate) mod storage;
pub(crate) mod world;

use rejoinder_protocol::ThreadId;

pub(crate) fn thread() -> ThreadId {
    "alice|bob".parse().unwrap()
}
