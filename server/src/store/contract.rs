//! What every store must do, as one suite. A further store adds one line at the end.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test names the variant it wants"
)]

use std::sync::Arc;

use rejoinder_protocol::{
    Ack, ClientMsgId, Cursor, Epoch, ErrorCode, Message, Object, Page, Reset, Revision,
    SequenceNumber, ServerMsgId, Since, ThreadId, UnixMillis, UserId,
};
use uuid::Uuid;

use super::postgres::tests::Database;
use super::{
    Answer, Command, Content, Locked, NewMessage, Outcome, Read, Reader, SqliteStore, Store,
};

fn thread(id: &str) -> ThreadId {
    id.parse().unwrap()
}

fn user(id: &str) -> UserId {
    id.parse().unwrap()
}

pub(super) fn epoch() -> Epoch {
    "e1".parse().unwrap()
}

fn key(number: u128) -> ClientMsgId {
    ClientMsgId::new(Uuid::from_u128(number))
}

fn at(number: u64) -> Revision {
    Revision::try_from(number).unwrap()
}

fn server_id(sender: &str, number: u128) -> ServerMsgId {
    format!("{sender}-{number}").parse().unwrap()
}

pub(super) fn send(thread_id: &str, sender: &str, number: u128, body: &str) -> Command {
    Command::Send(NewMessage {
        thread_id: thread(thread_id),
        sender_id: user(sender),
        client_msg_id: key(number),
        server_msg_id: format!("{thread_id}-{sender}-{number}")
            .replace('|', "-")
            .parse()
            .unwrap(),
        body: body.to_owned(),
        attachments: Vec::new(),
        create_dev_pair: true,
    })
}

fn id_of(thread_id: &str, sender: &str, number: u128) -> ServerMsgId {
    server_id(&format!("{thread_id}-{sender}").replace('|', "-"), number)
}

/// `a|b`, made by its first use.
pub(super) const T: &str = "a|b";

async fn run<S: Store>(store: &S, commands: &[Command]) -> Vec<Outcome> {
    let now = UnixMillis::try_from(1_000).unwrap();
    let applied = store
        .apply(
            store.epoch().clone(),
            now,
            Arc::from(commands),
            Locked::Skip,
        )
        .await
        .unwrap();
    assert_eq!(applied.outcomes.len(), commands.len());
    let outcomes = applied.outcomes.into_iter();
    outcomes.map(|one| one.expect("nobody holds it")).collect()
}

async fn one<S: Store>(store: &S, command: Command) -> Outcome {
    run(store, &[command]).await.remove(0)
}

pub(super) fn ack<'a>(outcome: impl Into<Option<&'a Outcome>>) -> Ack {
    match &outcome.into().expect("it was not skipped").answer {
        Answer::Stored(ack) => ack.clone(),
        other => panic!("not stored: {other:?}"),
    }
}

pub(super) fn code<'a>(outcome: impl Into<Option<&'a Outcome>>) -> ErrorCode {
    match &outcome.into().expect("it was not skipped").answer {
        Answer::Refused(code) => *code,
        other => panic!("not refused: {other:?}"),
    }
}

async fn read<S: Store>(store: &S, read: Read) -> Content {
    store.read(read).await.unwrap().content
}

async fn epoch_of<S: Store>(store: &S) -> Epoch {
    let question = Read::Inbox {
        user_id: user("anybody"),
        limit: 1,
        before: None,
    };
    store.read(question).await.unwrap().epoch
}

async fn since<S: Store>(store: &S, reader: &str, since: Since) -> Content {
    let question = Read::Page {
        user_id: user(reader),
        thread_id: thread(T),
        since,
        to_revision: None,
    };
    read(store, question).await
}

async fn page<S: Store>(store: &S, from: u64) -> Page {
    let cursor = Cursor {
        epoch: epoch_of(store).await,
        revision: at(from),
    };
    match since(store, "a", Since::Cursor(cursor)).await {
        Content::Page(page, _) => page,
        other => panic!("not a page: {other:?}"),
    }
}

async fn reset<S: Store>(store: &S, question: Since) -> Reset {
    match since(store, "a", question).await {
        Content::Reset(reset, _) => reset,
        other => panic!("not a reset: {other:?}"),
    }
}

fn messages(objects: &[Object]) -> Vec<&Message> {
    objects
        .iter()
        .filter_map(|object| match object {
            Object::Message(message) => Some(message),
            Object::Participant(_) | Object::Unknown => None,
        })
        .collect()
}

mod people;
mod reading;
mod writing;

/// All of them.
mod cases {
    pub(super) use super::people::*;
    pub(super) use super::reading::*;
    pub(super) use super::writing::*;
}

macro_rules! contract {
    ($store:ident, $open:expr, [$($case:ident),* $(,)?]) => {
        mod $store {
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    let (store, _kept) = $open;
                    super::cases::$case(store).await;
                }
            )*
        }
    };
}

macro_rules! contract_of {
    ($store:ident, $open:expr) => {
        contract!(
            $store,
            $open,
            [
                numbers_are_dense_and_only_stored_messages_take_one,
                a_resend_gets_the_original_answer_whatever_happened_since,
                a_key_belongs_to_its_sender_and_thread,
                a_cancelled_key_is_void_for_ever,
                a_page_holds_each_object_once_in_its_latest_state,
                pages_abut_and_are_bounded_in_number_and_bytes,
                a_reader_who_cannot_continue_gets_the_newest_window,
                a_reader_too_far_behind_is_reset,
                a_message_id_stands_for_the_change_that_brought_it,
                nobody_learns_which_threads_exist,
                a_person_is_let_in_again_and_sees_everything,
                a_gateway_finds_what_changed,
                history_ends_below_the_place_and_says_as_of_when,
                the_inbox_shows_the_latest_changed_first_in_pages,
            ]
        );
    };
}

contract_of!(
    sqlite_in_memory,
    (SqliteStore::memory(&epoch()).unwrap(), ())
);
contract_of!(sqlite_in_a_file, {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    (SqliteStore::open(&path, &epoch()).unwrap(), folder)
});
contract_of!(postgres, {
    let database = Database::migrated().await;
    (database.store().await, database)
});
