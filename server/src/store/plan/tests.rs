//! What a batch decides about itself, where a database would only notice a broken constraint.

use rejoinder_protocol::{ClientMsgId, ErrorCode, UnixMillis};
use uuid::Uuid;

use super::*;
use crate::store::{Answer, NewMessage};

fn send(number: u128, body: &str) -> Command {
    Command::Send(NewMessage {
        thread_id: "a|b".parse().unwrap(),
        sender_id: "a".parse().unwrap(),
        client_msg_id: ClientMsgId::new(Uuid::from_u128(number)),
        server_msg_id: format!("m{number}").parse().unwrap(),
        body: body.to_owned(),
        attachments: Vec::new(),
        create_dev_pair: true,
    })
}

fn added(plan: &Plan) -> usize {
    let added = |write: &&Write| matches!(write, Write::AddMessage(..));
    plan.writes.iter().filter(added).count()
}

#[test]
fn a_message_that_comes_twice_in_one_batch_is_written_once() {
    let commands = [send(1, "x"), send(1, "x"), send(1, "other"), send(2, "y")];
    let plan = plan(UnixMillis::default(), Known::default(), &commands);
    assert_eq!(added(&plan), 2);
    assert!(matches!(&plan.outcomes[1].answer, Answer::Stored(ack) if ack.duplicate));
    let conflict = Answer::Refused(ErrorCode::IdConflict);
    assert_eq!(plan.outcomes[2].answer, conflict);
    let Some(Write::PutHead(_, head)) = plan.writes.last() else {
        panic!("the head is written once, in the end");
    };
    assert_eq!((head.sequence_number.get(), head.revision.get()), (2, 4));
}

#[test]
fn a_key_voided_in_a_batch_is_void_in_that_batch() {
    let cancel = Command::Cancel {
        thread_id: "a|b".parse().unwrap(),
        sender_id: "a".parse().unwrap(),
        client_msg_id: ClientMsgId::new(Uuid::from_u128(2)),
    };
    let commands = [send(1, "x"), cancel, send(2, "late")];
    let plan = plan(UnixMillis::default(), Known::default(), &commands);
    assert_eq!(plan.outcomes[1].answer, Answer::Cancelled);
    assert_eq!(plan.outcomes[2].answer, Answer::Refused(ErrorCode::Gone));
    assert_eq!(added(&plan), 1);
}

#[test]
fn a_thread_holds_so_many_people_that_a_reset_still_fits_into_a_frame() {
    let thread_id: ThreadId = "t".parse().unwrap();
    let create = Command::Create {
        thread_id: thread_id.clone(),
        participants: ["a".parse().unwrap(), "b".parse().unwrap()],
    };
    let admit = |number: usize| Command::Admit {
        thread_id: thread_id.clone(),
        user_id: format!("p{number}").parse().unwrap(),
    };
    let commands: Vec<_> = std::iter::once(create).chain((0..63).map(admit)).collect();
    let plan = plan(UnixMillis::default(), Known::default(), &commands);
    let answers: Vec<_> = plan.outcomes.iter().map(|one| one.answer.clone()).collect();
    let refused = Answer::Refused(ErrorCode::Limit);
    assert!(answers[..63].iter().all(|one| *one == Answer::Done));
    assert_eq!(answers[63], refused);
}
