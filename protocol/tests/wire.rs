//! The wire form of every frame, held against `golden/*.json`, which authors of other clients read.
//!
//! After a deliberate change: `BLESS=1 cargo test -p rejoinder-protocol --test wire`, then read the
//! diff.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

mod frames;

use std::collections::BTreeSet;
use std::path::PathBuf;

use rejoinder_protocol::{
    ClientFrame, ClientFrameType, DecodeErrorKind, ErrorCode, Object, ServerFrame,
    decode_client_frame, decode_server_frame, encode,
};

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(format!("{name}.json"))
}

fn check(name: &str, encoded: &str) -> String {
    let pretty = |text: &str| {
        let value: serde_json::Value = serde_json::from_str(text).expect("frames are JSON");
        serde_json::to_string_pretty(&value).unwrap() + "\n"
    };
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(golden(name), pretty(encoded)).unwrap();
    }
    let stored = std::fs::read_to_string(golden(name)).expect("a golden file for every frame");
    assert_eq!(pretty(encoded), stored, "{name}: the wire form changed");
    stored
}

#[test]
fn every_client_frame_has_the_golden_form() {
    for (name, frame) in frames::client() {
        let stored = check(name, &encode(&frame));
        assert_eq!(decode_client_frame(&stored), Ok(frame), "{name}");
    }
}

#[test]
fn every_server_frame_has_the_golden_form() {
    for (name, frame) in frames::server() {
        let stored = check(name, &encode(&frame));
        assert_eq!(decode_server_frame(&stored), Ok(frame), "{name}");
    }
}

#[test]
fn no_frame_and_no_golden_file_is_forgotten() {
    let client: BTreeSet<String> = frames::client()
        .iter()
        .map(|(_, frame)| client_type(frame))
        .collect();
    assert_eq!(
        client.len(),
        12,
        "every client frame has an example: {client:?}"
    );
    let server: BTreeSet<String> = frames::server()
        .iter()
        .map(|(_, frame)| server_type(frame))
        .collect();
    assert_eq!(
        server.len(),
        18,
        "every server frame has an example: {server:?}"
    );

    let named: BTreeSet<PathBuf> = frames::client()
        .iter()
        .map(|(name, _)| golden(name))
        .chain(frames::server().iter().map(|(name, _)| golden(name)))
        .collect();
    let stored: BTreeSet<PathBuf> = std::fs::read_dir(golden("x").parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(named, stored);
}

fn client_type(frame: &ClientFrame) -> String {
    encode(&frame.frame_type())
}

fn server_type(frame: &ServerFrame) -> String {
    let value: serde_json::Value = serde_json::from_str(&encode(frame)).unwrap();
    value["type"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_not_a_frame_is_named() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let nested = format!(
        r#"{{"type":"send","x":{}1{}}}"#,
        "[".repeat(16),
        "]".repeat(16)
    );
    let bad_json = [
        "",
        "x",
        "{}",
        "[]",
        "null",
        "\u{feff}{\"type\":\"ping\"}",
        r#"{"type":"ping"}{}"#,
        r#"{"type":"ping","type":"hello"}"#,
        r#"{"type":7}"#,
        r#"{"type":"sync","revision":NaN}"#,
        &deep,
        &nested,
    ];
    for text in bad_json {
        let error = decode_client_frame(text).unwrap_err();
        assert_eq!(
            error.kind,
            DecodeErrorKind::BadJson,
            "{:?}",
            text.get(..60).unwrap_or(text)
        );
        assert_eq!(error.reference, None);
    }

    let surrogate = decode_client_frame(r#"{"type":"send","body":"\ud800"}"#).unwrap_err();
    assert_eq!(surrogate.kind, DecodeErrorKind::BadJson);
    assert_eq!(
        surrogate.reference.unwrap().frame_type,
        ClientFrameType::Send
    );

    let error = decode_client_frame(r#"{"type":"dance","thread_id":"t1"}"#).unwrap_err();
    assert_eq!(error.kind.code(), ErrorCode::UnknownType);
    assert_eq!(
        error.reference.unwrap().frame_type,
        ClientFrameType::Unknown
    );
}

#[test]
fn a_frame_with_a_bad_field_is_invalid_and_says_which_frame() {
    let id = "0198c0de-0000-7000-8000-000000000001";
    let invalid = [
        r#"{"type":"send"}"#.to_owned(),
        r#"{"type":"send","thread_id":"t1","client_msg_id":"","body":"x"}"#.to_owned(),
        r#"{"type":"send","thread_id":"t1","client_msg_id":"nope","body":"x"}"#.to_owned(),
        format!(r#"{{"type":"send","thread_id":"t1","client_msg_id":"{id}","body":7}}"#),
        format!(r#"{{"type":"send","thread_id":"../","client_msg_id":"{id}","body":"x"}}"#),
        format!(r#"{{"type":"send","thread_id":"a\u0000b","client_msg_id":"{id}","body":"x"}}"#),
        r#"{"type":"subscribe","thread_id":"t1","epoch":"e","revision":-1}"#.to_owned(),
        r#"{"type":"subscribe","thread_id":"t1","epoch":"e","revision":1.5}"#.to_owned(),
        r#"{"type":"subscribe","thread_id":"t1","epoch":"e","revision":9007199254740992}"#
            .to_owned(),
        r#"{"type":"subscribe","thread_id":"t1","epoch":"e","revision":"abc"}"#.to_owned(),
        r#"{"type":"subscribe","thread_id":"t1","revision":1}"#.to_owned(),
        r#"{"type":"hello","protocol_version":1}"#.to_owned(),
        r#"{"type":"history","thread_id":"t1","before_sequence_number":1,"limit":-1}"#.to_owned(),
    ];
    for text in invalid {
        let error = decode_client_frame(&text).unwrap_err();
        assert_eq!(error.kind, DecodeErrorKind::Invalid, "{text}");
        assert!(error.reference.is_some(), "{text}");
    }
    let text = format!(r#"{{"type":"send","thread_id":"t1","client_msg_id":"{id}"}}"#);
    let reference = decode_client_frame(&text).unwrap_err().reference.unwrap();
    assert_eq!(reference.frame_type, ClientFrameType::Send);
    assert_eq!(reference.thread_id.unwrap().as_str(), "t1");
    assert_eq!(reference.client_msg_id.unwrap().to_string(), id);
}

#[test]
fn later_versions_are_understood_as_far_as_possible() {
    let text = r#"{"type":"ping","added_later":true}"#;
    assert_eq!(decode_client_frame(text), Ok(ClientFrame::Ping));
    assert_eq!(decode_server_frame(text), Ok(ServerFrame::Ping));
    let text = r#"{"type":"invented_later","x":1}"#;
    assert_eq!(decode_server_frame(text), Ok(ServerFrame::Unknown));
    let text = r#"{"type":"change","thread_id":"t1","revision":7,"object":{"kind":"poll"}}"#;
    let Ok(ServerFrame::Change(change)) = decode_server_frame(text) else {
        panic!("an unknown kind is not an error");
    };
    assert_eq!(change.object, Object::Unknown);
    let text = r#"{"type":"error","code":"invented_later"}"#;
    let Ok(ServerFrame::Error(error)) = decode_server_frame(text) else {
        panic!("an unknown code is not an error");
    };
    assert!(!error.code.is_permanent());
}

#[test]
fn what_no_gateway_sends_is_refused() {
    let long = format!(r#"{{"type":"pong","x":"{}"}}"#, "x".repeat(600 * 1024));
    for text in ["<html>", "", r#"{"type":"page"}"#, &long, &"[".repeat(100)] {
        assert!(decode_server_frame(text).is_err());
    }
}

#[test]
fn every_code_travels_under_its_name() {
    use ErrorCode::*;
    let all = [
        BadJson,
        Blocked,
        Busy,
        EditConflict,
        Forbidden,
        Gone,
        IdConflict,
        Internal,
        Invalid,
        Limit,
        NotFound,
        RateLimited,
        TooLarge,
        UnknownType,
    ];
    for code in all {
        assert_eq!(encode(&code), format!("\"{}\"", code.as_str()));
    }
    let permanent: Vec<&str> = all
        .into_iter()
        .filter(|code| code.is_permanent())
        .map(ErrorCode::as_str)
        .collect();
    assert_eq!(
        permanent,
        [
            "blocked",
            "edit_conflict",
            "forbidden",
            "gone",
            "id_conflict",
            "invalid",
            "not_found",
            "too_large"
        ]
    );
}

#[test]
fn the_largest_send_and_hello_fit_their_limits() {
    use rejoinder_protocol::*;
    let worst = ServerMsgId::try_from("x".repeat(128)).unwrap();
    let send = ClientFrame::Send(Send {
        thread_id: worst.as_str().parse().unwrap(),
        client_msg_id: frames::key(1),
        body: "\u{1}".repeat(BODY_BYTES_MAX),
        attachments: largest_attachments(),
    });
    let bytes = encode(&send).len();
    assert!(bytes <= SEND_BYTES_MAX, "{bytes}");
    assert!(bytes > BODY_BYTES_MAX * 6, "the bound is not idle: {bytes}");

    let revision = Revision::try_from((1 << 53) - 1).unwrap();
    let epoch = Epoch::try_from(uuid::Uuid::max().to_string()).unwrap();
    let since = Since::Cursor(Cursor { epoch, revision });
    let thread_id = ThreadId::try_from(format!("dm.{}", "x".repeat(52))).unwrap();
    let hello = ClientFrame::Hello(Hello {
        protocol_version: PROTOCOL_VERSION,
        token: Token::new("t".repeat(TOKEN_BYTES_MAX)),
        resume: vec![Resume { thread_id, since }; RESUME_THREADS_MAX],
    });
    let bytes = encode(&hello).len();
    assert!(bytes <= HELLO_BYTES_MAX, "{bytes}");
    assert!(
        bytes > HELLO_BYTES_MAX * 2 / 3,
        "the bound is not idle: {bytes}"
    );
}

fn largest_attachments() -> Vec<rejoinder_protocol::Attachment> {
    let one = frames::attachment();
    let room = rejoinder_protocol::ATTACHMENTS_BYTES_MAX / 16 - encode(&one).len() - 2;
    let name = format!("{}{}", one.name, "n".repeat(room));
    let all = vec![rejoinder_protocol::Attachment { name, ..one }; 16];
    assert_eq!(rejoinder_protocol::check_content("x", &all), Ok(()));
    all
}
