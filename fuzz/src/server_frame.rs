//! Text that a gateway sent, as the client reads it.

use rejoinder_protocol::{decode_server_frame, encode};

/// Reads a text as a gateway's frame, and what is written for it again.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(frame) = decode_server_frame(text) {
        let written = encode(&frame);
        assert_eq!(decode_server_frame(&written).as_ref(), Ok(&frame), "{text}");
    }
}
