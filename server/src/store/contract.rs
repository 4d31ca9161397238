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
        .apply(now, Arc::from(commands), Locked::Skip)
        .await
        .unwrap();
    assert_eq!(applied.outcomes.len(), commands.len());
    applied.outcomes
}

async fn one<S: Store>(store: &S, command: Command) -> Outcome {
    run(store, &[command]).await.remove(0)
}

pub(super) fn ack(outcome: &Outcome) -> Ack {
    match &outcome.answer {
        Answer::Stored(ack) => ack.clone(),
        other => panic!("not stored: {other:?}"),
    }
}

pub(super) fn code(outcome: &Outcome) -> ErrorCode {
    match &outcome.answer {
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

async fn numbers_are_dense_and_only_stored_messages_take_one<S: Store>(store: S) {
    let outcomes = run(
        &store,
        &[
            send(T, "a", 1, "one"),
            send(T, "stranger", 1, "no"),
            send(T, "a", 1, "one"),
            send(T, "b", 2, "nul \0"),
            send(T, "b", 3, &"x".repeat(16 * 1024 + 1)),
            send(T, "b", 4, "two"),
        ],
    )
    .await;
    let first = ack(&outcomes[0]);
    // The pair took revisions 1 and 2.
    assert_eq!((first.sequence_number.get(), first.revision), (1, at(3)));
    let changes = &outcomes[0].publication.as_ref().unwrap().changes;
    assert_eq!(
        changes
            .iter()
            .map(|one| one.revision.get())
            .collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert_eq!(code(&outcomes[1]), ErrorCode::NotFound);
    assert!(ack(&outcomes[2]).duplicate, "also inside one batch");
    assert_eq!(code(&outcomes[3]), ErrorCode::Invalid);
    assert_eq!(code(&outcomes[4]), ErrorCode::TooLarge);
    let last = ack(&outcomes[5]);
    assert_eq!((last.sequence_number.get(), last.revision), (2, at(4)));
}

async fn a_resend_gets_the_original_answer_whatever_happened_since<S: Store>(store: S) {
    let first = ack(&one(&store, send(T, "a", 1, "one")).await);
    let edit = Command::Edit {
        thread_id: thread(T),
        user_id: user("a"),
        server_msg_id: first.server_msg_id.clone(),
        body: "edited".to_owned(),
    };
    let remove = Command::Remove {
        thread_id: thread(T),
        user_id: user("a"),
    };
    run(&store, &[edit, remove]).await;
    let again = one(&store, send(T, "a", 1, "one")).await;
    let duplicate = Ack {
        duplicate: true,
        ..first
    };
    assert_eq!(ack(&again), duplicate);
    assert_eq!(again.publication, None);
    assert_eq!(
        code(&one(&store, send(T, "a", 1, "edited")).await),
        ErrorCode::IdConflict
    );
    assert_eq!(
        code(&one(&store, send(T, "a", 9, "new")).await),
        ErrorCode::NotFound
    );
}

async fn a_key_belongs_to_its_sender_and_thread<S: Store>(store: S) {
    let outcomes = run(
        &store,
        &[
            send(T, "a", 1, "mine"),
            send(T, "b", 1, "other sender"),
            send("a|c", "a", 1, "other thread"),
        ],
    )
    .await;
    assert!(outcomes.iter().all(|outcome| !ack(outcome).duplicate));
}

async fn a_cancelled_key_is_void_for_ever<S: Store>(store: S) {
    let cancel = |sender: &str, number| Command::Cancel {
        thread_id: thread(T),
        sender_id: user(sender),
        client_msg_id: key(number),
    };
    let stored = ack(&one(&store, send(T, "a", 1, "one")).await);
    assert_eq!(
        ack(&one(&store, cancel("a", 1)).await).server_msg_id,
        stored.server_msg_id
    );
    assert_eq!(one(&store, cancel("a", 2)).await.answer, Answer::Cancelled);
    assert_eq!(one(&store, cancel("a", 2)).await.answer, Answer::Cancelled);
    assert_eq!(
        code(&one(&store, send(T, "a", 2, "late")).await),
        ErrorCode::Gone
    );
    assert_eq!(
        code(&one(&store, cancel("stranger", 3)).await),
        ErrorCode::NotFound
    );
    let next = ack(&one(&store, send(T, "a", 3, "three")).await);
    assert_eq!(next.sequence_number.get(), 2, "a void key burns no number");
}

async fn a_page_holds_each_object_once_in_its_latest_state<S: Store>(store: S) {
    run(&store, &[send(T, "a", 1, "one"), send(T, "b", 2, "two")]).await;
    let edit = Command::Edit {
        thread_id: thread(T),
        user_id: user("a"),
        server_msg_id: id_of(T, "a", 1),
        body: "edited".to_owned(),
    };
    let tombstone = Command::Tombstone {
        thread_id: thread(T),
        user_id: user("b"),
        server_msg_id: id_of(T, "b", 2),
    };
    run(&store, &[edit, tombstone.clone(), tombstone]).await;
    let page = page(&store, 2).await;
    assert_eq!(
        (page.from_revision, page.to_revision, page.more),
        (at(2), at(6), false)
    );
    let found = messages(&page.changes);
    assert_eq!(
        found
            .iter()
            .map(|one| one.revision.get())
            .collect::<Vec<_>>(),
        [5, 6]
    );
    assert_eq!(found[0].body, "edited");
    assert_eq!((found[1].deleted, found[1].body.as_str()), (true, ""));
    assert_eq!(found[1].client_msg_id, key(2));
}

async fn pages_abut_and_are_bounded_in_number_and_bytes<S: Store>(store: S) {
    let small: Vec<_> = (0..250).map(|number| send(T, "a", number, "x")).collect();
    run(&store, &small).await;
    let big = "y".repeat(16 * 1024);
    let large: Vec<_> = (250..290)
        .map(|number| send(T, "a", number, &big))
        .collect();
    run(&store, &large).await;
    let (mut from, mut seen, mut pages) = (0, 0, 0);
    loop {
        let page = page(&store, from).await;
        assert_eq!(page.from_revision, at(from));
        assert!(page.changes.len() <= 200);
        assert!(rejoinder_protocol::encode(&page).len() <= 257 * 1024);
        seen += page.changes.len();
        pages += 1;
        from = page.to_revision.get();
        if !page.more {
            break;
        }
    }
    assert_eq!((from, seen), (292, 292));
    assert!(pages >= 4, "{pages}");
}

async fn a_reader_who_cannot_continue_gets_the_newest_window<S: Store>(store: S) {
    let many: Vec<_> = (0..60).map(|number| send(T, "a", number, "x")).collect();
    run(&store, &many).await;
    let cursor = |epoch, revision| Cursor {
        epoch,
        revision: at(revision),
    };
    let elsewhere = cursor("other".parse().unwrap(), 5);
    for lost in [elsewhere, cursor(epoch_of(&store).await, 63)] {
        let reset = reset(&store, Since::Cursor(lost.clone())).await;
        assert_eq!(reset.answers, Some(lost));
    }
    reset(&store, Since::Message(id_of("elsewhere", "a", 1))).await;
    let reset = reset(&store, Since::Nothing).await;
    assert_eq!(
        (reset.answers, reset.head_revision, reset.has_older),
        (None, at(62), true)
    );
    let window = messages(&reset.window);
    let places: Vec<_> = window.iter().map(|one| one.sequence_number.get()).collect();
    assert_eq!(places, (11..=60).collect::<Vec<_>>());
    assert_eq!(reset.window.len(), 52, "and all participants");
}

async fn a_reader_too_far_behind_is_reset<S: Store>(store: S) {
    let many: Vec<_> = (0..5_001).map(|number| send(T, "a", number, "x")).collect();
    for batch in many.chunks(256) {
        run(&store, batch).await;
    }
    assert_eq!(page(&store, 3).await.head_revision, at(5_003));
    let cursor = Cursor {
        epoch: epoch_of(&store).await,
        revision: at(2),
    };
    reset(&store, Since::Cursor(cursor)).await;
}

async fn a_message_id_stands_for_the_change_that_brought_it<S: Store>(store: S) {
    run(&store, &[send(T, "a", 1, "one"), send(T, "b", 2, "two")]).await;
    let tombstone = Command::Tombstone {
        thread_id: thread(T),
        user_id: user("a"),
        server_msg_id: id_of(T, "a", 1),
    };
    one(&store, tombstone).await;
    match since(&store, "b", Since::Message(id_of(T, "a", 1))).await {
        // Its own revision is 5 now; starting there would hide "two".
        Content::Page(page, _) => assert_eq!((page.from_revision, page.changes.len()), (at(3), 2)),
        other => panic!("{other:?}"),
    }
}

async fn nobody_learns_which_threads_exist<S: Store>(store: S) {
    run(&store, &[send(T, "a", 1, "one"), send(T, "b", 1, "two")]).await;
    let remove = Command::Remove {
        thread_id: thread(T),
        user_id: user("b"),
    };
    let outcome = one(&store, remove).await;
    let publication = outcome.publication.unwrap();
    assert_eq!(
        (publication.removed, publication.participants),
        (vec![user("b")], vec![user("a")])
    );
    for reader in ["stranger", "b"] {
        assert_eq!(
            since(&store, reader, Since::Nothing).await,
            Content::NotFound
        );
    }
    let create = Command::Create {
        thread_id: thread(T),
        participants: [user("x"), user("y")],
    };
    assert_eq!(code(&one(&store, create).await), ErrorCode::NotFound);
}

async fn a_person_is_let_in_again_and_sees_everything<S: Store>(store: S) {
    run(&store, &[send(T, "a", 1, "one")]).await;
    let (thread_id, b) = (thread(T), user("b"));
    let remove = || Command::Remove {
        thread_id: thread(T),
        user_id: user("b"),
    };
    let admit = |thread_id: &ThreadId, user_id: &UserId| Command::Admit {
        thread_id: thread_id.clone(),
        user_id: user_id.clone(),
    };
    one(&store, remove()).await;
    run(&store, &[send(T, "a", 2, "two")]).await;
    let outcome = one(&store, admit(&thread_id, &b)).await;
    let publication = outcome.publication.unwrap();
    assert_eq!(publication.head(), at(6));
    assert_eq!(publication.participants, [user("a"), user("b")]);
    let reset = reset(&store, Since::Nothing).await;
    assert_eq!(reset.window.len(), 4, "two messages and two people");
    // Again is nothing new, somebody else is, and a thread that is not there is none.
    let outcome = one(&store, admit(&thread_id, &b)).await;
    assert_eq!((outcome.answer, outcome.publication), (Answer::Done, None));
    one(&store, admit(&thread_id, &user("c"))).await;
    let nowhere = one(&store, admit(&thread("x|y"), &b)).await;
    assert_eq!(nowhere.answer, Answer::Refused(ErrorCode::NotFound));
    one(&store, remove()).await;

    let question = |reader: Reader| Read::Participants {
        reader,
        thread_id: thread(T),
    };
    for reader in [Reader::Backend, user("a").into(), user("c").into()] {
        let Content::Participants(people) = read(&store, question(reader)).await else {
            panic!("not participants");
        };
        let mut people: Vec<_> = people
            .iter()
            .map(|one| (one.user_id.as_str(), one.left_at.is_some()))
            .collect();
        people.sort_unstable();
        assert_eq!(people, [("a", false), ("b", true), ("c", false)]);
    }
    for reader in ["b", "stranger"] {
        let found = read(&store, question(user(reader).into())).await;
        assert_eq!(found, Content::NotFound);
    }
    let nowhere = Read::History {
        reader: Reader::Backend,
        thread_id: thread("x|y"),
        before: SequenceNumber::try_from(9).unwrap(),
        limit: 1,
    };
    assert_eq!(read(&store, nowhere).await, Content::NotFound);
}

async fn history_ends_below_the_place_and_says_as_of_when<S: Store>(store: S) {
    let many: Vec<_> = (0..5).map(|number| send(T, "a", number, "x")).collect();
    run(&store, &many).await;
    let question = |before, limit| Read::History {
        reader: user("b").into(),
        thread_id: thread(T),
        before: SequenceNumber::try_from(before).unwrap(),
        limit,
    };
    let Content::History(history) = read(&store, question(5, 2)).await else {
        panic!("not history");
    };
    let places = history.messages.iter().map(|one| one.sequence_number.get());
    assert_eq!(places.collect::<Vec<_>>(), [3, 4]);
    assert_eq!((history.as_of, history.has_older), (at(7), true));
    let edit = Command::Edit {
        thread_id: thread(T),
        user_id: user("a"),
        server_msg_id: id_of(T, "a", 0),
        body: "edited".to_owned(),
    };
    one(&store, edit).await;
    let Content::History(history) = read(&store, question(3, 0)).await else {
        panic!("not history");
    };
    assert_eq!(
        (history.messages.len(), history.as_of),
        (1, at(8)),
        "a limit is at least 1"
    );
}

async fn the_inbox_shows_the_latest_changed_first_in_pages<S: Store>(store: S) {
    for (moment, other) in [(1, "x"), (2, "y"), (2, "z"), (3, "w")] {
        let command = send(&format!("a|{other}"), "a", 1, other);
        let now = UnixMillis::try_from(moment).unwrap();
        let batch = Arc::from([command]);
        store.apply(now, batch, Locked::Skip).await.unwrap();
    }
    let (mut before, mut seen) = (None, Vec::new());
    loop {
        let question = Read::Inbox {
            user_id: user("a"),
            limit: 1,
            before,
        };
        let Content::Inbox(inbox) = read(&store, question).await else {
            panic!("not an inbox");
        };
        for summary in inbox.threads {
            seen.push(summary.preview.unwrap().body);
        }
        before = inbox.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["w", "y", "z", "x"]);
    let nonsense = Read::Inbox {
        user_id: user("a"),
        limit: 1,
        before: Some("nonsense".to_owned()),
    };
    assert_eq!(read(&store, nonsense).await, Content::Invalid);
}

macro_rules! contract {
    ($store:ident, $open:expr, [$($case:ident),* $(,)?]) => {
        mod $store {
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    let (store, _kept) = $open;
                    super::$case(store).await;
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
