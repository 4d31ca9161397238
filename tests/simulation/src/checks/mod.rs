//! The invariants, checked where what they speak of happens.

pub mod client;
pub mod disk;
pub mod flights;
mod frames;
pub mod quiet;
pub mod tokens;
pub mod ways;
pub mod wire;
