//! Batches of commands: run on a connection of their own, again or in parts where that helps.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rejoinder_protocol::{Epoch, ErrorCode, ThreadId, UnixMillis};
use tokio_postgres::Error;

use super::Connector;
use super::fault::{self, Fault};
use super::statements::Statements;
use super::transaction::Writing;
use crate::store::{Applied, Command, Locked, Outcome, StoreError};

/// A batch that takes longer has lost its server.
const BATCH_TIMEOUT: Duration = Duration::from_secs(15);
/// A batch that lost a race is run again so often.
const ATTEMPTS: u32 = 3;

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
        let asked: Cow<'_, [Command]> = if outcomes.is_empty() {
            Cow::Borrowed(commands)
        } else {
            fitting.iter().map(|(_, one)| (*one).clone()).collect()
        };
        let applied = match self.attempts(now, &asked).await {
            Err(Fault::Statement(error)) => self.one_by_one(now, &asked, &error).await,
            Err(Fault::Locked(error)) if self.locked == Locked::Skip => {
                self.one_by_one(now, &asked, &error).await
            }
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
                Command::Admit { .. }
                | Command::Cancel { .. }
                | Command::Create { .. }
                | Command::Edit { .. }
                | Command::Remove { .. }
                | Command::Send(_)
                | Command::Tombstone { .. } => (!thread).then_some(ErrorCode::NotFound),
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
        tracing::warn!(error = %fault::words(error), "a batch failed in the database");
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
                    Ok(_) | Err(Fault::Locked(_)) => {
                        skipped.insert(thread_id.clone());
                        break;
                    }
                    Err(Fault::Statement(error)) => {
                        let code = fault::refusal(&error);
                        let words = fault::words(&error);
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
        let writing = match self.connection.take() {
            Some(writing) => writing,
            None => Writing::open(&self.connector, &self.statements, self.locked).await?,
        };
        let result = writing.run(&self.epoch, now, commands).await;
        match &result {
            // Also of another history, in which the next batch is asked.
            Ok(applied) => self.epoch = applied.epoch.clone(),
            Err(fault) if fault.leaves_the_connection() => writing.roll_back().await?,
            Err(_) => return result,
        }
        self.connection = Some(writing);
        result
    }
}
