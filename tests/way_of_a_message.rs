//! The story of Rejoinder: what happens to a message, on good days and on bad ones.
//!
//! Alice and Bob, each in a browser tab, and a gateway between them. The engines, the gateway's
//! cores and the store on disk are the real ones; only the clock, the network and the browser's
//! database are played (see `story/`). Nothing here waits.
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test"
)]

mod story;

use rejoinder::engine::{
    AppInput, ConnectionState, Delivery, DiscardOutcome, PartnerPresence, SyncState,
};
use rejoinder_gateway::store::Command;
use rejoinder_protocol::{
    Change, ClientFrame, Message, Object, Send, ServerFrame, ThreadId, UserId,
};
use story::storage::Storage;
use story::thread;
use story::world::{Network, TabId, World};

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn bodies(world: &World, tab: TabId) -> Vec<String> {
    world.tab(tab).screen.bodies(&thread())
}

fn stored_bodies(world: &World) -> Vec<String> {
    world
        .stored("alice", &thread())
        .into_iter()
        .map(|message| message.body)
        .collect()
}

fn sync_state(world: &World, tab: TabId) -> SyncState {
    world.tab(tab).screen.meta(&thread()).sync_state
}

fn send(world: &mut World, tab: TabId, body: &str) -> rejoinder_protocol::ClientMsgId {
    world.with(tab, |browser| browser.send(&thread(), body))
}

fn send_all(world: &mut World, tab: TabId, bodies: impl IntoIterator<Item = String>) {
    for body in bodies {
        send(world, tab, &body);
    }
}

fn numbered(name: &str, range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("{name} {number}")).collect()
}

/// Alice and Bob, both there.
fn pair() -> (World, TabId, TabId) {
    let mut world = World::new();
    let alice = world.join("alice", &thread());
    let bob = world.join("bob", &thread());
    (world, alice, bob)
}

fn assert_nothing_waits(world: &World, tab: TabId) {
    assert_eq!(
        world.tab(tab).storage.outbox_len(),
        0,
        "the outbox is empty"
    );
    for delivery in world.tab(tab).screen.deliveries(&thread()) {
        assert_eq!(delivery, Delivery::Sent);
    }
}

#[test]
fn a_message_arrives_and_its_sender_knows() {
    let (mut world, alice, bob) = pair();
    send(&mut world, alice, "Hello, Bob!");
    assert_eq!(bodies(&world, bob), ["Hello, Bob!"]);
    assert_eq!(bodies(&world, alice), ["Hello, Bob!"]);
    assert_nothing_waits(&world, alice);
    send(&mut world, bob, "Hello, Alice!");
    assert_eq!(bodies(&world, alice), ["Hello, Bob!", "Hello, Alice!"]);
    assert_eq!(
        world.tab(alice).screen.heard,
        ["Hello, Bob!", "Hello, Alice!"]
    );
    assert_eq!(sync_state(&world, alice), SyncState::Live);
}

#[test]
fn a_lost_ack_is_answered_again_with_the_original() {
    let (mut world, alice, bob) = pair();
    world.set_network(alice, Network::Deaf);
    send(&mut world, alice, "Did you get this?");
    let original = world.stored("alice", &thread());
    assert_eq!(original.len(), 1, "stored, but Alice was not told");
    assert!(matches!(
        world.tab(alice).screen.deliveries(&thread())[..],
        [Delivery::Queued { .. }]
    ));

    world.pass(20_000);
    world.set_network(alice, Network::Works);
    world.pass(40_000);
    let rows = world.tab(alice).screen.rows(&thread());
    assert_eq!(rows.len(), 1);
    assert_eq!(
        rows[0].server_msg_id,
        Some(original[0].server_msg_id.clone())
    );
    assert_eq!(rows[0].sequence_number, Some(original[0].sequence_number));
    assert_eq!(rows[0].sent_at, original[0].sent_at);
    assert_eq!(
        world.stored("alice", &thread()),
        original,
        "nothing was stored twice"
    );
    assert_eq!(bodies(&world, bob).len(), 1);
    assert_nothing_waits(&world, alice);
}

#[test]
fn fifty_messages_written_offline_arrive_once_and_in_order() {
    let (mut world, alice, bob) = pair();
    world.set_network(alice, Network::Cut);
    let written = numbered("offline", 0..50);
    send_all(&mut world, alice, written.clone());
    assert!(bodies(&world, bob).is_empty());
    let alice = world.reload(alice, &thread());
    assert_eq!(bodies(&world, alice), written, "a reload shows what waits");

    world.set_network(alice, Network::Works);
    world.pass(40_000);
    assert_eq!(bodies(&world, bob), written);
    assert_eq!(world.tab(bob).screen.heard, written);
    assert_eq!(bodies(&world, alice), written);
    assert_nothing_waits(&world, alice);
}

#[test]
fn a_gateway_that_was_killed_goes_on_from_its_file() {
    let (mut world, alice, bob) = pair();
    send(&mut world, alice, "before");
    world.kill_gateway();
    send(&mut world, alice, "while it was down");
    send(&mut world, bob, "bob too");
    world.pass(5_000);
    world.start_gateway();
    world.pass(60_000);
    let stored = stored_bodies(&world);
    assert_eq!(stored.len(), 3);
    assert_eq!(stored[0], "before");
    assert_eq!(bodies(&world, alice), stored);
    assert_eq!(bodies(&world, bob), stored);
    assert_nothing_waits(&world, alice);
    assert_nothing_waits(&world, bob);
}

#[test]
fn everybody_sees_the_order_of_the_store() {
    let (mut world, alice, bob) = pair();
    // Both write without hearing each other, then both catch up.
    for network in [Network::Cut, Network::Works] {
        world.set_network(alice, network);
        world.set_network(bob, network);
        for round in 0..10 {
            send(&mut world, alice, &format!("alice {network:?} {round}"));
            send(&mut world, bob, &format!("bob {network:?} {round}"));
        }
        world.pass(40_000);
    }
    let stored = stored_bodies(&world);
    assert_eq!(stored.len(), 40);
    assert_eq!(bodies(&world, alice), stored);
    assert_eq!(bodies(&world, bob), stored);
    let numbers: Vec<u64> = world
        .stored("alice", &thread())
        .iter()
        .map(|message| message.sequence_number.get())
        .collect();
    assert_eq!(numbers, (1..=40).collect::<Vec<u64>>(), "dense from 1");
}

#[test]
fn who_subscribes_while_others_write_misses_nothing() {
    let (mut world, alice, bob) = pair();
    send_all(&mut world, alice, numbered("early", 0..60));
    world.set_network(bob, Network::Cut);
    send_all(&mut world, alice, numbered("missed", 0..450));
    // Bob's pages are being read while Alice goes on writing.
    world.hold_reads = true;
    world.set_network(bob, Network::Works);
    world.pass(5_000);
    assert_eq!(sync_state(&world, bob), SyncState::CatchingUp);
    send_all(&mut world, alice, numbered("meanwhile", 0..20));
    world.release_reads();
    send_all(&mut world, alice, numbered("after", 0..5));
    world.pass(5_000);
    assert_eq!(bodies(&world, bob), bodies(&world, alice));
    assert_eq!(bodies(&world, bob).len(), 535);
    assert_eq!(
        world.tab(bob).screen.heard.len(),
        535,
        "each was announced once"
    );
    assert_eq!(sync_state(&world, bob), SyncState::Live);
}

#[test]
fn a_gap_is_noticed_and_filled_and_a_duplicate_dropped() {
    let (mut world, alice, bob) = pair();
    send(&mut world, alice, "one");
    // Two changes are lost on their way, the third arrives: that cannot happen on one TCP
    // connection, and must not matter if it does.
    world.set_network(bob, Network::Deaf);
    send_all(&mut world, alice, numbered("lost", 0..2));
    world.set_network(bob, Network::Works);
    send(&mut world, alice, "four");
    assert_eq!(bodies(&world, bob), ["one", "lost 0", "lost 1", "four"]);

    let last: Message = world.stored("alice", &thread()).pop().unwrap();
    let revision = last.revision;
    let duplicate = ServerFrame::Change(Change {
        thread_id: thread(),
        revision,
        object: Object::Message(last),
    });
    world.repeat(bob, &duplicate);
    assert_eq!(bodies(&world, bob).len(), 4);
    assert_eq!(world.tab(bob).screen.heard.len(), 4);
}

#[test]
fn a_reset_may_jump_over_an_own_message_that_was_not_acknowledged() {
    let (mut world, alice, bob) = pair();
    world.set_network(alice, Network::Deaf);
    send(&mut world, alice, "stored, but Alice does not know");
    world.set_network(alice, Network::Cut);
    send_all(&mut world, bob, numbered("bob", 0..5_010));
    world.set_network(alice, Network::Works);
    world.pass(60_000);
    // Too far behind: Alice sees the newest messages, and not hers as still waiting.
    assert_eq!(bodies(&world, alice), numbered("bob", 4_960..5_010));
    assert_nothing_waits(&world, alice);
    assert!(world.tab(alice).screen.meta(&thread()).has_older);
}

#[test]
fn a_message_taken_back_before_it_was_sent_is_never_seen() {
    let (mut world, alice, bob) = pair();
    world.set_network(alice, Network::Cut);
    let key = send(&mut world, alice, "oops");
    send(&mut world, alice, "this one counts");
    world.with(alice, |browser| {
        browser.app(AppInput::Discard { client_msg_id: key })
    });
    assert_eq!(
        world.tab(alice).screen.discarded,
        [(key, DiscardOutcome::Discarded)]
    );
    world.set_network(alice, Network::Works);
    world.pass(40_000);
    assert_eq!(bodies(&world, bob), ["this one counts"]);
}

#[test]
fn a_message_taken_back_after_it_was_sent_is_voided_or_turns_out_sent() {
    let (mut world, alice, bob) = pair();
    // It never reached the gateway, though Alice's tab could not know: voided.
    world.set_network(alice, Network::Mute);
    let key = send(&mut world, alice, "oops");
    world.with(alice, |browser| {
        browser.app(AppInput::Discard { client_msg_id: key })
    });
    let asked = (key, DiscardOutcome::MaybeSent);
    assert_eq!(world.tab(alice).screen.discarded, [asked]);
    world.pass(20_000);
    world.set_network(alice, Network::Works);
    world.pass(60_000);
    let voided = (key, DiscardOutcome::Cancelled);
    assert_eq!(world.tab(alice).screen.discarded.last(), Some(&voided));
    assert!(bodies(&world, bob).is_empty());
    assert!(bodies(&world, alice).is_empty());
    assert!(stored_bodies(&world).is_empty());

    // It was stored, and the ack was lost: it turns out sent, with its original place.
    world.set_network(alice, Network::Deaf);
    let key = send(&mut world, alice, "sent after all");
    world.with(alice, |browser| {
        browser.app(AppInput::Discard { client_msg_id: key })
    });
    world.pass(20_000);
    world.set_network(alice, Network::Works);
    world.pass(60_000);
    assert_eq!(
        world.tab(alice).screen.discarded.last(),
        Some(&(key, DiscardOutcome::Sent))
    );
    assert_eq!(bodies(&world, alice).last().unwrap(), "sent after all");
    assert_nothing_waits(&world, alice);
}

#[test]
fn a_voided_key_stays_void() {
    let (mut world, alice, bob) = pair();
    // Alice's old send is still on its way when her cancel arrives first.
    let key = rejoinder_protocol::ClientMsgId::new(uuid::Uuid::from_u128(77));
    world.inject(
        alice,
        &ClientFrame::Cancel(rejoinder_protocol::Cancel {
            thread_id: thread(),
            client_msg_id: key,
        }),
    );
    let late = Send {
        thread_id: thread(),
        client_msg_id: key,
        body: "too late".into(),
        attachments: vec![],
    };
    world.inject(alice, &ClientFrame::Send(late));
    assert!(bodies(&world, bob).is_empty());
    assert!(stored_bodies(&world).is_empty());
}

#[test]
fn a_conversation_that_somebody_else_begins_appears() {
    let mut world = World::new();
    let bob = world.open_tab("bob", Storage::default());
    world.with(bob, |browser| {
        browser.app(AppInput::WatchInbox);
        browser.app(AppInput::Connect);
    });
    assert!(world.tab(bob).screen.inbox.is_empty());
    let alice = world.join("alice", &thread());
    send(&mut world, alice, "Hi Bob, new here?");
    let inbox = &world.tab(bob).screen.inbox;
    assert_eq!(inbox.len(), 1);
    assert_eq!(inbox[0].thread_id, thread());
    assert_eq!(inbox[0].partner_ids, [user("alice")]);
    assert_eq!(inbox[0].preview.as_ref().unwrap().body, "Hi Bob, new here?");

    world.pass(1_000);
    let carol: ThreadId = "bob|carol".parse().unwrap();
    let other = world.join("carol", &carol);
    world.with(other, |browser| browser.send(&carol, "me too"));
    assert_eq!(
        world.tab(bob).screen.inbox[0].thread_id,
        carol,
        "the latest comes first"
    );
}

#[test]
fn two_engines_on_one_database_send_each_message_once() {
    let mut world = World::new();
    let bob = world.join("bob", &thread());
    let storage = Storage::default();
    let first = world.open_tab("alice", storage.clone());
    let second = world.open_tab("alice", storage);
    for tab in [first, second] {
        world.with(tab, |browser| browser.open(&thread()));
    }
    let mut written = Vec::new();
    for round in 0..10 {
        for (tab, name) in [(first, "first"), (second, "second")] {
            let body = format!("{name} {round}");
            send(&mut world, tab, &body);
            written.push(body);
        }
    }
    for tab in [first, second] {
        world.with(tab, |browser| browser.app(AppInput::Connect));
    }
    world.pass(60_000);
    assert_eq!(
        bodies(&world, bob),
        written,
        "once, and in the order of writing"
    );
    for tab in [first, second] {
        assert_eq!(bodies(&world, tab), written);
        assert_nothing_waits(&world, tab);
    }
}

#[test]
fn a_slow_reader_falls_back_to_pages_and_loses_nothing() {
    let (mut world, alice, bob) = pair();
    let carol: ThreadId = "alice|carol".parse().unwrap();
    let other = world.join("carol", &carol);
    world.with(alice, |browser| browser.open(&carol));
    world.stick(bob);
    send_all(&mut world, alice, numbered("flood", 0..1_000));
    world.with(alice, |browser| browser.send(&carol, "you are not slow"));
    assert_eq!(
        world.tab(other).screen.bodies(&carol),
        ["you are not slow"],
        "nobody waits for Bob"
    );
    world.unstick(bob);
    world.pass(5_000);
    assert_eq!(bodies(&world, bob), numbered("flood", 0..1_000));
    assert_eq!(world.tab(bob).screen.heard.len(), 1_000);
    assert_eq!(sync_state(&world, bob), SyncState::Live);
}

#[test]
fn who_reads_nothing_at_all_is_let_go_and_comes_back() {
    let (mut world, alice, bob) = pair();
    world.stick(bob);
    send_all(&mut world, alice, numbered("flood", 0..1_000));
    world.pass(120_000);
    assert_eq!(bodies(&world, bob), numbered("flood", 0..1_000));
}

#[test]
fn a_commit_of_unknown_fate_is_found_out() {
    let (mut world, alice, bob) = pair();
    world.lose_next_commit = true;
    send(&mut world, alice, "was it stored?");
    world.pass(30_000);
    assert_eq!(stored_bodies(&world), ["was it stored?"]);
    assert_eq!(bodies(&world, alice), ["was it stored?"]);
    assert_eq!(bodies(&world, bob), ["was it stored?"]);
    assert_nothing_waits(&world, alice);
}

#[test]
fn typing_and_presence_are_leases() {
    let (mut world, alice, bob) = pair();
    let partner = |world: &World| world.tab(alice).screen.meta(&thread()).partners[0].clone();
    assert_eq!(partner(&world).presence, PartnerPresence::Online);
    let is_typing = AppInput::SetTyping {
        thread_id: thread(),
        is_typing: true,
    };
    world.with(bob, |browser| browser.app(is_typing.clone()));
    assert!(partner(&world).is_typing);
    world.pass(6_000);
    assert!(!partner(&world).is_typing, "it ends by itself");

    world.with(bob, |browser| browser.app(is_typing));
    world.set_network(bob, Network::Cut);
    world.pass(5_000);
    assert_eq!(
        partner(&world).presence,
        PartnerPresence::Online,
        "a reload is not leaving"
    );
    world.pass(30_000);
    assert_eq!(partner(&world).presence, PartnerPresence::Offline);
    assert!(partner(&world).last_seen_at.is_some());
    assert!(!partner(&world).is_typing);
}

#[test]
fn an_edit_reaches_who_was_away_and_who_scrolled_up() {
    let (mut world, alice, bob) = pair();
    send_all(&mut world, alice, numbered("line", 0..120));
    world.set_network(bob, Network::Cut);
    let stored = world.stored("alice", &thread());
    for (index, body) in [(5, "edited 5"), (110, "edited 110")] {
        world.command(Command::Edit {
            thread_id: thread(),
            user_id: user("alice"),
            server_msg_id: stored[index].server_msg_id.clone(),
            body: body.into(),
        });
    }
    world.set_network(bob, Network::Works);
    world.pass(40_000);
    assert_eq!(bodies(&world, bob)[110], "edited 110");
    assert_eq!(bodies(&world, bob)[5], "edited 5");
    assert_eq!(bodies(&world, alice), bodies(&world, bob));
}

#[test]
fn older_messages_are_read_while_one_of_them_is_edited() {
    let mut world = World::new();
    let alice = world.join("alice", &thread());
    send_all(&mut world, alice, numbered("line", 0..100));
    let bob = world.join("bob", &thread());
    assert_eq!(
        bodies(&world, bob),
        numbered("line", 50..100),
        "a first window"
    );
    assert!(
        world.tab(bob).screen.heard.is_empty(),
        "a first window is not news"
    );
    let first = world.stored("alice", &thread())[0].server_msg_id.clone();
    world.hold_reads = true;
    world.with(bob, |browser| {
        browser.app(AppInput::LoadOlder {
            thread_id: thread(),
        })
    });
    world.command(Command::Edit {
        thread_id: thread(),
        user_id: user("alice"),
        server_msg_id: first,
        body: "edited".into(),
    });
    world.release_reads();
    world.pass(2_000);
    let seen = bodies(&world, bob);
    assert_eq!(seen.len(), 100);
    assert_eq!(seen[0], "edited");
    assert!(!world.tab(bob).screen.meta(&thread()).has_older);
    let again = world.reload(bob, &thread());
    assert_eq!(bodies(&world, again).len(), 100, "and it is kept");
}

#[test]
fn two_tabs_scroll_up_in_one_database() {
    let mut world = World::new();
    let alice = world.join("alice", &thread());
    send_all(&mut world, alice, numbered("line", 0..150));
    let storage = Storage::default();
    let tabs = [0, 1].map(|_| {
        let tab = world.open_tab("bob", storage.clone());
        world.with(tab, |browser| {
            browser.open(&thread());
            browser.app(AppInput::Connect);
        });
        tab
    });
    for tab in [tabs[0], tabs[1], tabs[0], tabs[1], tabs[1], tabs[0]] {
        world.with(tab, |browser| {
            browser.app(AppInput::LoadOlder {
                thread_id: thread(),
            })
        });
        world.pass(2_000);
    }
    send(&mut world, alice, "the newest");
    world.pass(20_000);
    for tab in tabs {
        let seen = bodies(&world, tab);
        assert_eq!(seen.last().unwrap(), "the newest");
        let has_older = world.tab(tab).screen.meta(&thread()).has_older;
        assert_eq!(seen.len() == 151, !has_older);
        assert!(!world.tab(tab).screen.meta(&thread()).has_gap);
    }
}

#[test]
fn who_is_removed_stops_receiving_at_once() {
    let (mut world, alice, bob) = pair();
    send(&mut world, alice, "secret one");
    world.command(Command::Remove {
        thread_id: thread(),
        user_id: user("bob"),
    });
    assert!(bodies(&world, bob).is_empty());
    send(&mut world, alice, "secret two");
    assert!(bodies(&world, bob).is_empty());
    let again = world.reload(bob, &thread());
    world.pass(5_000);
    assert!(bodies(&world, again).is_empty());
    let key = send(&mut world, again, "let me in");
    let delivery = &world.tab(again).screen.deliveries(&thread())[0];
    assert!(
        matches!(delivery, Delivery::Failed { .. }),
        "{delivery:?} of {key}"
    );
    assert_eq!(stored_bodies(&world).len(), 2);
}

#[test]
fn a_restored_database_is_noticed() {
    let (mut world, alice, bob) = pair();
    send_all(&mut world, alice, numbered("line", 0..5));
    assert_eq!(bodies(&world, bob).len(), 5);
    world.kill_gateway();
    world.restore_empty_database();
    world.start_gateway();
    world.pass(60_000);
    assert!(
        bodies(&world, bob).is_empty(),
        "what came after the backup is gone for everybody"
    );
    send(&mut world, alice, "a new beginning");
    assert_eq!(bodies(&world, bob), ["a new beginning"]);
    let connection = world.tab(bob).screen.connection.clone().unwrap();
    assert_eq!(connection.state, ConnectionState::Connected);
}
