//! Batches of commands: run on a connection of their own, again or in parts where that helps.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use rejoinder_protocol::{Epoch, ErrorCode, UnixMillis, UserId};
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
    connection: Option<Writing>,
}

impl Writer {
    pub(super) fn new(connector: Connector, statements: Statements, locked: Locked) -> Self {
        Self {
            connector,
            statements,
            locked,
            connection: None,
        }
    }

    /// Runs a batch; see [`Store::apply`](crate::store::Store::apply).
    pub(super) async fn apply(
        &mut self,
        asked_in: &Epoch,
        now: UnixMillis,
        commands: &[Command],
    ) -> Result<Applied, StoreError> {
        let refused: Vec<_> = commands.iter().map(|one| self.refusal(one)).collect();
        let asked: Cow<'_, [Command]> = if refused.iter().all(Option::is_none) {
            Cow::Borrowed(commands)
        } else {
            let all = commands.iter().zip(&refused);
            let fitting = all.filter(|(_, refused)| refused.is_none());
            fitting.map(|(command, _)| command.clone()).collect()
        };
        let applied = match self.attempts(asked_in, now, &asked).await {
            Err(Fault::Statement(error)) => self.one_by_one(asked_in, now, &asked, &error).await,
            Err(Fault::Locked(error)) if self.locked == Locked::Skip => {
                self.one_by_one(asked_in, now, &asked, &error).await
            }
            result => result.map_err(Fault::into),
        }?;
        let mut answered = applied.outcomes.into_iter();
        let outcomes = refused.into_iter().map(|code| match code {
            Some(code) => Some(Outcome::refused(code)),
            None => answered.next().flatten(),
        });
        Ok(Applied {
            epoch: applied.epoch,
            outcomes: outcomes.collect(),
        })
    }

    /// Refuses a command about a thread or a person that the tables could not hold.
    fn refusal(&self, command: &Command) -> Option<ErrorCode> {
        let thread = self.statements.fits_thread(command.thread_id().as_str());
        let is_person = |id: &UserId| self.statements.fits_user(id.as_str());
        match command {
            Command::Create { participants, .. } => {
                (!thread || !participants.iter().all(is_person)).then_some(ErrorCode::Invalid)
            }
            Command::Admit { user_id, .. } if thread => {
                (!is_person(user_id)).then_some(ErrorCode::Invalid)
            }
            Command::Send(new) => {
                (!thread || !is_person(&new.sender_id)).then_some(ErrorCode::NotFound)
            }
            Command::Admit { .. }
            | Command::Cancel { .. }
            | Command::Edit { .. }
            | Command::Remove { .. }
            | Command::Tombstone { .. } => (!thread).then_some(ErrorCode::NotFound),
        }
    }

    /// One of the commands failed and took the transaction with it. Each alone, none harms another.
    async fn one_by_one(
        &mut self,
        asked_in: &Epoch,
        now: UnixMillis,
        commands: &[Command],
        error: &Error,
    ) -> Result<Applied, StoreError> {
        tracing::warn!(error = %fault::words(error), "a batch failed in the database");
        let mut outcomes = Vec::with_capacity(commands.len());
        let mut held = BTreeSet::new();
        let mut epoch = asked_in.clone();
        // After a part was committed, "nothing was written" would no longer be true.
        let unknown = |fault: Fault| match StoreError::from(fault) {
            StoreError::Unavailable(words) => StoreError::UnknownFate(words),
            error @ StoreError::UnknownFate(_) => error,
        };
        for command in commands {
            let outcome = if held.contains(command.thread_id()) {
                None // It must not overtake the one before it.
            } else {
                let alone = std::slice::from_ref(command);
                match self.attempts(asked_in, now, alone).await {
                    Ok(applied) => {
                        epoch = applied.epoch;
                        applied.outcomes.into_iter().next().flatten()
                    }
                    Err(Fault::Locked(_)) => None,
                    Err(Fault::Statement(error)) => {
                        let code = fault::refusal(&error);
                        let words = fault::words(&error);
                        tracing::error!(error = %words, code = code.as_str(), "a command failed in the database");
                        Some(Outcome::refused(code))
                    }
                    Err(fault) => return Err(unknown(fault)),
                }
            };
            if outcome.is_none() {
                held.insert(command.thread_id());
            }
            outcomes.push(outcome);
        }
        Ok(Applied { epoch, outcomes })
    }

    /// Runs a transaction, again if it lost a race, or its connection before it began.
    async fn attempts(
        &mut self,
        asked_in: &Epoch,
        now: UnixMillis,
        commands: &[Command],
    ) -> Result<Applied, Fault> {
        let mut attempt = 1;
        loop {
            let was_connected = self.connection.is_some();
            let running = self.transaction(asked_in, now, commands);
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
        asked_in: &Epoch,
        now: UnixMillis,
        commands: &[Command],
    ) -> Result<Applied, Fault> {
        let writing = match self.connection.take() {
            Some(writing) => writing,
            None => Writing::open(&self.connector, &self.statements, self.locked).await?,
        };
        let result = writing.run(asked_in, now, commands).await;
        match &result {
            Ok(_) => {}
            Err(fault) if fault.leaves_the_connection() => writing.roll_back().await?,
            Err(_) => return result,
        }
        self.connection = Some(writing);
        result
    }
}
