//! What a plan writes, as a few statements over arrays.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{BoxFuture, FutureExt, join_all};
use rejoinder_protocol::{Message, Participant, ThreadId, UnixMillis, UserId};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

use super::fault::{Fault, Stage};
use super::rows::{self, attachments, integer};
use super::statements::Statements;
use crate::store::plan::{Head, KeyName, Write};

/// The statements on a connection.
#[derive(Debug)]
pub(super) struct Prepared {
    add: Statement,
    replace: Statement,
    delete: Statement,
    new_heads: Statement,
    heads: Statement,
    participants: Statement,
    keys: Statement,
    void: Statement,
}

/// Another gateway may be making the same thread: then one of the two must begin anew.
const NEW_HEADS: &str = "INSERT INTO rejoinder.heads \
     SELECT thread, revision, number, $4::bigint \
     FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS new (thread, revision, number)";

const HEADS: &str = "UPDATE rejoinder.heads SET revision = new.revision, \
     sequence_number = new.number, changed_at = $4::bigint \
     FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS new (thread, revision, number) \
     WHERE thread_id = new.thread";

const PARTICIPANTS: &str = "INSERT INTO rejoinder.participants \
     SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], \
     $6::bigint[]) \
     ON CONFLICT (thread_id, user_id) DO UPDATE SET revision = excluded.revision, \
     joined_at = excluded.joined_at, left_at = excluded.left_at, \
     read_sequence_number = excluded.read_sequence_number";

const KEYS: &str = "INSERT INTO rejoinder.keys \
     SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::bytea[], $5::text[], \
     $6::bigint[], $7::bigint[], $8::bigint[])";

const VOID: &str = "INSERT INTO rejoinder.keys (thread_id, sender_id, client_msg_id) \
     SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[])";

impl Prepared {
    pub(super) async fn new(client: &Client, statements: &Statements) -> Result<Self, Error> {
        Ok(Self {
            add: client.prepare(&statements.add).await?,
            replace: client.prepare(&statements.replace).await?,
            delete: client.prepare(&statements.delete).await?,
            new_heads: client.prepare(NEW_HEADS).await?,
            heads: client.prepare(HEADS).await?,
            participants: client.prepare(PARTICIPANTS).await?,
            keys: client.prepare(KEYS).await?,
            void: client.prepare(VOID).await?,
        })
    }
}

/// What a plan writes, each row once, in its last state: the statements run one after the other, and
/// none of them could write a row twice.
#[derive(Debug, Default)]
pub(super) struct Batch<'a> {
    now: i64,
    added: Vec<(&'a ThreadId, &'a Message, &'a [u8])>,
    replaced: BTreeMap<(&'a ThreadId, i64), &'a Message>,
    new_heads: BTreeMap<&'a ThreadId, Head>,
    heads: BTreeMap<&'a ThreadId, Head>,
    participants: BTreeMap<(&'a ThreadId, &'a UserId), &'a Participant>,
    voided: Vec<&'a KeyName>,
}

impl<'a> Batch<'a> {
    /// `locked` are the threads that were there, and whose lock is held.
    pub(super) fn of(now: UnixMillis, locked: &BTreeSet<ThreadId>, writes: &'a [Write]) -> Self {
        let mut batch = Self {
            now: integer(now),
            ..Self::default()
        };
        for write in writes {
            match write {
                Write::AddMessage(thread_id, message, hash) => {
                    batch.added.push((thread_id, message, hash));
                }
                Write::PutHead(thread_id, head) => {
                    let heads = match locked.contains(thread_id) {
                        true => &mut batch.heads,
                        false => &mut batch.new_heads,
                    };
                    heads.insert(thread_id, *head);
                }
                Write::PutParticipant(thread_id, one) => {
                    batch.participants.insert((thread_id, &one.user_id), one);
                }
                Write::ReplaceMessage(thread_id, message) => {
                    let place = integer(message.sequence_number);
                    batch.replaced.insert((thread_id, place), message);
                }
                Write::VoidKey(name) => batch.voided.push(name),
            }
        }
        batch
    }

    /// Writes everything and commits, in one exchange with the server. Returns the messages that are
    /// not stored as they were given, for a trigger of the application changed them.
    pub(super) async fn commit(
        &self,
        client: &Client,
        prepared: &Prepared,
    ) -> Result<Vec<(ThreadId, Message)>, Fault> {
        let added = Added::of(&self.added);
        let (deleted, replaced): (Vec<_>, Vec<_>) = self
            .replaced
            .iter()
            .partition(|(_, message)| message.deleted);
        let replaced = Replaced::of(&replaced);
        let deleted = Replaced::of(&deleted);
        let new_heads = Heads::of(&self.new_heads);
        let heads = Heads::of(&self.heads);
        let participants = Participants::of(&self.participants);
        let voided = Voided::of(&self.voided);
        let steps: [(&Statement, Values<'_>, bool); 8] = [
            (
                &prepared.new_heads,
                new_heads.values(&self.now),
                new_heads.threads.is_empty(),
            ),
            (
                &prepared.heads,
                heads.values(&self.now),
                heads.threads.is_empty(),
            ),
            (
                &prepared.participants,
                participants.values(),
                participants.threads.is_empty(),
            ),
            (&prepared.add, added.messages(), added.threads.is_empty()),
            (&prepared.keys, added.keys(), added.threads.is_empty()),
            (
                &prepared.replace,
                replaced.values(),
                replaced.threads.is_empty(),
            ),
            (
                &prepared.delete,
                deleted.places(),
                deleted.threads.is_empty(),
            ),
            (&prepared.void, voided.values(), voided.threads.is_empty()),
        ];
        let mut running: Vec<BoxFuture<'_, Result<Vec<Row>, Error>>> = Vec::new();
        for (statement, values, is_empty) in steps {
            if !is_empty {
                running.push(async move { client.query(statement, &values).await }.boxed());
            }
        }
        // All are sent at once, in this order. After one has failed the server refuses the others,
        // and the commit undoes everything.
        let commit = client.batch_execute("COMMIT");
        running.push(commit.map(|done| done.map(|()| Vec::new())).boxed());
        let mut altered = Vec::new();
        for result in join_all(running).await {
            let at_commit = |error| Fault::of(error, Stage::Commit);
            for row in result.map_err(at_commit)? {
                if let Ok(thread_id) = row.try_get::<_, &str>(10).map_err(at_commit)?.parse() {
                    altered.push((thread_id, rows::message(&row).map_err(at_commit)?));
                }
            }
        }
        Ok(altered)
    }
}

/// What one statement is given.
type Values<'a> = Vec<&'a (dyn ToSql + Sync)>;

#[derive(Default)]
struct Added<'a> {
    threads: Vec<&'a str>,
    numbers: Vec<i64>,
    revisions: Vec<i64>,
    ids: Vec<&'a str>,
    key_texts: Vec<String>,
    keys: Vec<uuid::Uuid>,
    senders: Vec<&'a str>,
    times: Vec<i64>,
    bodies: Vec<&'a str>,
    attachments: Vec<Option<String>>,
    hashes: Vec<&'a [u8]>,
}

impl<'a> Added<'a> {
    fn of(all: &[(&'a ThreadId, &'a Message, &'a [u8])]) -> Self {
        let mut added = Self::default();
        for (thread_id, message, hash) in all {
            added.threads.push(thread_id.as_str());
            added.numbers.push(integer(message.sequence_number));
            added.revisions.push(integer(message.revision));
            added.ids.push(message.server_msg_id.as_str());
            added.key_texts.push(message.client_msg_id.to_string());
            added.keys.push(message.client_msg_id.uuid());
            added.senders.push(message.sender_id.as_str());
            added.times.push(integer(message.sent_at));
            added.bodies.push(&message.body);
            added.attachments.push(attachments(&message.attachments));
            added.hashes.push(hash);
        }
        added
    }

    fn messages(&self) -> Values<'_> {
        vec![
            &self.threads,
            &self.numbers,
            &self.revisions,
            &self.ids,
            &self.key_texts,
            &self.senders,
            &self.times,
            &self.bodies,
            &self.attachments,
        ]
    }

    fn keys(&self) -> Values<'_> {
        vec![
            &self.threads,
            &self.senders,
            &self.keys,
            &self.hashes,
            &self.ids,
            &self.numbers,
            &self.revisions,
            &self.times,
        ]
    }
}

#[derive(Default)]
struct Replaced<'a> {
    threads: Vec<&'a str>,
    numbers: Vec<i64>,
    revisions: Vec<i64>,
    bodies: Vec<&'a str>,
    edited: Vec<Option<i64>>,
}

impl<'a> Replaced<'a> {
    fn of(all: &[(&(&'a ThreadId, i64), &&'a Message)]) -> Self {
        let mut replaced = Self::default();
        for ((thread_id, place), message) in all {
            replaced.threads.push(thread_id.as_str());
            replaced.numbers.push(*place);
            replaced.revisions.push(integer(message.revision));
            replaced.bodies.push(&message.body);
            replaced.edited.push(message.edited_at.map(integer));
        }
        replaced
    }

    fn values(&self) -> Values<'_> {
        vec![
            &self.threads,
            &self.numbers,
            &self.revisions,
            &self.bodies,
            &self.edited,
        ]
    }

    fn places(&self) -> Values<'_> {
        vec![&self.threads, &self.numbers, &self.revisions]
    }
}

#[derive(Default)]
struct Heads<'a> {
    threads: Vec<&'a str>,
    revisions: Vec<i64>,
    numbers: Vec<i64>,
}

impl<'a> Heads<'a> {
    fn of(all: &BTreeMap<&'a ThreadId, Head>) -> Self {
        let mut heads = Self::default();
        for (thread_id, head) in all {
            heads.threads.push(thread_id.as_str());
            heads.revisions.push(integer(head.revision));
            heads.numbers.push(integer(head.sequence_number));
        }
        heads
    }

    fn values<'b>(&'b self, now: &'b i64) -> Values<'b> {
        vec![&self.threads, &self.revisions, &self.numbers, now]
    }
}

#[derive(Default)]
struct Participants<'a> {
    threads: Vec<&'a str>,
    users: Vec<&'a str>,
    revisions: Vec<i64>,
    joined: Vec<i64>,
    left: Vec<Option<i64>>,
    read: Vec<Option<i64>>,
}

impl<'a> Participants<'a> {
    fn of(all: &BTreeMap<(&'a ThreadId, &'a UserId), &'a Participant>) -> Self {
        let mut participants = Self::default();
        for ((thread_id, user_id), one) in all {
            participants.threads.push(thread_id.as_str());
            participants.users.push(user_id.as_str());
            participants.revisions.push(integer(one.revision));
            participants.joined.push(integer(one.joined_at));
            participants.left.push(one.left_at.map(integer));
            participants
                .read
                .push(one.read_sequence_number.map(integer));
        }
        participants
    }

    fn values(&self) -> Values<'_> {
        vec![
            &self.threads,
            &self.users,
            &self.revisions,
            &self.joined,
            &self.left,
            &self.read,
        ]
    }
}

#[derive(Default)]
struct Voided<'a> {
    threads: Vec<&'a str>,
    senders: Vec<&'a str>,
    keys: Vec<uuid::Uuid>,
}

impl<'a> Voided<'a> {
    fn of(all: &[&'a KeyName]) -> Self {
        let mut voided = Self::default();
        for (thread_id, sender_id, client_msg_id) in all {
            voided.threads.push(thread_id.as_str());
            voided.senders.push(sender_id.as_str());
            voided.keys.push(client_msg_id.uuid());
        }
        voided
    }

    fn values(&self) -> Values<'_> {
        vec![&self.threads, &self.senders, &self.keys]
    }
}
