use rejoinder::engine::{AppInput, ConnectionState, PartnerPresence, SyncState};
use rejoinder_protocol::{
    ClientFrame, HistoryPage, Message, Object, Page, Presence, PresenceState, Removed, Reset,
    ServerFrame, Since, TypingNotice,
};

use crate::script::{Script, ack, change, cursor, epoch, from_bob, live, reset, rev, seq, user};
use crate::story::thread;

fn page(from: u64, to: u64, changes: Vec<Message>, more: bool) -> ServerFrame {
    ServerFrame::Page(Page {
        thread_id: thread(),
        from_revision: rev(from),
        to_revision: rev(to),
        head_revision: rev(to),
        changes: changes.into_iter().map(Object::Message).collect(),
        more,
    })
}

fn typing(user_id: &str, is_typing: bool) -> ServerFrame {
    ServerFrame::Typing(TypingNotice {
        thread_id: thread(),
        user_id: user(user_id),
        is_typing,
    })
}

fn is_typing(script: &Script) -> bool {
    script.browser.screen.meta(&thread()).partners[0].is_typing
}

fn history(before: u64, messages: std::ops::Range<u64>, as_of: u64) -> ServerFrame {
    ServerFrame::History(HistoryPage {
        thread_id: thread(),
        before_sequence_number: seq(before),
        epoch: epoch(),
        as_of: rev(as_of),
        has_older: messages.start > 1,
        messages: messages.map(from_bob).collect(),
    })
}

fn bobs(range: std::ops::RangeInclusive<u64>) -> Vec<String> {
    range.map(|number| format!("bob {number}")).collect()
}

/// Returns where the last `subscribe` said we stand.
fn subscribed_since(script: &mut Script) -> Option<Since> {
    script
        .take()
        .into_iter()
        .rev()
        .find_map(|frame| match frame {
            ClientFrame::Subscribe(subscribe) => Some(subscribe.since),
            _ => None,
        })
}

#[test]
fn live_changes_are_applied_in_order_and_announced_once() {
    let mut alice = Script::live(2);
    alice.say(&change(from_bob(3)));
    alice.say(&change(from_bob(3)));
    alice.say(&change(from_bob(4)));
    assert_eq!(alice.bodies(), bobs(1..=4));
    assert_eq!(alice.browser.screen.heard, bobs(3..=4));
    assert_eq!(alice.take(), [], "a duplicate is nothing to ask about");
}

#[test]
fn a_hole_is_asked_for_and_nothing_is_shown_out_of_order() {
    let mut alice = Script::live(1);
    alice.say(&change(from_bob(3)));
    assert_eq!(alice.bodies(), bobs(1..=1));
    assert_eq!(subscribed_since(&mut alice), Some(Since::Cursor(cursor(3))));
    alice.say(&page(3, 5, vec![from_bob(2), from_bob(3)], false));
    alice.say(&live(5));
    assert_eq!(alice.bodies(), bobs(1..=3));
    assert_eq!(alice.browser.screen.heard, bobs(2..=3));
}

#[test]
fn a_hole_noticed_during_a_sync_is_not_forgotten() {
    let mut alice = Script::live(1);
    alice.reconnect();
    alice.take();
    alice.say(&change(from_bob(4)));
    alice.say(&page(3, 4, vec![from_bob(2)], false));
    alice.say(&live(4));
    assert_eq!(subscribed_since(&mut alice), Some(Since::Cursor(cursor(4))));
}

#[test]
fn an_ack_above_the_cursor_is_a_hint() {
    let mut alice = Script::live(1);
    let key = alice.send("hello");
    alice.say(&ack(5, key));
    alice.take();
    alice.browser.pass(999);
    assert_eq!(alice.take(), []);
    alice.browser.pass(1);
    assert_eq!(subscribed_since(&mut alice), Some(Since::Cursor(cursor(3))));
}

#[test]
fn a_page_holds_an_edited_message_once_and_announces_it_once() {
    let mut alice = Script::live(1);
    alice.reconnect();
    let edited = Message {
        revision: rev(5),
        body: "edited".into(),
        ..from_bob(2)
    };
    let third = Message {
        revision: rev(4),
        ..from_bob(3)
    };
    // By revision the third message comes before the edited second one.
    alice.say(&page(3, 5, vec![third, edited], false));
    alice.say(&live(5));
    assert_eq!(alice.bodies(), ["bob 1", "edited", "bob 3"]);
    assert_eq!(
        alice.browser.screen.heard,
        ["edited", "bob 3"],
        "in the order of the thread"
    );
}

#[test]
fn an_older_state_never_replaces_a_newer_one() {
    let mut alice = Script::live(1);
    let edited = Message {
        revision: rev(4),
        body: "edited".into(),
        ..from_bob(1)
    };
    alice.say(&change(edited));
    alice.reconnect();
    alice.say(&page(
        4,
        6,
        vec![Message {
            revision: rev(3),
            ..from_bob(1)
        }],
        false,
    ));
    assert_eq!(alice.bodies(), ["edited"]);
}

#[test]
fn a_stale_reset_is_dropped_and_followed_by_a_sync() {
    let mut alice = Script::live(5);
    alice.reconnect();
    alice.take();
    let ServerFrame::Reset(stale) = reset(1, 3) else {
        panic!()
    };
    alice.say(&ServerFrame::Reset(Reset {
        answers: Some(cursor(2)),
        ..stale.clone()
    }));
    assert_eq!(alice.bodies(), bobs(1..=5));
    assert_eq!(subscribed_since(&mut alice), Some(Since::Cursor(cursor(7))));

    alice.say(&ServerFrame::Reset(Reset {
        answers: Some(cursor(7)),
        ..stale
    }));
    assert_eq!(
        alice.bodies(),
        bobs(1..=3),
        "ours was ahead of the head: that is a restore"
    );
}

#[test]
fn frames_of_another_history_are_not_applied() {
    let mut alice = Script::live(1);
    let ServerFrame::Reset(other) = reset(1, 3) else {
        panic!()
    };
    alice.say(&ServerFrame::Reset(Reset {
        epoch: "e2".parse().unwrap(),
        ..other
    }));
    assert_eq!(alice.bodies(), bobs(1..=1));
}

#[test]
fn the_state_of_the_sync_is_shown() {
    let mut alice = Script::offline();
    let sync_state = |script: &Script| script.browser.screen.meta(&thread()).sync_state;
    assert_eq!(sync_state(&alice), SyncState::Connecting);
    alice.connect();
    alice.say(&reset(1, 1));
    assert_eq!(sync_state(&alice), SyncState::CatchingUp);
    alice.say(&live(3));
    assert_eq!(sync_state(&alice), SyncState::Live);
    alice.lose();
    assert_eq!(sync_state(&alice), SyncState::Connecting);
}

#[test]
fn older_messages_come_from_the_gateway_and_then_from_the_cache() {
    let mut alice = Script::offline();
    alice.connect();
    alice.say(&reset(301, 350));
    alice.say(&live(352));
    alice.take();
    assert!(alice.browser.screen.meta(&thread()).has_older);
    for before in [301, 251, 201] {
        alice.browser.app(AppInput::LoadOlder {
            thread_id: thread(),
        });
        assert!(alice.browser.screen.meta(&thread()).is_loading_older);
        let asked = alice.take();
        assert!(
            matches!(&asked[..], [ClientFrame::History(request)]
            if request.before_sequence_number == seq(before)),
            "{asked:?}"
        );
        alice.say(&history(before, before - 50..before, 352));
    }
    assert_eq!(alice.bodies(), bobs(151..=350));
    assert!(alice.browser.screen.heard.is_empty(), "history is not news");

    let mut again = Script::with_storage(alice.browser.storage.clone());
    let first_paint = again.bodies();
    assert!(
        first_paint.len() < 200,
        "the cache is read in parts: {}",
        first_paint.len()
    );
    again.browser.app(AppInput::LoadOlder {
        thread_id: thread(),
    });
    assert_eq!(
        again.bodies(),
        bobs(151..=350),
        "the rest without a connection"
    );
    again.browser.app(AppInput::LoadOlder {
        thread_id: thread(),
    });
    again.connect();
    let asked = again.take();
    let before = asked.iter().find_map(|frame| match frame {
        ClientFrame::History(request) => Some(request.before_sequence_number),
        _ => None,
    });
    assert_eq!(before, Some(seq(151)), "{asked:?}");
}

#[test]
fn history_that_an_edit_overtook_is_asked_again() {
    let mut alice = Script::offline();
    alice.connect();
    alice.say(&reset(51, 100));
    alice.say(&live(102));
    alice.browser.app(AppInput::LoadOlder {
        thread_id: thread(),
    });
    alice.take();
    // Read by the gateway as of 102, then message 50 is edited, then the answer arrives.
    alice.say(&change(Message {
        revision: rev(103),
        body: "edited".into(),
        ..from_bob(50)
    }));
    alice.say(&history(51, 1..51, 102));
    assert_eq!(
        alice.bodies(),
        bobs(51..=100),
        "an answer that lacks the edit is not shown"
    );
    assert!(matches!(&alice.take()[..], [ClientFrame::History(_)]));
    let ServerFrame::History(mut fresh) = history(51, 1..51, 103) else {
        panic!()
    };
    fresh.messages[49] = Message {
        revision: rev(103),
        body: "edited".into(),
        ..from_bob(50)
    };
    alice.say(&ServerFrame::History(fresh));
    assert_eq!(alice.bodies()[49], "edited");
    assert_eq!(alice.bodies().len(), 100);

    let again = Script::with_storage(alice.browser.storage.clone());
    assert_eq!(again.bodies()[49], "edited", "stored as it was shown");
}

#[test]
fn history_that_does_not_fit_is_asked_again() {
    let mut alice = Script::offline();
    alice.connect();
    alice.say(&reset(51, 100));
    alice.browser.app(AppInput::LoadOlder {
        thread_id: thread(),
    });
    alice.take();
    alice.say(&history(40, 30..40, 102));
    assert_eq!(alice.bodies().len(), 50, "an answer to another question");
    alice.say(&history(51, 1..40, 102));
    assert_eq!(
        alice.bodies().len(),
        50,
        "a hole between window and history"
    );
}

#[test]
fn typing_expires_and_ends_with_a_message_or_the_connection() {
    let mut alice = Script::live(1);
    alice.say(&typing("bob", true));
    assert!(is_typing(&alice));
    alice.browser.pass(6_000);
    assert!(!is_typing(&alice), "nobody has to say that it ended");

    alice.say(&typing("bob", true));
    alice.say(&change(from_bob(2)));
    assert!(!is_typing(&alice), "who sent has stopped writing");

    alice.say(&typing("bob", true));
    alice.lose();
    assert!(!is_typing(&alice));
}

#[test]
fn typing_of_strangers_and_of_oneself_is_nothing() {
    let mut alice = Script::live(1);
    alice.say(&typing("mallory", true));
    alice.say(&typing("alice", true));
    assert!(!is_typing(&alice));
}

#[test]
fn own_typing_is_told_rarely_and_ended_at_once() {
    let mut alice = Script::live(1);
    let mut say = |is_typing| {
        alice.browser.app(AppInput::SetTyping {
            thread_id: thread(),
            is_typing,
        });
        let frames = alice.take();
        alice.browser.pass(1_000);
        frames.len()
    };
    assert_eq!(say(false), 0, "nothing to end");
    assert_eq!(
        [say(true), say(true), say(true), say(true)],
        [1, 0, 0, 1],
        "renewed after 3 s"
    );
    assert_eq!([say(false), say(false)], [1, 0]);
}

#[test]
fn presence_is_unknown_without_a_connection() {
    let mut alice = Script::live(1);
    let presence = |script: &Script| {
        let partner = &script.browser.screen.meta(&thread()).partners[0];
        (partner.presence, partner.last_seen_at)
    };
    assert_eq!(presence(&alice), (PartnerPresence::Unknown, None));
    let online = Presence {
        user_id: user("bob"),
        state: PresenceState::Online,
        last_seen_at: None,
    };
    alice.say(&ServerFrame::Presence(online.clone()));
    assert_eq!(presence(&alice).0, PartnerPresence::Online);
    let seen = Some(7.try_into().unwrap());
    let offline = Presence {
        state: PresenceState::Offline,
        last_seen_at: seen,
        ..online
    };
    alice.say(&ServerFrame::Presence(offline));
    assert_eq!(presence(&alice), (PartnerPresence::Offline, seen));
    alice.lose();
    assert_eq!(presence(&alice), (PartnerPresence::Unknown, seen));
}

#[test]
fn who_is_removed_sees_nothing_any_more() {
    let mut alice = Script::live(3);
    let key = alice.send("acked");
    alice.say(&ack(4, key));
    alice.say(&ServerFrame::Removed(Removed {
        thread_id: thread(),
    }));
    assert!(alice.bodies().is_empty());
    assert!(alice.browser.screen.meta(&thread()).unavailable.is_some());
    let again = Script::with_storage(alice.browser.storage.clone());
    assert!(again.bodies().is_empty());
    assert_eq!(again.browser.storage.outbox_len(), 0);
}

#[test]
fn objects_of_later_versions_are_skipped_and_count_as_seen() {
    let mut alice = Script::live(1);
    let attempt = alice.attempt;
    let text = r#"{"type":"change","thread_id":"alice|bob","revision":4,"object":{"kind":"poll"}}"#;
    alice.browser.feed(rejoinder::engine::Input::Frame {
        attempt,
        text: text.into(),
    });
    let next = Message {
        revision: rev(5),
        ..from_bob(2)
    };
    alice.say(&change(next));
    assert_eq!(alice.bodies(), bobs(1..=2));
    assert_eq!(alice.take(), []);
}

#[test]
fn frames_that_were_not_asked_for_are_ignored() {
    let mut alice = Script::live(1);
    let elsewhere = |frame: ServerFrame| {
        let text = rejoinder_protocol::encode(&frame).replace("alice|bob", "x|y");
        rejoinder_protocol::decode_server_frame(&text).unwrap()
    };
    let key = crate::script::bobs_key(9);
    for frame in [
        elsewhere(reset(1, 2)),
        elsewhere(change(from_bob(2))),
        elsewhere(live(900)),
        ack(9, key),
        history(1, 1..1, 9),
        page(9_000_000, 9_000_001, vec![], false),
        change(Message {
            revision: rev(0),
            ..from_bob(1)
        }),
    ] {
        alice.say(&frame);
    }
    let state = alice.browser.screen.connection.as_ref().unwrap().state;
    assert_eq!(state, ConnectionState::Connected);
    assert_eq!(alice.bodies(), bobs(1..=1));
}

#[test]
fn numbers_that_cannot_be_break_nothing() {
    let mut alice = Script::live(3);
    let numbered = |number: u64| {
        let revision = rev(number);
        change(Message {
            revision,
            ..from_bob(4)
        })
    };
    // Nothing, what is known, and what was before it.
    for number in [0, 1, 5] {
        alice.say(&numbered(number));
    }
    assert_eq!(alice.take(), []);
    // A million ahead, and as far as numbers go: holes, which are asked for once.
    for number in [1_000_000, (1 << 53) - 1] {
        alice.say(&numbered(number));
    }
    assert_eq!(subscribed_since(&mut alice), Some(Since::Cursor(cursor(5))));
    assert_eq!(alice.bodies(), bobs(1..=3));
    alice.say(&change(from_bob(4)));
    assert!(alice.bodies().len() <= 4);
}

#[test]
fn one_new_message_is_one_row_and_one_splice() {
    let mut alice = Script::live(200);
    let mut effects = Vec::new();
    let text = rejoinder_protocol::encode(&change(from_bob(201)));
    let input = rejoinder::engine::Input::Frame {
        attempt: alice.attempt,
        text,
    };
    alice
        .browser
        .engine
        .handle(alice.browser.now, input, &mut effects);
    let delta = effects.iter().find_map(|effect| match effect {
        rejoinder::engine::Effect::Notify(rejoinder::engine::Notice::Thread(delta)) => Some(delta),
        _ => None,
    });
    let delta = delta.unwrap();
    let splice = delta.splice.as_ref().unwrap();
    assert_eq!((delta.upserted.len(), delta.removed.len()), (1, 0));
    assert_eq!(
        (splice.at, splice.delete_count, splice.insert.len()),
        (200, 0, 1)
    );
}
