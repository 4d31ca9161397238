//! One transaction of the gateway's own, in three exchanges with the server.
//!
//! Lock the heads; look up, now that nobody else can change what is found; write and commit. The
//! lock is a statement of its own, so that what follows sees everything that was committed before
//! the lock was had.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join3, join4};
use rejoinder_protocol::{Epoch, ErrorCode, ThreadId, UnixMillis};
use tokio_postgres::{Client, Error, Statement};

use super::batch::{self, Batch};
use super::fault::{Fault, Stage};
use super::statements::{EPOCH, Statements};
use super::{Connector, rows};
use crate::store::plan::{Known, ThreadState, Wanted, plan, wanted};
use crate::store::{Applied, Command, Locked, Outcome};

/// By this the triggers know what is the gateway's own, and leave it alone.
const KEY: &str = "SELECT quote_literal(writer_key) FROM rejoinder.history";

/// Whatever the database's default is: what is looked up after the lock must be what was committed
/// before it. Nothing is set for longer than the transaction, for a pooler may give the connection to
/// others then.
fn begin(locked: Locked, key: &str) -> String {
    // A head that must be waited for is waited for longer than a row of the application's that
    // somebody holds.
    let lock_timeout = match locked {
        Locked::Skip => "250ms",
        Locked::Wait => "2s",
    };
    format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL rejoinder.writer = {key}; \
         SET LOCAL lock_timeout = '{lock_timeout}'"
    )
}

/// Refuses a server that only follows another, and one that says "done" before it is safe.
const FIT: &str = "SELECT pg_is_in_recovery(), current_setting('synchronous_commit') = 'off'";

/// What is prepared on a connection.
#[derive(Debug)]
struct Prepared {
    epoch: Statement,
    lock: Statement,
    existing: Statement,
    participants: Statement,
    keys: Statement,
    messages: Statement,
    writes: batch::Prepared,
}

/// A connection that writes.
#[derive(Debug)]
pub(super) struct Writing {
    client: Client,
    statements: Statements,
    begin: String,
    prepared: Prepared,
}

impl Writing {
    /// Opens a connection for batches of one kind.
    pub(super) async fn open(
        connector: &Connector,
        statements: &Statements,
        locked: Locked,
    ) -> Result<Self, Fault> {
        let unavailable = |error| Fault::of(error, Stage::Before);
        let client = connector.greeted().await.map_err(unavailable)?;
        let fit = client.query_one(FIT, &[]).await.map_err(unavailable)?;
        if fit.try_get(0).map_err(unavailable)? {
            let words = "the server is a standby: it takes no writes".to_owned();
            return Err(Fault::Unavailable(words));
        }
        let key = client.query_one(KEY, &[]).await.map_err(unavailable)?;
        let begin = begin(locked, key.try_get(0).map_err(unavailable)?);
        let lock = match locked {
            Locked::Skip => " SKIP LOCKED",
            Locked::Wait => "",
        };
        if fit.try_get(1).map_err(unavailable)? {
            let durable = "SET synchronous_commit = on";
            client.batch_execute(durable).await.map_err(unavailable)?;
        }
        let prepared = prepare(&client, statements, lock).await;
        Ok(Self {
            begin,
            prepared: prepared.map_err(unavailable)?,
            statements: statements.clone(),
            client,
        })
    }

    /// Ends a transaction that failed.
    pub(super) async fn roll_back(&self) -> Result<(), Fault> {
        let ended = self.client.batch_execute("ROLLBACK").await;
        ended.map_err(|error| Fault::of(error, Stage::Before))
    }

    /// Runs commands that were asked in a history of the database.
    pub(super) async fn run(
        &self,
        asked_in: &Epoch,
        now: UnixMillis,
        commands: &[Command],
    ) -> Result<Applied, Fault> {
        let before = |error| Fault::of(error, Stage::Before);
        let Self {
            client,
            begin,
            prepared,
            ..
        } = self;
        let wanted = wanted(commands);
        let threads: Vec<_> = wanted.threads.iter().map(ThreadId::as_str).collect();
        let (begun, epoch, heads, existing) = join4(
            client.batch_execute(begin),
            client.query_one(&prepared.epoch, &[]),
            client.query(&prepared.lock, &[&threads]),
            client.query(&prepared.existing, &[&threads]),
        )
        .await;
        begun.map_err(before)?;
        let epoch = super::read_epoch(&epoch.map_err(before)?).map_err(before)?;
        if epoch != *asked_in {
            // Somebody restored or exchanged the database. Nothing that was asked under the old
            // history may be executed in the new one.
            client.batch_execute("ROLLBACK").await.map_err(before)?;
            let refused = Some(Outcome::refused(ErrorCode::Internal));
            return Ok(Applied {
                epoch,
                outcomes: vec![refused; commands.len()],
            });
        }
        let mut known = Known::default();
        for row in heads.map_err(before)? {
            let id = row.try_get::<_, &str>(0).map_err(before)?;
            if let Ok(thread_id) = id.parse() {
                let head = rows::head(&row, 1).map_err(before)?;
                let participants = Vec::new();
                known
                    .threads
                    .insert(thread_id, ThreadState { head, participants });
            }
        }
        let mut skipped = BTreeSet::new();
        for row in existing.map_err(before)? {
            let id = row.try_get::<_, &str>(0).map_err(before)?;
            skipped.extend(id.parse().ok().filter(|id| !known.threads.contains_key(id)));
        }
        self.look_up(&wanted, &mut known).await.map_err(before)?;
        let executed: Cow<'_, [Command]> = if skipped.is_empty() {
            Cow::Borrowed(commands)
        } else {
            let is_free = |one: &&Command| !skipped.contains(one.thread_id());
            commands.iter().filter(is_free).cloned().collect()
        };
        let locked = known.threads.keys().cloned().collect();
        let mut plan = plan(now, known, &executed);
        let batch = Batch::of(now, &locked, &plan.writes);
        for (thread_id, message) in batch.commit(client, &prepared.writes).await? {
            let published = plan.outcomes.iter_mut();
            let published = published.filter_map(|outcome| outcome.publication.as_mut());
            for publication in published.filter(|one| one.thread_id == thread_id) {
                publication.correct(&message);
            }
        }
        let mut planned = plan.outcomes.into_iter();
        let outcomes = commands.iter().map(|one| {
            let is_skipped = skipped.contains(one.thread_id());
            (!is_skipped).then(|| planned.next()).flatten()
        });
        Ok(Applied {
            epoch,
            outcomes: outcomes.collect(),
        })
    }

    async fn look_up(&self, wanted: &Wanted, known: &mut Known) -> Result<(), Error> {
        let Self {
            client, prepared, ..
        } = self;
        let threads: Vec<_> = known.threads.keys().map(ThreadId::as_str).collect();
        let (mut of, mut senders, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for (thread_id, sender_id, client_msg_id) in &wanted.keys {
            of.push(thread_id.as_str());
            senders.push(sender_id.as_str());
            keys.push(client_msg_id.uuid());
        }
        let asked: Vec<_> = wanted
            .messages
            .iter()
            .filter(|(_, id)| self.statements.fits_message(id.as_str()))
            .map(|(thread_id, id)| (thread_id.as_str(), id.as_str()))
            .collect();
        let (of_messages, ids): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        let (participants, found, messages) = join3(
            client.query(&prepared.participants, &[&threads]),
            client.query(&prepared.keys, &[&of, &senders, &keys]),
            async {
                match ids.is_empty() {
                    true => Ok(Vec::new()),
                    false => {
                        client
                            .query(&prepared.messages, &[&of_messages, &ids])
                            .await
                    }
                }
            },
        )
        .await;
        let threads: BTreeMap<String, ThreadId> = known
            .threads
            .keys()
            .map(|id| (id.to_string(), id.clone()))
            .collect();
        for row in participants? {
            let thread = threads.get(row.try_get::<_, &str>(5)?);
            let thread = thread.and_then(|id| known.threads.get_mut(id));
            if let (Some(thread), Some(participant)) = (thread, rows::participant(&row)?) {
                thread.participants.push(participant);
            }
        }
        for row in found? {
            let place: i64 = row.try_get(5)?;
            let place = usize::try_from(place - 1).ok();
            if let Some(name) = place.and_then(|place| wanted.keys.iter().nth(place)) {
                known.keys.insert(name.clone(), rows::key(&row)?);
            }
        }
        for row in messages? {
            if let Ok(thread_id) = row.try_get::<_, &str>(10)?.parse() {
                let message = rows::message(&row)?;
                known
                    .messages
                    .insert((thread_id, message.server_msg_id.clone()), message);
            }
        }
        Ok(())
    }
}

async fn prepare(client: &Client, statements: &Statements, lock: &str) -> Result<Prepared, Error> {
    let lock = format!(
        "SELECT thread_id, revision, sequence_number FROM rejoinder.heads \
         WHERE thread_id = ANY ($1::text[]) ORDER BY thread_id FOR UPDATE{lock}"
    );
    let participants = format!(
        "SELECT {}, thread_id FROM rejoinder.participants WHERE thread_id = ANY ($1::text[]) \
         ORDER BY thread_id, user_id",
        rows::PARTICIPANT
    );
    let keys = format!(
        "SELECT {}, place FROM unnest($1::text[], $2::text[], $3::uuid[]) WITH ORDINALITY \
         AS asked (thread, sender, key, place) JOIN rejoinder.keys \
         ON thread_id = thread AND sender_id = sender AND client_msg_id = key",
        rows::KEY
    );
    let existing = "SELECT thread_id FROM rejoinder.heads WHERE thread_id = ANY ($1::text[])";
    Ok(Prepared {
        // Shared until the commit: no other history begins before that.
        epoch: client.prepare(&format!("{EPOCH} FOR SHARE")).await?,
        lock: client.prepare(&lock).await?,
        existing: client.prepare(existing).await?,
        participants: client.prepare(&participants).await?,
        keys: client.prepare(&keys).await?,
        messages: client.prepare(&statements.by_id).await?,
        writes: batch::Prepared::new(client, statements).await?,
    })
}
