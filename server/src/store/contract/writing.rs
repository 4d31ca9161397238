//! What becomes of messages.

use super::*;

pub(super) async fn numbers_are_dense_and_only_stored_messages_take_one<S: Store>(store: S) {
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

pub(super) async fn a_resend_gets_the_original_answer_whatever_happened_since<S: Store>(store: S) {
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

pub(super) async fn a_key_belongs_to_its_sender_and_thread<S: Store>(store: S) {
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

pub(super) async fn a_cancelled_key_is_void_for_ever<S: Store>(store: S) {
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
