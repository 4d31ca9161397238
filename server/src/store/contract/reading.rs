//! What readers are given.

use super::*;

pub(super) async fn a_page_holds_each_object_once_in_its_latest_state<S: Store>(store: S) {
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

pub(super) async fn pages_abut_and_are_bounded_in_number_and_bytes<S: Store>(store: S) {
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

pub(super) async fn a_reader_who_cannot_continue_gets_the_newest_window<S: Store>(store: S) {
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

pub(super) async fn a_reader_too_far_behind_is_reset<S: Store>(store: S) {
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

pub(super) async fn a_message_id_stands_for_the_change_that_brought_it<S: Store>(store: S) {
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

pub(super) async fn history_ends_below_the_place_and_says_as_of_when<S: Store>(store: S) {
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

pub(super) async fn the_inbox_shows_the_latest_changed_first_in_pages<S: Store>(store: S) {
    for (moment, other) in [(1, "x"), (2, "y"), (2, "z"), (3, "w")] {
        let command = send(&format!("a|{other}"), "a", 1, other);
        let now = UnixMillis::try_from(moment).unwrap();
        let batch = Arc::from([command]);
        store
            .apply(store.epoch().clone(), now, batch, Locked::Skip)
            .await
            .unwrap();
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
