//! Rows 20 to 25: what is no WebSocket, or more of it than anybody needs.

use std::time::Duration;

use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, Gateway, THREAD, send};
use crate::raw::{BEGINNING, BINARY, LAST, MORE, PING, PONG, TEXT, frame, head};

const FRAME_BYTES_MAX: usize = 128 * 1024;

#[tokio::test]
async fn what_is_not_websocket_is_told_so() {
    let gateway = Gateway::start().await;
    let ping = br#"{"type":"ping"}"#;
    let unmasked = [&[TEXT, 15], ping.as_slice()].concat();
    let rows = [
        ("an unmasked frame", unmasked, 1002),
        ("RSV1", frame(0xc1, ping), 1002),
        ("RSV2", frame(0xa1, ping), 1002),
        ("RSV3", frame(0x91, ping), 1002),
        ("a reserved opcode for data", frame(0x83, ping), 1002),
        ("a reserved opcode for control", frame(0x8b, b""), 1002),
        ("a continuation of nothing", frame(LAST, ping), 1002),
        (
            "a message within a message",
            [frame(BEGINNING, ping), frame(TEXT, ping)].concat(),
            1002,
        ),
        ("a ping of 126 bytes", frame(PING, &[b'x'; 126]), 1002),
        ("a pong of 126 bytes", frame(PONG, &[b'x'; 126]), 1002),
        ("a ping in fragments", frame(0x09, b""), 1002),
        ("a close of one byte", frame(0x88, &[3]), 1002),
        (
            "a close whose reason is not UTF-8",
            frame(0x88, &[3, 0xe8, 0xff]),
            1007,
        ),
        (
            "a text that is not UTF-8",
            frame(TEXT, b"{\"type\":\"\xff\"}"),
            1007,
        ),
        ("an overlong slash", frame(TEXT, b"\xc0\xaf"), 1007),
        ("a surrogate", frame(TEXT, b"\xed\xa0\x80"), 1007),
        (
            "a letter cut in the middle, at the end",
            [frame(BEGINNING, b"\xf0\x9f"), frame(LAST, b"\x98")].concat(),
            1007,
        ),
        ("a binary frame", frame(BINARY, ping), 1003),
    ];
    for (name, bytes, code) in rows {
        let mut client = gateway.join("alice").await;
        client.push(&bytes).await;
        assert_eq!(client.closed().await, code, "{name}");
    }
}

#[tokio::test]
async fn fragments_and_pings_between_them_are_a_message() {
    let gateway = Gateway::start().await;
    let mut alice = gateway.join("alice").await;
    let text = send(THREAD, 1, "\u{1f600}");
    let (start, rest) = text
        .as_bytes()
        .split_at(text.find('\u{1f600}').unwrap() + 2);
    let bytes = [
        frame(BEGINNING, start),
        frame(PING, b"?"),
        frame(MORE, b""),
        frame(LAST, rest),
    ];
    alice.push(&bytes.concat()).await;
    assert_eq!(alice.hear_of("ack").await["sequence_number"], 1);
}

#[tokio::test]
async fn a_frame_that_is_too_long_ends_the_connection_and_what_came_before_counts() {
    let gateway = Gateway::start().await;
    let mut client = gateway.join("alice").await;
    client.say(&"x".repeat(FRAME_BYTES_MAX + 1)).await;
    assert_eq!(client.closed().await, 1009);
    // Of these, only the head is sent: whoever allocated what it says would be out of memory.
    for says in [FRAME_BYTES_MAX as u64 + 1, 1 << 62, u64::MAX] {
        let mut client = gateway.join("alice").await;
        client.push(&head(TEXT, says)).await;
        assert_eq!(client.closed().await, 1009, "{says}");
    }
    let half = [b' '; FRAME_BYTES_MAX / 2];
    let mut client = gateway.join("alice").await;
    let parts = [
        frame(BEGINNING, &half),
        frame(MORE, &half),
        frame(LAST, b" "),
    ];
    client.push(&parts.concat()).await;
    assert_eq!(client.closed().await, 1009, "in fragments");

    let mut client = gateway.join("alice").await;
    let mut bytes = frame(TEXT, send(THREAD, 7, "first").as_bytes());
    bytes.extend(head(TEXT, 1 << 40));
    client.push(&bytes).await;
    assert_eq!(client.closed().await, 1009);
    let mut client = gateway.join("alice").await;
    client.say(&send(THREAD, 7, "first")).await;
    assert_eq!(client.hear_of("ack").await["duplicate"], true);
}

#[tokio::test]
async fn a_longest_frame_is_read_whole_or_in_a_thousand_fragments() {
    let gateway = Gateway::start().await;
    let mut client = gateway.join("alice").await;
    let mut text = r#"{"type":"ping"}"#.to_owned();
    text.push_str(&" ".repeat(FRAME_BYTES_MAX - text.len()));
    client.socket_send(Message::text(text.clone())).await;
    client.hear_of("pong").await;
    let mut fragments = frame(BEGINNING, b"");
    for part in text.as_bytes().chunks(128) {
        fragments.extend(frame(MORE, part));
    }
    fragments.extend(frame(LAST, b""));
    client.push(&fragments).await;
    client.hear_of("pong").await;
}

#[tokio::test]
async fn a_message_of_nothing_but_fragments_ends_the_connection() {
    let gateway = Gateway::start().await;
    for (name, fragment) in [("empty", &b""[..]), ("of one byte", &b" "[..])] {
        let mut client = gateway.join("alice").await;
        let mut bytes = frame(BEGINNING, b"");
        bytes.extend(frame(MORE, fragment).repeat(100_000));
        // So that it could be answered.
        bytes.extend(frame(LAST, b""));
        client.push(&bytes).await;
        assert_eq!(client.closed().await, 1008, "{name}");
    }
}

/// Sends the same every second, until the gateway ends it.
async fn drip(client: &mut Client, bytes: &[u8]) -> u16 {
    loop {
        client.push(bytes).await;
        let told = tokio::time::timeout(Duration::from_secs(1), client.next()).await;
        if let Ok(Err(code)) = told {
            return code;
        }
    }
}

#[tokio::test]
async fn a_message_that_is_not_finished_ends_the_connection() {
    let gateway = Gateway::start().await;
    let text = send(THREAD, 1, "x");
    let half = frame(TEXT, text.as_bytes());
    let half = &half[..half.len() / 2];
    let mut silent = gateway.join("alice").await;
    silent.push(half).await;
    // The beginning of one came with the whole of another.
    let mut behind = gateway.join("alice").await;
    let ping = frame(TEXT, br#"{"type":"ping"}"#);
    behind.push(&[&ping, half].concat()).await;
    let mut between = gateway.join("alice").await;
    between.push(&frame(BEGINNING, text.as_bytes())).await;
    let mut head_only = gateway.join("alice").await;
    head_only.push(&[PING]).await;
    let mut dripping = gateway.join("alice").await;
    dripping.push(&head(TEXT, 1_000)).await;
    // Signs of life are no excuse.
    let mut living = gateway.join("alice").await;
    living.push(&frame(BEGINNING, b"{")).await;
    // Whoever sends nothing at all has nothing to finish.
    let mut idle = gateway.join("bob").await;
    let alive = frame(PING, b"");
    let codes = tokio::join!(
        silent.closed(),
        behind.closed(),
        between.closed(),
        head_only.closed(),
        drip(&mut dripping, b" "),
        drip(&mut living, &alive),
    );
    assert_eq!(codes, (1008, 1008, 1008, 1008, 1008, 1008));
    idle.say(r#"{"type":"ping"}"#).await;
    idle.hear_of("pong").await;
}

#[tokio::test]
async fn a_flood_of_pings_is_cut_off_and_some_are_answered() {
    let gateway = Gateway::start().await;
    for (name, first) in [("pings", PING), ("pongs", PONG)] {
        let mut client = gateway.join("alice").await;
        client.push(&frame(first, b"x").repeat(1_000)).await;
        assert_eq!(client.closed().await, 4003, "{name}");
        let mut client = gateway.join("alice").await;
        client.push(&frame(first, b"x").repeat(50)).await;
        client.say(r#"{"type":"ping"}"#).await;
        client.hear_of("pong").await;
    }
    // Before anybody is known, too.
    let mut stranger = gateway.open().await;
    stranger.push(&frame(PING, b"").repeat(1_000)).await;
    assert_eq!(stranger.closed().await, 4003);
}

#[tokio::test]
async fn a_close_is_answered_and_then_nothing_more_is_said() {
    let gateway = Gateway::start().await;
    for payload in [&b""[..], &[0x03, 0xe8], &[0x0f, 0xa0]] {
        let mut client = gateway.join("alice").await;
        client.push(&frame(0x88, payload)).await;
        let mut answer = Vec::new();
        let stream = client.socket.get_mut();
        let reading = tokio::io::AsyncReadExt::read_to_end(stream, &mut answer);
        let read = tokio::time::timeout(crate::client::PATIENCE, reading).await;
        read.expect("it hangs up in time").unwrap();
        let expected = [&[0x88, u8::try_from(payload.len()).unwrap()], payload].concat();
        assert_eq!(answer, expected);
    }
}

#[tokio::test]
async fn who_vanishes_without_a_word_harms_nobody() {
    let gateway = Gateway::start().await;
    let mut bob = gateway.join("bob").await;
    bob.watch().await;
    for bytes in [&b""[..], &head(TEXT, 500), &frame(BEGINNING, b"{")] {
        let mut alice = gateway.join("alice").await;
        alice.push(bytes).await;
        let stream = alice.socket.get_ref();
        if let tokio_tungstenite::MaybeTlsStream::Plain(stream) = stream {
            // A reset instead of an end.
            stream.set_zero_linger().unwrap();
        }
        drop(alice);
    }
    bob.say(&send(THREAD, 1, "still here")).await;
    bob.hear_of("ack").await;
}
