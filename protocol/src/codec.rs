//! Text to frame and back. The only place that knows the wire is JSON.

use serde::{Deserialize, Serialize};

use crate::{
    ClientFrame, ClientFrameType, ClientMsgId, ErrorCode, ErrorRef, JSON_DEPTH_MAX,
    SERVER_FRAME_BYTES_MAX, ServerFrame, StreamHello, ThreadId,
};

/// Encodes a frame or a part of one.
#[must_use]
pub fn encode<T: Serialize>(value: &T) -> String {
    // Our types have string keys only and no failing serialiser, so this cannot fail; an empty
    // text would be refused by any receiver.
    serde_json::to_string(value).unwrap_or_default()
}

/// A client's frame that could not be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{kind:?}")]
pub struct DecodeError {
    /// What is wrong.
    pub kind: DecodeErrorKind,
    /// Which frame it was, as far as it could be read.
    pub reference: Option<ErrorRef>,
}

/// What is wrong with a client's frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DecodeErrorKind {
    /// Not JSON, nested deeper than [`JSON_DEPTH_MAX`], or without one `type`.
    BadJson,
    /// A field is missing or out of its range.
    Invalid,
    /// No frame has this type.
    UnknownType,
}

impl DecodeErrorKind {
    /// Returns the code that the gateway answers with.
    #[must_use]
    pub fn code(self) -> ErrorCode {
        match self {
            Self::BadJson => ErrorCode::BadJson,
            Self::Invalid => ErrorCode::Invalid,
            Self::UnknownType => ErrorCode::UnknownType,
        }
    }
}

/// What an answer needs even if the frame as a whole makes no sense.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    frame_type: ClientFrameType,
    #[serde(default)]
    thread_id: Option<serde_json::Value>,
    #[serde(default)]
    client_msg_id: Option<serde_json::Value>,
}

impl Envelope {
    fn reference(self) -> ErrorRef {
        let thread_id = self.thread_id.as_ref().and_then(|value| value.as_str());
        let client_msg_id = self.client_msg_id.as_ref().and_then(|value| value.as_str());
        ErrorRef {
            frame_type: self.frame_type,
            thread_id: thread_id.and_then(|text| text.parse::<ThreadId>().ok()),
            client_msg_id: client_msg_id.and_then(|text| text.parse::<ClientMsgId>().ok()),
        }
    }
}

/// Reads a client's frame.
///
/// # Errors
///
/// [`DecodeError`] with as much of the frame's identity as could be read, for the answer.
pub fn decode_client_frame(text: &str) -> Result<ClientFrame, DecodeError> {
    let bad_json = DecodeError {
        kind: DecodeErrorKind::BadJson,
        reference: None,
    };
    if depth(text) > JSON_DEPTH_MAX {
        return Err(bad_json);
    }
    let Ok(envelope) = serde_json::from_str::<Envelope>(text) else {
        return Err(bad_json);
    };
    if envelope.frame_type == ClientFrameType::Unknown {
        let reference = Some(envelope.reference());
        return Err(DecodeError {
            kind: DecodeErrorKind::UnknownType,
            reference,
        });
    }
    serde_json::from_str(text).map_err(|error| DecodeError {
        // The envelope skips over what it does not need, for example a lone surrogate.
        kind: if error.is_data() {
            DecodeErrorKind::Invalid
        } else {
            DecodeErrorKind::BadJson
        },
        reference: Some(envelope.reference()),
    })
}

/// Reads the body of a request for a stream.
///
/// # Errors
///
/// [`DecodeErrorKind::Invalid`] for another frame or a missing field, else
/// [`DecodeErrorKind::BadJson`].
pub fn decode_stream_hello(text: &str) -> Result<StreamHello, DecodeErrorKind> {
    if depth(text) > JSON_DEPTH_MAX {
        return Err(DecodeErrorKind::BadJson);
    }
    let envelope: Envelope = serde_json::from_str(text).map_err(|_| DecodeErrorKind::BadJson)?;
    if envelope.frame_type != ClientFrameType::Hello {
        return Err(DecodeErrorKind::Invalid);
    }
    serde_json::from_str(text).map_err(|_| DecodeErrorKind::Invalid)
}

/// A text that is not a gateway's frame: whatever sent it does not speak this protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a frame of the protocol")]
pub struct ServerDecodeError;

/// Reads a gateway's frame. A type of a later version becomes [`ServerFrame::Unknown`].
///
/// # Errors
///
/// [`ServerDecodeError`] for what is too long, too deep, not JSON or lacks a field.
pub fn decode_server_frame(text: &str) -> Result<ServerFrame, ServerDecodeError> {
    if text.len() > SERVER_FRAME_BYTES_MAX || depth(text) > JSON_DEPTH_MAX {
        return Err(ServerDecodeError);
    }
    serde_json::from_str(text).map_err(|_| ServerDecodeError)
}

/// Returns how deep arrays and objects nest in a JSON text, without using the stack.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
