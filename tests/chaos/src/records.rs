//! What the database holds.

use std::collections::{BTreeMap, BTreeSet};

use rejoinder_protocol::{ClientMsgId, ThreadId, UserId};
use tokio_postgres::{Client, Error, NoTls};
use uuid::Uuid;

/// Messages, in any order. The text comes as it was sent.
const MESSAGES: &str = "SELECT thread_id, sequence_number, revision, id, client_msg_id, sender_id, body \
                        FROM public.messages ORDER BY thread_id, sequence_number, id";
const PARTICIPANTS: &str = "SELECT thread_id, revision FROM rejoinder.participants";
const HEADS: &str = "SELECT thread_id, sequence_number, revision FROM rejoinder.heads";
const CANCELLED: &str = "SELECT thread_id, sender_id, client_msg_id FROM rejoinder.keys \
                         WHERE server_msg_id IS NULL";

/// The key of a message: where, whose, which.
pub(crate) type Key = (ThreadId, UserId, ClientMsgId);

/// A message as it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Stored {
    pub(crate) sequence_number: u64,
    pub(crate) revision: u64,
    pub(crate) server_msg_id: String,
    pub(crate) client_msg_id: ClientMsgId,
    pub(crate) sender_id: UserId,
    pub(crate) body: String,
}

/// The newest numbers of a thread.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Head {
    pub(crate) sequence_number: u64,
    pub(crate) revision: u64,
}

/// All that was committed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    /// The messages of each thread, by rising place.
    pub(crate) messages: BTreeMap<ThreadId, Vec<Stored>>,
    /// The revisions that people's coming took.
    pub(crate) participants: BTreeMap<ThreadId, Vec<u64>>,
    pub(crate) heads: BTreeMap<ThreadId, Head>,
    /// Keys that are void for ever.
    pub(crate) cancelled: BTreeSet<Key>,
}

/// A connection, made anew whenever the database has closed it.
#[derive(Debug)]
pub(crate) struct Database {
    url: String,
    client: Option<Client>,
}

impl Database {
    pub(crate) fn new(url: String) -> Self {
        Self { url, client: None }
    }

    async fn client(&mut self) -> Result<&Client, Error> {
        let client = match self.client.take().filter(|client| !client.is_closed()) {
            Some(client) => client,
            None => {
                let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await?;
                tokio::spawn(connection);
                client
            }
        };
        Ok(self.client.insert(client))
    }

    /// Reads the newest numbers of each thread.
    ///
    /// # Errors
    ///
    /// If the database does not answer.
    pub(crate) async fn heads(&mut self) -> Result<BTreeMap<ThreadId, Head>, Error> {
        let rows = self.client().await?.query(HEADS, &[]).await?;
        let heads = rows.iter().map(|row| {
            let head = Head {
                sequence_number: number(row.get(1)),
                revision: number(row.get(2)),
            };
            (id(row.get(0)), head)
        });
        Ok(heads.collect())
    }

    /// Reads everything.
    ///
    /// # Errors
    ///
    /// If the database does not answer.
    pub(crate) async fn records(&mut self) -> Result<Records, Error> {
        let mut records = Records {
            heads: self.heads().await?,
            ..Records::default()
        };
        let client = self.client().await?;
        for row in client.query(MESSAGES, &[]).await? {
            let thread = records.messages.entry(id(row.get(0))).or_default();
            thread.push(Stored {
                sequence_number: number(row.get(1)),
                revision: number(row.get(2)),
                server_msg_id: row.get(3),
                client_msg_id: ClientMsgId::new(row.get::<_, Uuid>(4)),
                sender_id: id(row.get(5)),
                body: row.get(6),
            });
        }
        for row in client.query(PARTICIPANTS, &[]).await? {
            let revisions = records.participants.entry(id(row.get(0))).or_default();
            revisions.push(number(row.get(1)));
        }
        for row in client.query(CANCELLED, &[]).await? {
            let key = ClientMsgId::new(row.get::<_, Uuid>(2));
            records
                .cancelled
                .insert((id(row.get(0)), id(row.get(1)), key));
        }
        Ok(records)
    }
}

fn number(number: i64) -> u64 {
    u64::try_from(number).expect("the gateway counts from 1")
}

fn id<T: std::str::FromStr<Err = rejoinder_protocol::IdError>>(text: &str) -> T {
    text.parse().expect("the gateway stores ids")
}
