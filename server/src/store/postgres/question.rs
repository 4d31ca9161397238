//! Reads, each in one transaction that sees one moment, and also checks that the user may.

use deadpool_postgres::{Pool, Transaction};
use futures_util::future::{join, try_join_all};
use rejoinder_protocol::{
    Epoch, PAGE_CHANGES_MAX, Page, RESET_MESSAGES, Revision, SequenceNumber, Since, ThreadId,
    ThreadSummary, UnixMillis, UserId,
};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, IsolationLevel, Row};

use super::rows::{self, integer};
use super::statements::{EPOCH, Statements};
use crate::store::answer::{self, Newest, Position, Start};
use crate::store::plan::{Key, ThreadState};
use crate::store::{Content, Read, ReadAnswer, StoreError};

/// Rows that fill a page: one more tells whether it was cut.
const PAGE_ROWS: usize = PAGE_CHANGES_MAX + 1;

/// Answers questions over connections that it shares.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) pool: Pool,
    pub(super) statements: Statements,
}

impl Reader {
    /// Answers a question; see [`Store::read`](crate::store::Store::read).
    pub(super) async fn read(&self, read: &Read) -> Result<ReadAnswer, StoreError> {
        let unavailable = |error: Error| StoreError::Unavailable(super::fault::words(&error));
        let mut tries = 0;
        loop {
            let got = self.pool.get().await;
            let mut client = got.map_err(|error| StoreError::Unavailable(error.to_string()))?;
            let begun = client
                .build_transaction()
                .isolation_level(IsolationLevel::RepeatableRead)
                .read_only(true)
                .start();
            let result = async { self.answer(begun.await?, read).await }.await;
            match result {
                Ok(answer) => return Ok(answer),
                // It lay in the pool while its server went away; a new one tells whether it is back.
                Err(error) if client.is_closed() && tries < 2 => {
                    tracing::debug!(error = %super::fault::words(&error), "reading again");
                    tries += 1;
                }
                Err(error) => return Err(unavailable(error)),
            }
        }
    }

    async fn answer(&self, transaction: Transaction<'_>, read: &Read) -> Result<ReadAnswer, Error> {
        let asking = Asking {
            transaction,
            statements: &self.statements,
        };
        let epoch = asking.one(EPOCH, &[]).await?;
        let epoch = super::read_epoch(&epoch)?;
        let content = match read {
            Read::Inbox {
                user_id,
                limit,
                before,
            } => asking.inbox(user_id, *limit, before.as_deref()).await?,
            Read::Changed { user_ids, since } => {
                Content::Heads(asking.changed(user_ids, *since).await?)
            }
            Read::Heads { thread_ids } => Content::Heads(asking.heads(thread_ids).await?),
            Read::Overview { thread_id } => match asking.thread(thread_id).await? {
                Some(thread) => {
                    let summary = asking.summary(thread_id, &thread).await?;
                    Content::Overview(summary, thread.left())
                }
                None => Content::NotFound,
            },
            Read::History {
                reader, thread_id, ..
            }
            | Read::Participants { reader, thread_id } => match asking.thread(thread_id).await? {
                Some(thread) if reader.may_read(&thread) => {
                    asking.of_thread(&epoch, read, thread_id, &thread).await?
                }
                Some(_) | None => Content::NotFound,
            },
            Read::Page {
                user_id, thread_id, ..
            }
            | Read::Summary { user_id, thread_id } => match asking.thread(thread_id).await? {
                Some(thread) if thread.admits(user_id) => {
                    asking.of_thread(&epoch, read, thread_id, &thread).await?
                }
                // One answer for both: nobody learns which threads exist.
                Some(_) | None => Content::NotFound,
            },
        };
        asking.transaction.commit().await?;
        Ok(ReadAnswer { epoch, content })
    }
}

/// One transaction.
struct Asking<'a> {
    transaction: Transaction<'a>,
    statements: &'a Statements,
}

impl Asking<'_> {
    async fn one(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Row, Error> {
        let prepared = self.transaction.prepare_cached(sql).await?;
        self.transaction.query_one(&prepared, values).await
    }

    async fn all(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let prepared = self.transaction.prepare_cached(sql).await?;
        self.transaction.query(&prepared, values).await
    }

    /// Reads a thread; `None` if there is none.
    async fn thread(&self, thread_id: &ThreadId) -> Result<Option<ThreadState>, Error> {
        if !self.statements.fits_thread(thread_id.as_str()) {
            return Ok(None);
        }
        let head = "SELECT revision, sequence_number FROM rejoinder.heads WHERE thread_id = $1";
        let participants = format!(
            "SELECT {} FROM rejoinder.participants WHERE thread_id = $1 ORDER BY user_id",
            rows::PARTICIPANT
        );
        let asked: &[&(dyn ToSql + Sync)] = &[&thread_id.as_str()];
        let (head, people) = join(self.all(head, asked), self.all(&participants, asked)).await;
        let Some(head) = head?.first().map(|row| rows::head(row, 0)).transpose()? else {
            return Ok(None);
        };
        let mut participants = Vec::new();
        for row in people? {
            participants.extend(rows::participant(&row)?);
        }
        Ok(Some(ThreadState { head, participants }))
    }

    async fn of_thread(
        &self,
        epoch: &Epoch,
        read: &Read,
        thread_id: &ThreadId,
        thread: &ThreadState,
    ) -> Result<Content, Error> {
        match read {
            Read::History { before, limit, .. } => {
                let newest = self
                    .newest(thread_id, *before, answer::clamp(*limit))
                    .await?;
                let history = answer::history(epoch, thread_id, thread, *before, newest);
                Ok(Content::History(history))
            }
            Read::Page {
                since, to_revision, ..
            } => {
                let brought_by = self.brought_by(thread_id, since).await?;
                match answer::start(epoch, thread.head.revision, since, brought_by) {
                    Start::After(from) => {
                        let to = answer::page_end(thread, from, *to_revision);
                        let page = self.page(thread_id, thread, from, to).await?;
                        Ok(Content::Page(page, thread.active()))
                    }
                    Start::Reset(answers) => {
                        let above = thread.head.sequence_number.next();
                        let newest = self.newest(thread_id, above, RESET_MESSAGES).await?;
                        let reset = answer::reset(epoch, thread_id, thread, newest, answers);
                        Ok(Content::Reset(reset, thread.active()))
                    }
                }
            }
            Read::Participants { .. } => Ok(Content::Participants(thread.participants.clone())),
            Read::Changed { .. }
            | Read::Heads { .. }
            | Read::Inbox { .. }
            | Read::Overview { .. }
            | Read::Summary { .. } => self.summary(thread_id, thread).await.map(Content::Summary),
        }
    }

    /// Finds the change that brought the message a reader names.
    async fn brought_by(
        &self,
        thread_id: &ThreadId,
        since: &Since,
    ) -> Result<Option<Revision>, Error> {
        let Since::Message(id) = since else {
            return Ok(None);
        };
        if !self.statements.fits_message(id.as_str()) {
            return Ok(None);
        }
        let (threads, ids) = ([thread_id.as_str()], [id.as_str()]);
        let found = self
            .all(&self.statements.by_id, &[&&threads[..], &&ids[..]])
            .await?;
        let Some(message) = found.first().map(rows::message).transpose()? else {
            return Ok(None);
        };
        let key = format!(
            "SELECT {} FROM rejoinder.keys \
             WHERE thread_id = $1 AND sender_id = $2 AND client_msg_id = $3",
            rows::KEY
        );
        let (sender, uuid) = (message.sender_id.as_str(), message.client_msg_id.uuid());
        let key = self
            .all(&key, &[&thread_id.as_str(), &sender, &uuid])
            .await?;
        Ok(match key.first().map(rows::key).transpose()? {
            Some(Key::Stored(stored)) => Some(stored.revision),
            // Its writer gave no key: once it was changed, nobody knows which change brought it.
            Some(Key::Void) | None => {
                let is_original = message.edited_at.is_none() && !message.deleted;
                is_original.then_some(message.revision)
            }
        })
    }

    async fn page(
        &self,
        thread_id: &ThreadId,
        thread: &ThreadState,
        from: Revision,
        to: Revision,
    ) -> Result<Page, Error> {
        let (after, until) = (integer(from), integer(to));
        let found = self
            .all(
                &self.statements.page,
                &[&thread_id.as_str(), &after, &until, &limit(PAGE_ROWS)],
            )
            .await?;
        answer::page(thread_id, thread, from, to, found.iter().map(rows::message))
    }

    /// Reads the newest messages below a place.
    async fn newest(
        &self,
        thread_id: &ThreadId,
        before: SequenceNumber,
        most: usize,
    ) -> Result<Newest, Error> {
        // One more tells whether there are older ones.
        let found = self
            .all(
                &self.statements.newest,
                &[&thread_id.as_str(), &integer(before), &limit(most + 1)],
            )
            .await?;
        answer::newest(found.iter().map(rows::message), most)
    }

    async fn summary(
        &self,
        thread_id: &ThreadId,
        thread: &ThreadState,
    ) -> Result<ThreadSummary, Error> {
        let above = thread.head.sequence_number.next();
        let newest = self.newest(thread_id, above, 1).await?;
        Ok(answer::summary(thread_id, thread, newest.messages.first()))
    }

    async fn heads(&self, thread_ids: &[ThreadId]) -> Result<Vec<(ThreadId, Revision)>, Error> {
        let threads: Vec<_> = thread_ids.iter().map(ThreadId::as_str).collect();
        let found = "SELECT thread_id, revision FROM rejoinder.heads \
                     WHERE thread_id = ANY ($1::text[])";
        named(self.all(found, &[&threads]).await?)
    }

    async fn changed(
        &self,
        user_ids: &[UserId],
        since: UnixMillis,
    ) -> Result<Vec<(ThreadId, Revision)>, Error> {
        let users: Vec<_> = user_ids.iter().map(UserId::as_str).collect();
        let found = "SELECT DISTINCT heads.thread_id, heads.revision FROM rejoinder.participants \
                     JOIN rejoinder.heads USING (thread_id) WHERE user_id = ANY ($1::text[]) \
                     AND left_at IS NULL AND changed_at >= $2";
        named(self.all(found, &[&users, &integer(since)]).await?)
    }

    async fn inbox(
        &self,
        user_id: &UserId,
        most: u32,
        before: Option<&str>,
    ) -> Result<Content, Error> {
        let Some(position) = Position::parse(before) else {
            return Ok(Content::Invalid);
        };
        let found = self
            .all(
                "SELECT heads.thread_id, heads.changed_at FROM rejoinder.participants \
                 JOIN rejoinder.heads USING (thread_id) \
                 WHERE user_id = $1 AND left_at IS NULL AND (changed_at < $2 \
                 OR (changed_at = $2 AND heads.thread_id > $3)) \
                 ORDER BY changed_at DESC, thread_id LIMIT $4",
                &[
                    &user_id.as_str(),
                    &position.moment,
                    &position.thread_id,
                    &limit(answer::clamp(most) + 1),
                ],
            )
            .await?;
        // Asked all at once: the server answers one after the other, without a pause for each.
        let shown = found.iter().map(|row| self.line(row));
        let shown = try_join_all(shown).await?;
        answer::inbox(shown.into_iter().flatten().map(Ok), most).map(Content::Inbox)
    }

    /// Reads a line of an inbox; none for a name that nobody could ask for.
    async fn line(&self, row: &Row) -> Result<Option<(i64, ThreadSummary)>, Error> {
        let Ok(thread_id) = row.try_get::<_, &str>(0)?.parse::<ThreadId>() else {
            return Ok(None);
        };
        let Some(thread) = self.thread(&thread_id).await? else {
            return Ok(None);
        };
        let summary = self.summary(&thread_id, &thread).await?;
        Ok(Some((row.try_get(1)?, summary)))
    }
}

/// Reads threads and their revisions; a name that nobody could ask for is left out.
fn named(found: Vec<Row>) -> Result<Vec<(ThreadId, Revision)>, Error> {
    let mut heads = Vec::new();
    for row in found {
        if let Ok(thread_id) = row.try_get::<_, &str>(0)?.parse() {
            heads.push((thread_id, rows::revision(&row, 1)?));
        }
    }
    Ok(heads)
}

fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
