//! Text that a client sent, as the gateway reads it.

use rejoinder_protocol::{DecodeErrorKind, JSON_DEPTH_MAX, decode_client_frame, encode};
use serde::de::IgnoredAny;
use serde_json::Value;

/// Reads a text as a client's frame, and what is written for it again.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match decode_client_frame(text) {
        Ok(frame) => {
            let json = serde_json::from_str::<Value>(text).expect("a frame is JSON");
            assert!(depth(&json) <= JSON_DEPTH_MAX, "a frame this deep: {text}");
            let written = encode(&frame);
            assert_eq!(decode_client_frame(&written).as_ref(), Ok(&frame));
            let frame_type = serde_json::to_value(frame.frame_type()).unwrap();
            assert_eq!(json["type"], frame_type, "{text}");
        }
        Err(error) => {
            let is_bad = error.kind == DecodeErrorKind::BadJson;
            // By its grammar alone, which knows no surrogates.
            let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
            assert!(is_json || is_bad, "{error:?} about what is no JSON");
            // Without its type nobody could tell which frame the answer is about.
            assert!(is_bad || error.reference.is_some(), "{error:?}");
            assert!(!encode(&error.reference).is_empty());
        }
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}
