//! Who may read, and who takes part.

use super::*;

pub(super) async fn nobody_learns_which_threads_exist<S: Store>(store: S) {
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

pub(super) async fn a_person_is_let_in_again_and_sees_everything<S: Store>(store: S) {
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

/// What a gateway asks for itself: what changed while it may not have heard of it.
pub(super) async fn a_gateway_finds_what_changed<S: Store>(store: S) {
    for (moment, sender, other) in [(1_000, "a", "b"), (2_000, "a", "c"), (3_000, "d", "e")] {
        let command = send(&format!("{sender}|{other}"), sender, 1, other);
        let now = UnixMillis::try_from(moment).unwrap();
        let batch = Arc::from([command]);
        store
            .apply(store.epoch().clone(), now, batch, Locked::Skip)
            .await
            .unwrap();
    }
    let heads = |content: Content| {
        let Content::Heads(heads) = content else {
            panic!("not heads");
        };
        let named = heads.into_iter().map(|(id, at)| (id.to_string(), at.get()));
        named.collect::<Vec<_>>()
    };
    let asked = Read::Heads {
        thread_ids: vec![thread("a|c"), thread("nobodys")],
    };
    assert_eq!(heads(read(&store, asked).await), [("a|c".to_owned(), 3)]);
    let changed = |users: &[&str], since| Read::Changed {
        user_ids: users.iter().map(|one| user(one)).collect(),
        since: UnixMillis::try_from(since).unwrap(),
    };
    let found = heads(read(&store, changed(&["a", "b", "x"], 1_500)).await);
    assert_eq!(
        found,
        [("a|c".to_owned(), 3)],
        "not older, not other people's"
    );
    assert_eq!(heads(read(&store, changed(&["d"], 0)).await).len(), 1);
    one(
        &store,
        Command::Remove {
            thread_id: thread("a|c"),
            user_id: user("c"),
        },
    )
    .await;
    assert_eq!(heads(read(&store, changed(&["c"], 0)).await), []);
    let overview = |id: &str| Read::Overview {
        thread_id: thread(id),
    };
    let Content::Overview(summary, left) = read(&store, overview("a|c")).await else {
        panic!("no overview");
    };
    assert_eq!(
        (summary.participants, left),
        (vec![user("a")], vec![user("c")])
    );
    assert_eq!(
        (summary.revision, summary.preview.unwrap().body),
        (at(4), "c".to_owned())
    );
    assert_eq!(read(&store, overview("nobodys")).await, Content::NotFound);
}
