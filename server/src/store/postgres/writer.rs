//! Batches: each one transaction on a connection of its own, in three exchanges with the server.
//!
//! Lock the heads; look up, now that nobody else can change what is found; write and commit. The
//! lock is a statement of its own, so that what follows sees everything that was committed before
//! the lock was had.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::{join3, join4};
use rejoinder_protocol::{Epoch, ErrorCode, ThreadId, UnixMillis};
use tokio_postgres::{Client, Error, Statement};

use super::batch::{self, Batch};
use super::fault::{Fault, Stage};
use super::statements::{EPOCH, Statements};
use super::{Connector, rows};
use crate::store::plan::{Known, ThreadState, Wanted, plan, wanted};
use crate::store::{Applied, Command, Locked, Outcome, StoreError};

/// A batch that takes longer has lost its server.
const BATCH_TIMEOUT: Duration = Duration::from_secs(15);
/// A batch that lost a race is run again so often.
const ATTEMPTS: u32 = 3;

/// Marks what follows as the gateway's own, which the triggers leave alone. A head that must be
/// waited for is waited for longer than a row of the application's that somebody holds.
const SKIPPING: &str = "SET rejoinder.writer = 'gateway'; SET lock_timeout = '250ms'";
const WAITING: &str = "SET rejoinder.writer = 'gateway'; SET lock_timeout = '2s'";

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

#[derive(Debug)]
struct Writing {
    client: Client,
    prepared: Prepared,
}

/// Runs batches, one at a time.
#[derive(Debug)]
pub(super) struct Writer {
    connector: Connector,
    statements: Statements,
    locked: Locked,
    /// The history in which the next batch is asked.
    epoch: Epoch,
    connection: Option<Writing>,
}

impl Writer {
    pub(super) fn new(
        connector: Connector,
        statements: Statements,
        locked: Locked,
        epoch: Epoch,
    ) -> Self {
        Self {
            connector,
            statements,
            locked,
            epoch,
            connection: None,
        }
    }

    /// Runs a batch; see [`Store::apply`](crate::store::Store::apply).
    pub(super) async fn apply(
        &mut self,
        now: UnixMillis,
        commands: &[Command],
    ) -> Result<Applied, StoreError> {
        let (fitting, mut outcomes) = self.fitting(commands);
        let mut skipped = BTreeSet::new();
        let asked: Vec<_> = fitting
            .iter()
            .map(|(_, command)| (*command).clone())
            .collect();
        let applied = match self.attempts(now, &asked).await {
            Err(Fault::Statement(error)) => self.one_by_one(now, &asked, &error).await,
            result => result.map_err(Fault::into),
        }?;
        skipped.extend(applied.skipped);
        let mut answered = applied.outcomes.into_iter();
        for (index, command) in fitting {
            if !skipped.contains(command.thread_id()) {
                outcomes.extend(answered.next().map(|outcome| (index, outcome)));
            }
        }
        Ok(Applied {
            epoch: applied.epoch,
            outcomes: outcomes.into_values().collect(),
            skipped,
        })
    }

    /// Parts the commands from those about threads and people that the tables could not hold.
    fn fitting<'a>(
        &self,
        commands: &'a [Command],
    ) -> (Vec<(usize, &'a Command)>, BTreeMap<usize, Outcome>) {
        let mut refused = BTreeMap::new();
        let mut fitting = Vec::new();
        for (index, command) in commands.iter().enumerate() {
            let thread = self.statements.fits_thread(command.thread_id().as_str());
            let code = match command {
                Command::Create { participants, .. }
                    if !thread
                        || participants
                            .iter()
                            .any(|one| !self.statements.fits_user(one.as_str())) =>
                {
                    Some(ErrorCode::Invalid)
                }
                Command::Admit { user_id, .. }
                    if thread && !self.statements.fits_user(user_id.as_str()) =>
                {
                    Some(ErrorCode::Invalid)
                }
                Command::Send(new) if !self.statements.fits_user(new.sender_id.as_str()) => {
                    Some(ErrorCode::NotFound)
                }
                _ => (!thread).then_some(ErrorCode::NotFound),
            };
            match code {
                None => fitting.push((index, command)),
                Some(code) => drop(refused.insert(index, Outcome::refused(code))),
            }
        }
        (fitting, refused)
    }

    /// One of the commands failed and took the transaction with it. Each thread alone, then each
    /// command, so that none harms another.
    async fn one_by_one(
        &mut self,
        now: UnixMillis,
        commands: &[Command],
        error: &Error,
    ) -> Result<Applied, StoreError> {
        tracing::warn!(error = %super::fault::words(error), "a batch failed in the database");
        let mut threads: BTreeMap<&ThreadId, Vec<usize>> = BTreeMap::new();
        for (index, command) in commands.iter().enumerate() {
            threads.entry(command.thread_id()).or_default().push(index);
        }
        let mut outcomes = BTreeMap::new();
        let mut skipped = BTreeSet::new();
        // After a part was committed, "nothing was written" would no longer be true.
        let unknown = |fault: Fault| match StoreError::from(fault) {
            StoreError::Unavailable(words) => StoreError::UnknownFate(words),
            error @ StoreError::UnknownFate(_) => error,
        };
        for (thread_id, places) in threads {
            for place in places {
                let Some(command) = commands.get(place) else {
                    continue;
                };
                let alone = self.attempts(now, std::slice::from_ref(command)).await;
                match alone {
                    Ok(applied) if applied.skipped.is_empty() => {
                        outcomes.extend(applied.outcomes.into_iter().map(|one| (place, one)));
                    }
                    // Those before it are done, those after it must not overtake it.
                    Ok(_) => {
                        skipped.insert(thread_id.clone());
                        break;
                    }
                    Err(Fault::Statement(error)) => {
                        let code = super::fault::refusal(&error);
                        let words = super::fault::words(&error);
                        tracing::error!(error = %words, code = code.as_str(), "a command failed in the database");
                        outcomes.insert(place, Outcome::refused(code));
                    }
                    Err(fault) => return Err(unknown(fault)),
                }
            }
        }
        Ok(Applied {
            epoch: self.epoch.clone(),
            outcomes: outcomes.into_values().collect(),
            skipped,
        })
    }

    /// Runs a transaction, again if it lost a race, or its connection before it began.
    async fn attempts(&mut self, now: UnixMillis, commands: &[Command]) -> Result<Applied, Fault> {
        let mut attempt = 1;
        loop {
            let was_connected = self.connection.is_some();
            let running = self.transaction(now, commands);
            let result = match tokio::time::timeout(BATCH_TIMEOUT, running).await {
                Ok(result) => result,
                Err(_) => Err(Fault::UnknownFate("the server did not answer".to_owned())),
            };
            match result {
                Err(Fault::Again(error)) if attempt >= ATTEMPTS => {
                    return Err(Fault::Statement(error));
                }
                Err(Fault::Again(_)) => {}
                // It may have been dead for a while; a new one shows whether the server is there.
                Err(Fault::Unavailable(_)) if was_connected && attempt == 1 => {
                    self.connection = None;
                }
                Err(fault @ (Fault::Unavailable(_) | Fault::UnknownFate(_))) => {
                    self.connection = None;
                    return Err(fault);
                }
                other => return other,
            }
            attempt += 1;
        }
    }

    async fn transaction(
        &mut self,
        now: UnixMillis,
        commands: &[Command],
    ) -> Result<Applied, Fault> {
        let wanted = wanted(commands);
        let mut writing = match self.connection.take() {
            Some(writing) => writing,
            None => self.connect().await?,
        };
        let result = self.run(&mut writing, now, commands, &wanted).await;
        if let Err(Fault::Statement(_) | Fault::Again(_)) = &result {
            let ended = writing.client.batch_execute("ROLLBACK").await;
            ended.map_err(|error| Fault::of(error, Stage::Before))?;
        }
        // After any other fault the transaction's state is not known.
        if matches!(&result, Ok(_) | Err(Fault::Statement(_) | Fault::Again(_))) {
            self.connection = Some(writing);
        }
        result
    }

    async fn run(
        &mut self,
        writing: &mut Writing,
        now: UnixMillis,
        commands: &[Command],
        wanted: &Wanted,
    ) -> Result<Applied, Fault> {
        let before = |error| Fault::of(error, Stage::Before);
        let Writing { client, prepared } = writing;
        let threads: Vec<_> = wanted.threads.iter().map(ThreadId::as_str).collect();
        let (begun, epoch, heads, existing) = join4(
            client.batch_execute("BEGIN"),
            client.query_one(&prepared.epoch, &[]),
            client.query(&prepared.lock, &[&threads]),
            client.query(&prepared.existing, &[&threads]),
        )
        .await;
        begun.map_err(before)?;
        let epoch = super::read_epoch(&epoch.map_err(before)?).map_err(before)?;
        if epoch != self.epoch {
            // Somebody restored or exchanged the database. Nothing that was asked under the old
            // history may be executed in the new one.
            client.batch_execute("ROLLBACK").await.map_err(before)?;
            self.epoch = epoch.clone();
            let refused = || Outcome::refused(ErrorCode::Internal);
            return Ok(Applied {
                epoch,
                outcomes: commands.iter().map(|_| refused()).collect(),
                skipped: BTreeSet::new(),
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
        self.look_up(client, prepared, wanted, &mut known)
            .await
            .map_err(before)?;
        let executed: Vec<_> = commands
            .iter()
            .filter(|command| !skipped.contains(command.thread_id()))
            .cloned()
            .collect();
        let locked = known.threads.keys().cloned().collect();
        let plan = plan(now, known, &executed);
        let batch = Batch::of(now, &locked, &plan.writes);
        batch.commit(client, &prepared.writes).await?;
        Ok(Applied {
            epoch,
            outcomes: plan.outcomes,
            skipped,
        })
    }

    async fn look_up(
        &self,
        client: &Client,
        prepared: &Prepared,
        wanted: &Wanted,
        known: &mut Known,
    ) -> Result<(), Error> {
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

    async fn connect(&self) -> Result<Writing, Fault> {
        let unavailable = |error| Fault::of(error, Stage::Before);
        let client = self.connector.greeted().await.map_err(unavailable)?;
        let fit = client.query_one(FIT, &[]).await.map_err(unavailable)?;
        if fit.try_get(0).map_err(unavailable)? {
            let words = "the server is a standby: it takes no writes".to_owned();
            return Err(Fault::Unavailable(words));
        }
        let (greeting, lock) = match self.locked {
            Locked::Skip => (SKIPPING, " SKIP LOCKED"),
            Locked::Wait => (WAITING, ""),
        };
        client.batch_execute(greeting).await.map_err(unavailable)?;
        if fit.try_get(1).map_err(unavailable)? {
            let durable = "SET synchronous_commit = on";
            client.batch_execute(durable).await.map_err(unavailable)?;
        }
        let prepared = prepare(&client, &self.statements, lock).await;
        Ok(Writing {
            prepared: prepared.map_err(unavailable)?,
            client,
        })
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
        epoch: client.prepare(EPOCH).await?,
        lock: client.prepare(&lock).await?,
        existing: client.prepare(existing).await?,
        participants: client.prepare(&participants).await?,
        keys: client.prepare(&keys).await?,
        messages: client.prepare(&statements.by_id).await?,
        writes: batch::Prepared::new(client, statements).await?,
    })
}
