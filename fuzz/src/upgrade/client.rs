//! What a stranger sends, and what must be true of the answer.

use rejoinder_protocol::decode_server_frame;

use super::Sent;
use crate::choices::Choices;

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
const HELLO: &str = r#"{"type":"hello","protocol_version":1,"token":"dev:alice"}"#;
const LINES: [&str; 14] = [
    "host: localhost",
    "Host: 127.0.0.1:1",
    "host: evil.example",
    "connection: upgrade",
    "connection: keep-alive, Upgrade",
    "connection: close",
    "upgrade: websocket",
    "sec-websocket-version: 13",
    "sec-websocket-version: 12",
    "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
    "sec-websocket-protocol: a, b",
    "transfer-encoding: chunked",
    "content-length: 5",
    "authorization: Bearer dev:alice",
];
const PATHS: [&str; 8] = [
    "/ws",
    "/healthz",
    "/v1/threads",
    "/v1/threads/alice%7Cbob",
    "/v1/threads/alice%7Cbob/messages?limit=9",
    "/%2e%2e/ws",
    "//ws",
    "*",
];

/// Makes what a stranger sends.
pub(super) fn send(choices: &mut Choices<'_>) -> Sent {
    match choices.below(4) {
        0 => Sent {
            parts: vec![choices.bytes(4_000).to_vec(), choices.bytes(400).to_vec()],
            is_foreign: false,
        },
        1 => request(choices),
        _ => frames(choices),
    }
}

fn request(choices: &mut Choices<'_>) -> Sent {
    let method = choices.of(&["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PRI"]);
    let path = if choices.one_in(4) {
        line(choices, 60)
    } else {
        choices.of(&PATHS).to_owned()
    };
    let version = choices.of(&["HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0"]);
    let mut head = if choices.one_in(4) {
        UPGRADE.to_owned()
    } else {
        format!("{method} {path} {version}\r\n")
    };
    let is_foreign = choices.bool();
    let (count, at) = (choices.below(10), choices.below(4));
    for number in 0..=count {
        if is_foreign && number == at.min(count) {
            head.push_str("origin: https://evil.example\r\n");
        }
        let line = if choices.one_in(4) {
            line(choices, 100)
        } else {
            choices.of(&LINES).to_owned()
        };
        // An empty one would be the end.
        if !line.is_empty() {
            head.push_str(&line);
            head.push_str("\r\n");
        }
    }
    head.push_str("\r\n");
    // In the middle of a line, perhaps.
    let mut parts = vec![head.into_bytes()];
    let at = usize::try_from(choices.below(parts[0].len() as u64)).unwrap();
    if choices.bool() {
        let rest = parts[0].split_off(at);
        parts.push(rest);
    }
    parts.push(choices.bytes(300).to_vec());
    Sent { parts, is_foreign }
}

/// Text that ends no line.
fn line(choices: &mut Choices<'_>, most: u64) -> String {
    let mut text = choices.text(most);
    text.retain(|letter| letter != '\r' && letter != '\n');
    text
}

/// An upgrade, and what may be frames after it.
fn frames(choices: &mut Choices<'_>) -> Sent {
    let mut parts = vec![format!("{UPGRADE}\r\n").into_bytes()];
    if !choices.one_in(4) {
        let mut frame = Vec::new();
        push_frame(&mut frame, choices, 0x81, HELLO.as_bytes());
        parts.push(frame);
    }
    for _ in 0..choices.below(8) {
        let mut bytes = Vec::new();
        match choices.below(8) {
            0 => bytes.extend(choices.bytes(200)),
            1 | 2 => {
                // Pings, continuations, the end, what is reserved.
                let heads = [0x81, 0x82, 0x01, 0x00, 0x80, 0x88, 0x89, 0x8a, 0xc1, 0x83];
                let head = choices.of(&heads);
                let payload = choices.bytes(200);
                push_frame(&mut bytes, choices, head, payload);
            }
            _ => {
                let text = choices.of(&[
                    r#"{"type":"subscribe","thread_id":"alice|bob"}"#,
                    r#"{"type":"send","thread_id":"alice|bob","client_msg_id":"00000000-0000-7000-8000-000000000001","body":"x"}"#,
                    r#"{"type":"inbox","limit":9}"#,
                    r#"{"type":"ping"}"#,
                    "no frame",
                ]);
                push_frame(&mut bytes, choices, 0x81, text.as_bytes());
            }
        }
        parts.push(bytes);
    }
    Sent {
        parts,
        is_foreign: false,
    }
}

/// A WebSocket frame as clients write it, mostly.
fn push_frame(bytes: &mut Vec<u8>, choices: &mut Choices<'_>, head: u8, payload: &[u8]) {
    let masked = if choices.one_in(16) { 0 } else { 0x80 };
    bytes.push(head);
    let length = payload.len();
    match choices.below(16) {
        0 => {
            bytes.push(masked | 127);
            let length = choices.of(&[length as u64, 1 << 62, u64::MAX, 1 << 17, (1 << 17) + 1]);
            bytes.extend(length.to_be_bytes());
        }
        _ if length < 126 => bytes.push(masked | u8::try_from(length).unwrap()),
        _ => {
            bytes.push(masked | 126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    // A mask of zeros leaves the payload as it is.
    if masked != 0 {
        bytes.extend([0; 4]);
    }
    bytes.extend(payload);
}

/// What must be true of the answer.
pub(super) fn check(sent: &Sent, answer: &[u8]) {
    if answer.is_empty() {
        return;
    }
    let words = || {
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        format!("{:?} to {:?}", shown(answer), shown(&sent.parts.concat()))
    };
    let status = answer
        .strip_prefix(b"HTTP/1.1 ")
        .or(answer.strip_prefix(b"HTTP/1.0 "));
    let status = status.and_then(|rest| std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok());
    let status: u16 = status.unwrap_or_else(|| panic!("no HTTP: {}", words()));
    assert!(status < 500 || status == 501, "{}", words());
    if sent.is_foreign
        && !sent
            .parts
            .concat()
            .windows(8)
            .any(|part| part == b"/healthz")
    {
        // Whoever it is: no upgrade, and nothing to read.
        assert!(status >= 400, "{}", words());
    }
    if status == 101 {
        let end = answer.windows(4).position(|part| part == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no end of the head: {}", words())) + 4;
        check_frames(&answer[end..], &words);
    }
}

/// A gateway's WebSocket frames are whole, unmasked and short enough; texts are the protocol's.
fn check_frames(mut bytes: &[u8], words: &dyn Fn() -> String) {
    while let [head, length, rest @ ..] = bytes {
        let (length, rest) = match (length, rest) {
            (126, [a, b, rest @ ..]) => (usize::from(u16::from_be_bytes([*a, *b])), rest),
            (127, [0, 0, 0, 0, a, b, c, d, rest @ ..]) => {
                let length = u32::from_be_bytes([*a, *b, *c, *d]);
                (usize::try_from(length).unwrap(), rest)
            }
            (0..126, rest) => (usize::from(*length), rest),
            _ => panic!("no frame: {}", words()),
        };
        // The end may be missing: it hung up while somebody sent what it does not take.
        let Some(payload) = rest.get(..length) else {
            return;
        };
        bytes = &rest[length..];
        match head {
            0x81 => {
                let text = std::str::from_utf8(payload);
                let text = text.unwrap_or_else(|_| panic!("no text: {}", words()));
                assert!(decode_server_frame(text).is_ok(), "{}", words());
            }
            0x88 => assert!(length < 126 && bytes.is_empty(), "{}", words()),
            0x8a => assert!(length < 126, "{}", words()),
            _ => panic!("no frame of ours: {}", words()),
        }
    }
}
