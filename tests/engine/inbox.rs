//! The list of threads.

use rejoinder::engine::AppInput;
use rejoinder_protocol::{
    ClientFrame, ClientFrameType, ErrorCode, ErrorFrame, ErrorRef, ServerFrame,
};

use crate::script::Script;

#[test]
fn a_list_of_threads_that_is_refused_for_now_is_asked_for_again() {
    let mut alice = Script::live(0);
    alice.browser.app(AppInput::WatchInbox);
    let asks = |alice: &mut Script| {
        let frames = alice.take();
        let is_ask = |frame: &&ClientFrame| matches!(frame, ClientFrame::Inbox(_));
        frames.iter().filter(is_ask).count()
    };
    assert_eq!(asks(&mut alice), 1);
    let refusal = |code, retry_after_ms| {
        let reference = Some(ErrorRef {
            frame_type: ClientFrameType::Inbox,
            thread_id: None,
            client_msg_id: None,
        });
        ServerFrame::Error(ErrorFrame {
            reference,
            code,
            retry_after_ms,
        })
    };
    for (retry_after_ms, wait) in [(Some(9_000), 9_000), (None, 5_000)] {
        alice.say(&refusal(ErrorCode::RateLimited, retry_after_ms));
        alice.browser.pass(wait - 1);
        assert_eq!(asks(&mut alice), 0);
        alice.browser.pass(1);
        assert_eq!(asks(&mut alice), 1);
    }
    // Lost with the connection; the next welcome asks.
    alice.say(&refusal(ErrorCode::Busy, Some(60_000)));
    alice.lose();
    alice.wait_for_attempt();
    alice.accept();
    assert_eq!(asks(&mut alice), 1);
    alice.browser.pass(40_000);
    assert_eq!(asks(&mut alice), 0);
    alice.say(&refusal(ErrorCode::Forbidden, None));
    alice.browser.pass(40_000);
    assert_eq!(asks(&mut alice), 0, "for good");
}
