//! The scenarios, each with a crash before and after every effect and a full disk at every write.
#![allow(clippy::unwrap_used, reason = "a test")]

use rejoinder_simulation::days as day;
use rejoinder_simulation::run::run;

macro_rules! survives_everything {
    ($($name:ident: $scenario:expr,)+) => {
        $(#[test]
        fn $name() {
            let runs = $scenario.survives_everything().unwrap();
            assert!(runs > 20, "only {runs} places for a fault");
        })+
    };
}

survives_everything! {
    s01_first_connect: day::first_connect(),
    s02_send_and_ack: day::send_and_ack(),
    s03_ack_lost: day::ack_lost(),
    s03_ack_lost_five_times: day::ack_lost_five_times(),
    s05_queued_offline: day::queued_offline(),
    s06_reload_while_flushing: day::reload_while_flushing(),
    s07_two_tabs: day::two_tabs(),
    s10_sleep_past_the_token: day::sleep_past_the_token(),
    s10_replaced_token: day::identity::replaced_token(),
    s10_text_that_ends: day::identity::text_that_ends(),
    s10_ends_offline: day::identity::ends_offline(),
    s11_user_switch: day::identity::user_switch(),
    s11_switch_behind_the_page: day::identity::switch_behind_the_page(),
    s13_changed_while_offline: day::changed_while_offline(),
    s14_edited_at_once: day::edited_at_once(),
    s15_removed: day::removed(),
    s15_let_in_again: day::others::let_in_again(),
    s15_removed_by_others: day::others::removed_by_others(),
    s16_restored: day::restored(),
    s16_restored_beneath: day::peers::restored_beneath(),
    s17_flapping: day::peers::flapping(),
    s19_commit_unknown: day::commit_unknown(),
    s20_store_busy: day::store_busy(),
    s23_clock_jump: day::clock_jump(),
    s24_streams_only: day::streams::streams_only(),
    s30_same_draft_everywhere: day::same_draft_everywhere(),
    s31_much_later: day::much_later(),
    s32_presence_after_a_kill: day::presence_after_a_kill(),
    s33_side_by_side: day::others::side_by_side(),
    s34_locked_thread: day::others::locked_thread(),
    s35_killed_in_turn: day::peers::killed_in_turn(),
}

/// A day that does not come to what it is about proves nothing.
#[test]
fn days_come_to_what_they_are_about() {
    for (scenario, group, name) in [
        (day::identity::replaced_token(), "frame", "authenticated"),
        (day::identity::text_that_ends(), "state", "auth required"),
        (
            day::identity::ends_offline(),
            "state",
            "expired token refused",
        ),
        (day::identity::ends_offline(), "state", "auth required"),
        (
            day::identity::switch_behind_the_page(),
            "state",
            "wrong user",
        ),
        (
            day::others::side_by_side(),
            "state",
            "a change of others lost",
        ),
        (
            day::others::side_by_side(),
            "state",
            "a change of others untold",
        ),
        (
            day::peers::killed_in_turn(),
            "state",
            "news of a gateway lost",
        ),
        (
            day::peers::restored_beneath(),
            "state",
            "asked in another history",
        ),
        (day::streams::streams_only(), "state", "stream opened"),
        (day::streams::streams_only(), "state", "stream followed"),
        (
            day::streams::back_to_a_socket(),
            "state",
            "stream followed by a socket",
        ),
        (
            day::others::locked_thread(),
            "state",
            "a lock of others waited for",
        ),
    ] {
        let reached = run(scenario.schedule(), false).coverage;
        assert!(reached.count(group, name) > 0, "{name}");
    }
}

/// Thousands of changes: once is enough.
#[test]
fn s12_far_behind() {
    day::far_behind().is_survived().unwrap();
}

/// Two minutes of talk for each of thousands of places would take minutes.
#[test]
fn s24_back_to_a_socket() {
    day::streams::back_to_a_socket().is_survived().unwrap();
}

/// Hundreds of changes for each of thousands of places would take minutes.
#[test]
fn s21_slow_consumer() {
    day::slow_consumer().is_survived().unwrap();
}
