//! An example of every frame, with all optional fields and with none.

use rejoinder_protocol::*;

pub(crate) fn key(number: u128) -> ClientMsgId {
    ClientMsgId::new(uuid::Uuid::from_u128(
        0x0198_c0de_0000_7000_8000_0000_0000_0000 + number,
    ))
}

pub(crate) fn attachment() -> Attachment {
    Attachment {
        name: "cat.png".into(),
        mime_type: "image/png".into(),
        size_bytes: 52_341,
        url: "https://files.example/cat.png".into(),
    }
}

fn thread() -> ThreadId {
    "alice|bob".parse().unwrap()
}

fn alice() -> UserId {
    "alice".parse().unwrap()
}

fn bob() -> UserId {
    "bob".parse().unwrap()
}

fn epoch() -> Epoch {
    "7c9e6679-7425-40de-944b-e07fc1f90ae7".parse().unwrap()
}

fn id(number: u32) -> ServerMsgId {
    format!("m-{number}").parse().unwrap()
}

fn rev(number: u64) -> Revision {
    number.try_into().unwrap()
}

fn seq(number: u64) -> SequenceNumber {
    number.try_into().unwrap()
}

fn at(number: u64) -> UnixMillis {
    (1_764_000_000_000 + number).try_into().unwrap()
}

fn cursor(revision: u64) -> Cursor {
    Cursor {
        epoch: epoch(),
        revision: rev(revision),
    }
}

fn message() -> Message {
    Message {
        revision: rev(3),
        server_msg_id: id(1),
        client_msg_id: key(1),
        sender_id: alice(),
        sequence_number: seq(1),
        sent_at: at(0),
        body: "Hello!".into(),
        attachments: vec![],
        edited_at: None,
        deleted: false,
    }
}

fn edited() -> Message {
    Message {
        revision: rev(6),
        attachments: vec![attachment()],
        edited_at: Some(at(60_000)),
        ..message()
    }
}

fn tombstone() -> Message {
    Message {
        revision: rev(7),
        body: String::new(),
        deleted: true,
        ..message()
    }
}

fn participant() -> Participant {
    Participant {
        revision: rev(1),
        user_id: alice(),
        joined_at: at(0),
        left_at: None,
        read_sequence_number: None,
    }
}

fn left() -> Participant {
    Participant {
        revision: rev(2),
        user_id: bob(),
        left_at: Some(at(9)),
        read_sequence_number: Some(seq(1)),
        ..participant()
    }
}

pub(crate) fn client() -> Vec<(&'static str, ClientFrame)> {
    let token = || Token::new("eyJhbGciOiJIUzI1NiJ9.e30.x".into());
    let resume = vec![
        Resume {
            thread_id: thread(),
            since: Since::Cursor(cursor(41)),
        },
        Resume {
            thread_id: "t2".parse().unwrap(),
            since: Since::Message(id(9)),
        },
        Resume {
            thread_id: "t3".parse().unwrap(),
            since: Since::Nothing,
        },
    ];
    vec![
        (
            "client_hello",
            ClientFrame::Hello(Hello {
                protocol_version: 1,
                token: token(),
                resume,
            }),
        ),
        ("client_auth", ClientFrame::Auth(Auth { token: token() })),
        (
            "client_subscribe",
            ClientFrame::Subscribe(Subscribe {
                thread_id: thread(),
                since: Since::Cursor(cursor(41)),
            }),
        ),
        (
            "client_subscribe_first",
            ClientFrame::Subscribe(Subscribe {
                thread_id: thread(),
                since: Since::Nothing,
            }),
        ),
        (
            "client_subscribe_message",
            ClientFrame::Subscribe(Subscribe {
                thread_id: thread(),
                since: Since::Message(id(9)),
            }),
        ),
        (
            "client_unsubscribe",
            ClientFrame::Unsubscribe(Unsubscribe {
                thread_id: thread(),
            }),
        ),
        (
            "client_sync",
            ClientFrame::Sync(Sync {
                thread_id: thread(),
                since: Since::Cursor(cursor(41)),
                to_revision: Some(rev(50)),
            }),
        ),
        (
            "client_history",
            ClientFrame::History(HistoryRequest {
                thread_id: thread(),
                before_sequence_number: seq(51),
                limit: 50,
            }),
        ),
        (
            "client_inbox",
            ClientFrame::Inbox(InboxRequest {
                limit: 50,
                before: Some("opaque".into()),
            }),
        ),
        (
            "client_inbox_first",
            ClientFrame::Inbox(InboxRequest {
                limit: 50,
                before: None,
            }),
        ),
        (
            "client_send",
            ClientFrame::Send(Send {
                thread_id: thread(),
                client_msg_id: key(1),
                body: "Hello!".into(),
                attachments: vec![attachment()],
            }),
        ),
        (
            "client_cancel",
            ClientFrame::Cancel(Cancel {
                thread_id: thread(),
                client_msg_id: key(1),
            }),
        ),
        (
            "client_typing",
            ClientFrame::Typing(Typing {
                thread_id: thread(),
                is_typing: true,
            }),
        ),
        ("client_ping", ClientFrame::Ping),
        ("client_pong", ClientFrame::Pong),
    ]
}

pub(crate) fn server() -> Vec<(&'static str, ServerFrame)> {
    let mut frames = connection_frames();
    frames.extend(log_frames());
    frames.extend(list_frames());
    frames.extend(ephemeral_frames());
    frames
}

fn welcome(token_expires_at: Option<UnixMillis>) -> ServerFrame {
    ServerFrame::Welcome(Welcome {
        user_id: alice(),
        session_id: "s-1".parse().unwrap(),
        epoch: epoch(),
        server_time: at(0),
        token_expires_at,
        heartbeat: Heartbeat {
            interval_ms: PING_INTERVAL_MS,
            idle_ms: IDLE_MS,
        },
        limits: Limits::default(),
    })
}

fn connection_frames() -> Vec<(&'static str, ServerFrame)> {
    let reference = ErrorRef {
        frame_type: ClientFrameType::Send,
        thread_id: Some(thread()),
        client_msg_id: Some(key(1)),
    };
    vec![
        ("server_welcome", welcome(Some(at(3_600_000)))),
        ("server_welcome_endless", welcome(None)),
        (
            "server_authenticated",
            ServerFrame::Authenticated(Authenticated {
                expires_at: at(3_600_000),
            }),
        ),
        (
            "server_error",
            ServerFrame::Error(ErrorFrame {
                reference: Some(reference),
                code: ErrorCode::RateLimited,
                retry_after_ms: Some(1_000),
            }),
        ),
        (
            "server_error_bare",
            ServerFrame::Error(ErrorFrame {
                reference: None,
                code: ErrorCode::BadJson,
                retry_after_ms: None,
            }),
        ),
        (
            "server_goodbye",
            ServerFrame::Goodbye(Goodbye {
                code: CloseCode::Draining.number(),
                retry_after_ms: Some(2_500),
            }),
        ),
        ("server_ping", ServerFrame::Ping),
        ("server_pong", ServerFrame::Pong),
    ]
}

fn log_frames() -> Vec<(&'static str, ServerFrame)> {
    let reset = |answers| {
        ServerFrame::Reset(Reset {
            thread_id: thread(),
            epoch: epoch(),
            head_revision: rev(7),
            window: vec![
                Object::Participant(participant()),
                Object::Message(message()),
            ],
            has_older: true,
            answers,
        })
    };
    vec![
        (
            "server_page",
            ServerFrame::Page(Page {
                thread_id: thread(),
                from_revision: rev(1),
                to_revision: rev(6),
                head_revision: rev(7),
                changes: vec![Object::Participant(left()), Object::Message(edited())],
                more: true,
            }),
        ),
        (
            "server_live",
            ServerFrame::Live(Live {
                thread_id: thread(),
                revision: rev(7),
            }),
        ),
        (
            "server_change",
            ServerFrame::Change(Change {
                thread_id: thread(),
                revision: rev(3),
                object: Object::Message(message()),
            }),
        ),
        (
            "server_change_tombstone",
            ServerFrame::Change(Change {
                thread_id: thread(),
                revision: rev(7),
                object: Object::Message(tombstone()),
            }),
        ),
        ("server_reset", reset(Some(cursor(99)))),
        ("server_reset_first", reset(None)),
        (
            "server_history",
            ServerFrame::History(HistoryPage {
                thread_id: thread(),
                before_sequence_number: seq(2),
                epoch: epoch(),
                as_of: rev(7),
                messages: vec![message()],
                has_older: false,
            }),
        ),
        (
            "server_ack",
            ServerFrame::Ack(Ack {
                thread_id: thread(),
                client_msg_id: key(1),
                server_msg_id: id(1),
                sequence_number: seq(1),
                revision: rev(3),
                sent_at: at(0),
                duplicate: false,
            }),
        ),
        (
            "server_cancelled",
            ServerFrame::Cancelled(Cancelled {
                thread_id: thread(),
                client_msg_id: key(1),
            }),
        ),
        (
            "server_removed",
            ServerFrame::Removed(Removed {
                thread_id: thread(),
            }),
        ),
    ]
}

fn list_frames() -> Vec<(&'static str, ServerFrame)> {
    let summary = ThreadSummary {
        thread_id: thread(),
        participants: vec![alice(), bob()],
        revision: rev(3),
        sequence_number: seq(1),
        preview: Some(Preview {
            sender_id: alice(),
            body: "Hello!".into(),
            sent_at: at(0),
        }),
    };
    let begun = ThreadSummary {
        revision: rev(2),
        sequence_number: seq(0),
        preview: None,
        ..summary.clone()
    };
    vec![
        ("server_thread", ServerFrame::Thread(summary.clone())),
        (
            "server_inbox",
            ServerFrame::Inbox(InboxPage {
                threads: vec![summary, begun],
                next: Some("opaque".into()),
            }),
        ),
        (
            "server_inbox_last",
            ServerFrame::Inbox(InboxPage {
                threads: vec![],
                next: None,
            }),
        ),
    ]
}

fn ephemeral_frames() -> Vec<(&'static str, ServerFrame)> {
    let presence = |state, last_seen_at| {
        ServerFrame::Presence(Presence {
            user_id: bob(),
            state,
            last_seen_at,
        })
    };
    vec![
        (
            "server_typing",
            ServerFrame::Typing(TypingNotice {
                thread_id: thread(),
                user_id: bob(),
                is_typing: true,
            }),
        ),
        (
            "server_presence_online",
            presence(PresenceState::Online, None),
        ),
        (
            "server_presence_offline",
            presence(PresenceState::Offline, Some(at(5))),
        ),
    ]
}
