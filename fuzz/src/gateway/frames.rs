//! Whatever a client may say that is a frame.

use rejoinder_protocol::{
    Attachment, Auth, Cancel, ClientFrame, ClientMsgId, Cursor, Hello, HistoryRequest,
    InboxRequest, Resume, Send, Since, Subscribe, Sync, Token, Typing, Unsubscribe, encode,
};
use uuid::Uuid;

use super::World;

impl World<'_> {
    fn token(&mut self) -> Token {
        if self.choices.one_in(12) {
            return Token::new(self.choices.text(20));
        }
        Token::new(format!("dev:{}", self.user()))
    }

    /// Few of them, so that they are used again: by the same user, by others, elsewhere.
    pub(super) fn key(&mut self) -> ClientMsgId {
        ClientMsgId::new(Uuid::from_u128(u128::from(self.choices.below(12))))
    }

    fn since(&mut self) -> Since {
        match self.choices.below(6) {
            0 | 1 => Since::Nothing,
            2..4 => {
                let epoch = self.choices.of(&["e1", "e1", "e1", "e2"]);
                Since::Cursor(Cursor {
                    epoch: epoch.parse().unwrap(),
                    revision: self.choices.below(20).try_into().unwrap(),
                })
            }
            4 => {
                let index = self.choices.below(64);
                let message = self.witness.message(index);
                message.map_or(Since::Nothing, |(id, ..)| Since::Message(id))
            }
            _ => Since::Message("unknown".parse().unwrap()),
        }
    }

    /// A first frame.
    pub(super) fn hello(&mut self) -> String {
        let mut resume = Vec::new();
        for _ in 0..self.choices.below(3) {
            resume.push(Resume {
                thread_id: self.thread(),
                since: self.since(),
            });
        }
        let protocol_version = if self.choices.one_in(16) { 9 } else { 1 };
        encode(&ClientFrame::Hello(Hello {
            protocol_version,
            token: self.token(),
            resume,
        }))
    }

    /// Any frame.
    pub(super) fn frame(&mut self) -> String {
        let thread_id = self.thread();
        let frame = match self.choices.below(20) {
            0..4 => ClientFrame::Subscribe(Subscribe {
                thread_id,
                since: self.since(),
            }),
            4..9 => ClientFrame::Send(Send {
                thread_id,
                client_msg_id: self.key(),
                body: self.choices.text(12),
                attachments: self.attachments(),
            }),
            9 | 10 => ClientFrame::Cancel(Cancel {
                thread_id,
                client_msg_id: self.key(),
            }),
            11 | 12 => ClientFrame::Sync(Sync {
                thread_id,
                since: self.since(),
                to_revision: self
                    .choices
                    .bool()
                    .then(|| self.choices.below(20).try_into().unwrap()),
            }),
            13 => ClientFrame::History(HistoryRequest {
                thread_id,
                before_sequence_number: self.choices.number().try_into().unwrap(),
                limit: u32::try_from(self.choices.below(1 << 32)).unwrap(),
            }),
            14 => ClientFrame::Inbox(InboxRequest {
                limit: u32::try_from(self.choices.below(3)).unwrap(),
                before: self.choices.bool().then(|| self.choices.text(30)),
            }),
            15 | 16 => ClientFrame::Typing(Typing {
                thread_id,
                is_typing: self.choices.bool(),
            }),
            17 => ClientFrame::Unsubscribe(Unsubscribe { thread_id }),
            18 => ClientFrame::Auth(Auth {
                token: self.token(),
            }),
            _ if self.choices.bool() => return self.hello(),
            _ if self.choices.bool() => ClientFrame::Ping,
            _ => ClientFrame::Pong,
        };
        encode(&frame)
    }

    fn attachments(&mut self) -> Vec<Attachment> {
        if !self.choices.one_in(8) {
            return Vec::new();
        }
        let attachment = Attachment {
            name: self.choices.text(6),
            mime_type: "image/png".to_owned(),
            size_bytes: self.choices.number(),
            url: "https://files.example/1".to_owned(),
        };
        vec![attachment; usize::try_from(self.choices.below(18)).unwrap()]
    }
}
