//! Each kind of damage turns the checker red, and only what it is about.

use rejoinder::engine::{Delivery, DiscardOutcome, Durability, Row, SendRefusal, SendResult};
use rejoinder_protocol::{ClientMsgId, Message, ThreadId, UserId};
use uuid::Uuid;

use super::{Evidence, check};
use crate::ledger::Sent;
use crate::records::{Head, Stored};
use crate::view::{Kept, Shown, View};

const STORED: SendResult = SendResult::Taken {
    durability: Durability::Disk,
};

fn key(number: u128) -> ClientMsgId {
    ClientMsgId::new(Uuid::from_u128(number))
}

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn thread() -> ThreadId {
    "t".parse().unwrap()
}

fn stored(place: u64) -> Stored {
    Stored {
        sequence_number: place,
        // Two people came first.
        revision: place + 2,
        server_msg_id: format!("s{place}"),
        client_msg_id: key(u128::from(place)),
        sender_id: user("a"),
        body: format!("text {place}"),
    }
}

fn sent(place: u64) -> Sent {
    Sent {
        device: 0,
        user_id: user("a"),
        thread_id: thread(),
        client_msg_id: key(u128::from(place)),
        body: format!("text {place}"),
        was_transmitted: true,
        answer: Some(STORED),
        is_orphan: false,
        is_discarded: false,
        outcome: None,
    }
}

fn row(stored: &Stored) -> Row {
    Row {
        id: stored.server_msg_id.as_str().into(),
        client_msg_id: stored.client_msg_id,
        server_msg_id: Some(stored.server_msg_id.parse().unwrap()),
        sequence_number: Some(stored.sequence_number.try_into().unwrap()),
        sender_id: stored.sender_id.clone(),
        is_own: false,
        body: stored.body.clone(),
        attachments: Vec::new(),
        sent_at: 7_u64.try_into().unwrap(),
        edited_at: None,
        is_deleted: false,
        delivery: Delivery::Sent,
    }
}

fn message(stored: &Stored) -> Message {
    Message {
        revision: stored.revision.try_into().unwrap(),
        server_msg_id: stored.server_msg_id.parse().unwrap(),
        client_msg_id: stored.client_msg_id,
        sender_id: stored.sender_id.clone(),
        sequence_number: stored.sequence_number.try_into().unwrap(),
        sent_at: 7_u64.try_into().unwrap(),
        body: stored.body.clone(),
        attachments: Vec::new(),
        edited_at: None,
        deleted: false,
    }
}

/// Five messages of one person; a client shows and has stored the last three.
fn sound() -> Evidence {
    let all: Vec<Stored> = (1..=5).map(stored).collect();
    let mut evidence = Evidence::default();
    let shown = Shown {
        rows: all[2..].iter().map(row).collect(),
        has_older: true,
    };
    let kept = Kept {
        revision: 7,
        messages: all[2..].iter().map(message).collect(),
    };
    evidence.views.push(View {
        device: 4,
        user_id: user("b"),
        due: vec![thread()],
        threads: [(thread(), shown)].into(),
        kept: [(thread(), kept)].into(),
        waiting: Vec::new(),
    });
    evidence.sent = (1..=5).map(sent).collect();
    let records = &mut evidence.records;
    records.messages.insert(thread(), all);
    records.participants.insert(thread(), vec![1, 2]);
    records.heads.insert(
        thread(),
        Head {
            sequence_number: 5,
            revision: 7,
        },
    );
    evidence
}

impl Evidence {
    fn stored(&mut self) -> &mut Vec<Stored> {
        self.records.messages.get_mut(&thread()).unwrap()
    }

    fn shown(&mut self) -> &mut Shown {
        self.views[0].threads.get_mut(&thread()).unwrap()
    }

    fn kept(&mut self) -> &mut Kept {
        self.views[0].kept.get_mut(&thread()).unwrap()
    }
}

/// Damages what is sound; returns what the checker says.
fn after(damage: impl FnOnce(&mut Evidence)) -> Vec<String> {
    let mut evidence = sound();
    damage(&mut evidence);
    check(&evidence)
}

#[track_caller]
fn says(damage: impl FnOnce(&mut Evidence), what: &str) {
    let wrong = after(damage);
    assert!(
        wrong.iter().any(|one| one.contains(what)),
        "{what}: {wrong:?}"
    );
}

#[test]
fn what_is_sound_is_called_sound() {
    assert_eq!(check(&sound()), Vec::<String>::new());
}

#[test]
fn a_message_that_is_nowhere_is_lost() {
    // Its place is taken, so that numbers alone say nothing.
    says(|it| it.sent.push(sent(6)), "lost: \"text 6\" of client 0");
    says(
        |it| {
            it.sent.push(Sent {
                answer: None,
                ..sent(6)
            })
        },
        "\"text 6\" was never answered",
    );
    says(
        |it| {
            it.sent.push(Sent {
                is_discarded: true,
                outcome: Some(DiscardOutcome::Sent),
                ..sent(6)
            })
        },
        "lost: \"text 6\" was called sent",
    );
    let cancelled = |it: &mut Evidence| {
        it.sent.push(sent(6));
        it.records.cancelled.insert((thread(), user("a"), key(6)));
    };
    says(cancelled, "lost: \"text 6\" was cancelled, and nobody");
}

#[test]
fn who_was_never_called_safe_or_was_taken_back_may_be_gone() {
    let outcome = Some(DiscardOutcome::Cancelled);
    for gone in [
        Sent {
            is_orphan: true,
            answer: None,
            ..sent(6)
        },
        Sent {
            is_discarded: true,
            ..sent(6)
        },
        Sent {
            is_discarded: true,
            outcome,
            ..sent(6)
        },
        Sent {
            answer: Some(SendResult::Refused {
                code: SendRefusal::OutboxFull,
            }),
            ..sent(6)
        },
    ] {
        assert_eq!(after(|it| it.sent.push(gone)), Vec::<String>::new());
    }
}

#[test]
fn a_message_that_is_stored_though_it_was_taken_back_or_refused_is_wrong() {
    for outcome in [DiscardOutcome::Discarded, DiscardOutcome::Cancelled] {
        says(|it| it.sent[1].outcome = Some(outcome), "\"text 2\" was ");
    }
    let answer = SendResult::Refused {
        code: SendRefusal::TooLarge,
    };
    says(
        |it| it.sent[1].answer = Some(answer),
        "was refused as TooLarge, and is stored",
    );
    let void = |it: &mut Evidence| {
        it.sent[1].is_discarded = true;
        it.records.cancelled.insert((thread(), user("a"), key(2)));
    };
    says(void, "\"text 2\" in t is stored, and its key is void");
}

#[test]
fn a_message_that_is_stored_twice_is_doubled() {
    let twice = |it: &mut Evidence| {
        it.stored()[4].client_msg_id = key(4);
        it.sent.pop();
    };
    says(twice, "doubled: \"text 5\" in t");
    says(
        |it| it.stored()[4].server_msg_id = "s4".to_owned(),
        "doubled: the id s4",
    );
}

#[test]
fn numbers_with_a_hole_or_a_double_are_wrong() {
    says(
        |it| it.stored()[4].sequence_number = 6,
        "the places of t are not 1 to 5",
    );
    says(
        |it| it.stored()[4].sequence_number = 4,
        "the places of t are not 1 to 5",
    );
    says(
        |it| it.stored()[4].revision = 6,
        "the revisions of t are not 1 to 7",
    );
    says(
        |it| it.records.participants.clear(),
        "the revisions of t are not 1 to 7",
    );
    says(|it| it.records.heads.clear(), "t has messages and no head");
}

#[test]
fn messages_in_another_order_than_they_were_written_are_reordered() {
    let swapped = |it: &mut Evidence| it.sent.swap(1, 3);
    says(
        swapped,
        "reordered: client 0 wrote \"text 4\" before \"text 3\"",
    );
    // Another device of the same user has a queue of its own.
    let other = |it: &mut Evidence| {
        let last = it.sent.pop().unwrap();
        it.sent.insert(1, Sent { device: 1, ..last });
    };
    assert_eq!(after(other), Vec::<String>::new());
}

#[test]
fn what_nobody_wrote_or_wrote_otherwise_is_wrong() {
    says(
        |it| drop(it.sent.pop()),
        "nobody wrote \"text 5\" at 5 of t",
    );
    says(
        |it| it.sent[0].body = "other".to_owned(),
        "\"other\" is stored as \"text 1\"",
    );
    says(
        |it| it.stored()[0].sender_id = user("b"),
        "lost: \"text 1\"",
    );
}

#[test]
fn a_client_that_shows_something_else_is_wrong() {
    let is = "client 4 of b shows t wrongly";
    says(|it| drop(it.shown().rows.pop()), is);
    says(|it| drop(it.shown().rows.remove(1)), is);
    says(|it| it.shown().rows.swap(0, 1), is);
    says(|it| it.shown().rows[1].body = "other".to_owned(), is);
    says(|it| it.shown().rows[1].sender_id = user("b"), is);
    says(|it| it.shown().rows[1].server_msg_id = None, is);
    says(|it| it.shown().rows[1].sequence_number = None, is);
    says(|it| it.shown().rows[1].client_msg_id = key(9), is);
    says(|it| it.shown().rows[1].is_deleted = true, is);
    says(|it| it.shown().rows[1].delivery = Delivery::Cancelling, is);
    let doubled = |it: &mut Evidence| {
        let again = it.shown().rows[2].clone();
        it.shown().rows.push(again);
    };
    says(doubled, is);
    let too_many = |it: &mut Evidence| {
        let rows = it.shown().rows.clone();
        it.shown().rows.extend(rows);
    };
    says(too_many, "6 messages, there are 5");
    says(|it| it.shown().rows.clear(), "nothing, there are 5");
    says(|it| it.views[0].threads.clear(), "nothing, there are 5");
    says(|it| it.shown().has_older = false, "has_older is false");
}

#[test]
fn a_client_that_has_stored_something_else_is_wrong() {
    let is = "client 4 of b has stored t";
    says(|it| it.kept().messages.clear(), "nothing, there are 5");
    says(|it| it.views[0].kept.clear(), "up to revision 0 of 7");
    says(|it| it.kept().revision = 6, "up to revision 6 of 7");
    says(|it| drop(it.kept().messages.remove(1)), is);
    says(|it| it.kept().messages[1].body = "other".to_owned(), is);
    let other_place = |it: &mut Evidence| {
        it.kept().messages[1].sequence_number = 9_u64.try_into().unwrap();
    };
    says(other_place, is);
    let other_id = |it: &mut Evidence| {
        it.kept().messages[1].server_msg_id = "s9".parse().unwrap();
    };
    says(other_id, is);
    says(|it| it.kept().messages[1].client_msg_id = key(9), is);
    says(|it| it.kept().messages[1].sender_id = user("b"), is);
    says(|it| it.kept().messages[1].deleted = true, is);
    says(
        |it| it.kept().messages[1].revision = 9_u64.try_into().unwrap(),
        is,
    );
    let waiting = |it: &mut Evidence| {
        it.views[0]
            .waiting
            .push(rejoinder::engine::stored::EntryRecord {
                thread_id: thread(),
                client_msg_id: key(5),
                body: "text 5".to_owned(),
                attachments: Vec::new(),
                created_at: 7_u64.try_into().unwrap(),
                attempted: true,
                failed: None,
                cancel_wanted: false,
            });
    };
    says(waiting, "still has \"text 5\" in its outbox");
}
