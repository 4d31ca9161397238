//! Random choices that a seed decides, in streams that do not disturb each other.

use fastrand::Rng;

/// Makes the stream of one part of the world. What another part draws changes nothing here, so a
/// schedule with one step less mostly stays the schedule that it was.
pub fn stream(seed: u64, name: &str, index: u64) -> Rng {
    let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
    for word in name.bytes().map(u64::from).chain([index]) {
        state = (state ^ word).wrapping_mul(0x0100_0000_01b3);
        state ^= state >> 29;
    }
    Rng::with_seed(state)
}

/// How long something takes, in virtual milliseconds.
///
/// Mostly next to nothing, sometimes up to `usual_ms`, rarely ten times that: what is rare is what
/// orders events as nobody expected.
pub fn delay(rng: &mut Rng, usual_ms: u64) -> u64 {
    match rng.u8(0..20) {
        0..=11 => rng.u64(0..=usual_ms.min(3)),
        12..=18 => rng.u64(0..=usual_ms),
        _ => rng.u64(0..=usual_ms * 10),
    }
}

/// Returns one of these, of which there must be some.
pub fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(0..from.len())]
}
