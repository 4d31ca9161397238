//! Wherever a client says that it stands: what it is told from there on is everything that it lacks,
//! or the newest window, and never "nothing new" in place of either.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use rejoinder_gateway::store::{Command, Content, NewMessage, Read, Reader, Sqlite};
use rejoinder_protocol::{
    ClientFrame, ClientMsgId, Cursor, Epoch, Message, Object, Page, RESET_MESSAGES, Reset,
    Revision, ServerMsgId, Since, ThreadId, UnixMillis, UserId, decode_client_frame, encode,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::choices::Choices;

/// More than one page of them.
const MESSAGES: u64 = 230;
/// Carol was removed from this thread.
const LEFT: &str = "left";
const THREADS: [&str; 4] = ["t", LEFT, "other", "none"];
const USERS: [&str; 3] = ["alice", "bob", "carol"];

thread_local! {
    static FILLED: OnceCell<Filled> = const { OnceCell::new() };
}

/// Asks a store from the place that the bytes describe.
pub fn run(data: &[u8]) {
    FILLED.with(|filled| filled.get_or_init(Filled::new).ask(&mut Choices::new(data)));
}

/// A store with threads in which messages were edited, deleted, and people removed.
struct Filled {
    store: Sqlite,
    /// Everything of each thread as it is now, by the number of its last change.
    objects: BTreeMap<ThreadId, Vec<Object>>,
}

impl Filled {
    fn new() -> Self {
        let mut filled = Self {
            store: Sqlite::memory(&epoch()).unwrap(),
            objects: BTreeMap::new(),
        };
        filled.fill("t", "bob", MESSAGES);
        filled.fill(LEFT, "carol", 5);
        filled.fill("other", "carol", 5);
        let left: ThreadId = LEFT.parse().unwrap();
        filled.apply(Command::Remove {
            thread_id: left,
            user_id: "carol".parse().unwrap(),
        });
        for objects in filled.objects.values_mut() {
            objects.sort_by_key(Object::revision);
        }
        filled
    }

    fn fill(&mut self, name: &str, partner: &str, messages: u64) {
        let thread_id: ThreadId = name.parse().unwrap();
        let participants = ["alice".parse().unwrap(), partner.parse().unwrap()];
        let [alice, partner] = participants.clone();
        self.apply(Command::Create {
            thread_id: thread_id.clone(),
            participants,
        });
        for number in 1..=messages {
            let is_alices = number % 2 == 0;
            self.apply(Command::Send(NewMessage {
                thread_id: thread_id.clone(),
                sender_id: if is_alices { &alice } else { &partner }.clone(),
                client_msg_id: ClientMsgId::new(Uuid::from_u128(u128::from(number))),
                server_msg_id: message_id(name, number),
                body: format!("{number}"),
                attachments: Vec::new(),
                create_dev_pair: false,
            }));
        }
        for number in [1, 3] {
            self.apply(Command::Edit {
                thread_id: thread_id.clone(),
                user_id: partner.clone(),
                server_msg_id: message_id(name, number),
                body: "edited".to_owned(),
            });
        }
        self.apply(Command::Tombstone {
            thread_id,
            user_id: alice,
            server_msg_id: message_id(name, 2),
        });
    }

    /// Does something that changes something, and notes what it changed.
    fn apply(&mut self, command: Command) {
        let now = UnixMillis::try_from(1_000).unwrap();
        let applied = self.store.apply(&epoch(), now, &[command]).unwrap();
        let outcome = applied.outcomes[0].as_ref().unwrap();
        let publication = outcome.publication.as_ref().unwrap();
        let thread_id = publication.thread_id.clone();
        let objects = self.objects.entry(thread_id).or_default();
        for change in &publication.changes {
            objects.retain(|one| !is_same(one, &change.object));
            objects.push(change.object.clone());
        }
    }

    fn of(&self, thread_id: &ThreadId) -> &[Object] {
        self.objects.get(thread_id).map_or(&[], Vec::as_slice)
    }

    fn messages(&self, thread_id: &ThreadId) -> Vec<&Message> {
        let messages = self.of(thread_id).iter().filter_map(|one| match one {
            Object::Message(message) => Some(message),
            Object::Participant(_) | Object::Unknown => None,
        });
        let mut messages: Vec<_> = messages.collect();
        messages.sort_by_key(|message| message.sequence_number);
        messages
    }

    fn is_member(&self, thread_id: &ThreadId, user_id: &UserId) -> bool {
        self.of(thread_id).iter().any(|one| match one {
            Object::Participant(one) => one.user_id == *user_id && one.left_at.is_none(),
            Object::Message(_) | Object::Unknown => false,
        })
    }

    fn ask(&self, choices: &mut Choices<'_>) {
        let user_id: UserId = choices.of(&USERS).parse().unwrap();
        let thread_id: ThreadId = choices.of(&THREADS).parse().unwrap();
        match choices.below(8) {
            0 => self.history(choices, user_id, &thread_id),
            1 => self.inbox(choices, user_id),
            _ => {
                let Some(since) = since(choices) else { return };
                let to = choices.one_in(4).then(|| choices.number());
                let to = to.map(|to| to.try_into().unwrap());
                self.follow(&user_id, &thread_id, &since, to);
            }
        }
    }

    fn inbox(&self, choices: &mut Choices<'_>, user_id: UserId) {
        let question = Read::Inbox {
            user_id: user_id.clone(),
            limit: u32::try_from(choices.below(4)).unwrap(),
            before: choices.bool().then(|| choices.text(40)),
        };
        match self.store.read(&question).unwrap().content {
            Content::Inbox(page) => {
                for thread in page.threads {
                    assert!(self.is_member(&thread.thread_id, &user_id), "{thread:?}");
                }
            }
            Content::Invalid => {}
            other => panic!("{question:?} is answered with {other:?}"),
        }
    }

    fn history(&self, choices: &mut Choices<'_>, user_id: UserId, thread_id: &ThreadId) {
        let is_member = self.is_member(thread_id, &user_id);
        let wild = choices.one_in(4);
        let before = if wild {
            choices.number()
        } else {
            choices.below(MESSAGES + 2)
        };
        let limit = choices.of(&[0, 1, 7, 200, 201, u32::MAX]);
        let question = Read::History {
            reader: Reader::User(user_id),
            thread_id: thread_id.clone(),
            before: before.try_into().unwrap(),
            limit,
        };
        match self.store.read(&question).unwrap().content {
            Content::History(page) => {
                assert!(is_member, "{question:?}");
                let mut older = self.messages(thread_id);
                older.retain(|one| one.sequence_number.get() < before);
                let limit = usize::try_from(limit.clamp(1, 200)).unwrap();
                let skipped = older.len().saturating_sub(limit);
                let told: Vec<_> = page.messages.iter().collect();
                assert_eq!(told, older[skipped..], "{question:?}");
                assert_eq!(page.has_older, skipped > 0, "{question:?}");
            }
            Content::NotFound => assert!(!is_member, "{question:?}"),
            other => panic!("{question:?} is answered with {other:?}"),
        }
    }

    /// Reads from there to the end, as a client does.
    fn follow(
        &self,
        user_id: &UserId,
        thread_id: &ThreadId,
        since: &Since,
        to_revision: Option<Revision>,
    ) {
        let is_member = self.is_member(thread_id, user_id);
        let (mut next, mut last) = (since.clone(), None);
        loop {
            let answer = self.store.read(&Read::Page {
                user_id: user_id.clone(),
                thread_id: thread_id.clone(),
                since: next,
                to_revision,
            });
            let page = match answer.unwrap().content {
                Content::NotFound => {
                    assert!(!is_member, "{user_id} is in {thread_id}");
                    return;
                }
                Content::Reset(reset, _) => {
                    assert!(is_member, "{user_id} is not in {thread_id}");
                    assert_eq!(last, None, "a page cannot be continued: {since:?}");
                    return self.check_reset(since, &reset);
                }
                Content::Page(page, _) => page,
                other => panic!("{since:?} is answered with {other:?}"),
            };
            assert!(is_member, "{user_id} is not in {thread_id}");
            assert!(self.can_continue(thread_id, since), "{since:?}");
            self.check_page(since, last, &page);
            if !page.more {
                let end = to_revision.map_or(page.head_revision, |to| to.min(page.head_revision));
                assert_eq!(page.to_revision, end.max(page.from_revision), "{since:?}");
                return;
            }
            last = Some(page.to_revision);
            next = Since::Cursor(Cursor {
                epoch: epoch(),
                revision: page.to_revision,
            });
        }
    }

    fn check_page(&self, since: &Since, last: Option<Revision>, page: &Page) {
        if let Some(last) = last {
            assert_eq!(page.from_revision, last, "pages abut");
        } else if let Since::Cursor(cursor) = since {
            assert_eq!(page.from_revision, cursor.revision);
        }
        let lacking = self.of(&page.thread_id).iter().filter(|one| {
            let revision = one.revision().unwrap();
            page.from_revision < revision && revision <= page.to_revision
        });
        let told: Vec<_> = page.changes.iter().collect();
        assert_eq!(told, lacking.collect::<Vec<_>>(), "{since:?}");
    }

    fn check_reset(&self, since: &Since, reset: &Reset) {
        let thread_id = &reset.thread_id;
        assert!(!self.can_continue(thread_id, since), "{since:?}");
        let messages = self.messages(thread_id);
        let newest = messages.len().saturating_sub(RESET_MESSAGES);
        let told = reset.window.iter().filter_map(|one| match one {
            Object::Message(message) => Some(message),
            Object::Participant(_) | Object::Unknown => None,
        });
        assert_eq!(told.collect::<Vec<_>>(), messages[newest..], "{since:?}");
    }

    fn can_continue(&self, thread_id: &ThreadId, since: &Since) -> bool {
        match since {
            Since::Nothing => false,
            Since::Cursor(cursor) => {
                let head = self.of(thread_id).last().and_then(Object::revision);
                cursor.epoch == epoch() && Some(cursor.revision) <= head
            }
            Since::Message(id) => {
                let messages = self.messages(thread_id);
                messages.iter().any(|one| one.server_msg_id == *id)
            }
        }
    }
}

fn is_same(one: &Object, other: &Object) -> bool {
    match (one, other) {
        (Object::Message(one), Object::Message(other)) => one.server_msg_id == other.server_msg_id,
        (Object::Participant(one), Object::Participant(other)) => one.user_id == other.user_id,
        _ => false,
    }
}

fn epoch() -> Epoch {
    "e1".parse().unwrap()
}

fn message_id(thread: &str, number: u64) -> ServerMsgId {
    format!("{thread}-{number}").parse().unwrap()
}

/// A cursor as it comes in a frame; `None` if it comes to nothing.
fn since(choices: &mut Choices<'_>) -> Option<Since> {
    let fields = match choices.below(4) {
        0 => serde_json::from_str::<Value>(&choices.text(120)).ok()?,
        1 => json!({"last_server_msg_id": choices.text(60)}),
        2 => {
            let (thread, number) = (choices.of(&THREADS), choices.below(MESSAGES + 2));
            json!({"last_server_msg_id": message_id(thread, number)})
        }
        _ => {
            let wild = choices.one_in(3);
            let revision = if wild {
                choices.number()
            } else {
                choices.below(MESSAGES + 10)
            };
            json!({"epoch": choices.of(&["e1", "e1", "e2"]), "revision": revision})
        }
    };
    let mut frame = fields;
    let fields = frame.as_object_mut()?;
    fields.insert("type".to_owned(), json!("subscribe"));
    fields.insert("thread_id".to_owned(), json!("t"));
    let ClientFrame::Subscribe(read) = decode_client_frame(&frame.to_string()).ok()? else {
        panic!("a subscription was read as something else: {frame}");
    };
    let written = encode(&read.since);
    assert_eq!(serde_json::from_str::<Since>(&written).unwrap(), read.since);
    Some(read.since)
}
