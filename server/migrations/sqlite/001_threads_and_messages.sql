-- One row: which history of this database the numbers below belong to.
CREATE TABLE history (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  epoch TEXT NOT NULL
) STRICT;

-- The newest numbers of each thread, taken and written in the transaction that uses them.
CREATE TABLE heads (
  thread_id TEXT PRIMARY KEY,
  revision INTEGER NOT NULL,
  sequence_number INTEGER NOT NULL,
  changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE participants (
  thread_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  revision INTEGER NOT NULL,
  joined_at INTEGER NOT NULL,
  left_at INTEGER,
  read_sequence_number INTEGER,
  PRIMARY KEY (thread_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX participants_by_user ON participants (user_id, thread_id);

CREATE TABLE messages (
  thread_id TEXT NOT NULL,
  sequence_number INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  server_msg_id TEXT NOT NULL UNIQUE,
  client_msg_id BLOB NOT NULL,
  sender_id TEXT NOT NULL,
  sent_at INTEGER NOT NULL,
  body TEXT NOT NULL,
  attachments TEXT,
  edited_at INTEGER,
  deleted INTEGER NOT NULL DEFAULT 0,
  UNIQUE (thread_id, sequence_number)
) STRICT;

CREATE UNIQUE INDEX messages_by_revision ON messages (thread_id, revision);

-- Every key ever used, for ever: with the original answer, or without one if it was cancelled.
-- Edits and deletions never touch this table.
CREATE TABLE keys (
  thread_id TEXT NOT NULL,
  sender_id TEXT NOT NULL,
  client_msg_id BLOB NOT NULL,
  payload_hash BLOB,
  server_msg_id TEXT,
  sequence_number INTEGER,
  revision INTEGER,
  sent_at INTEGER,
  PRIMARY KEY (thread_id, sender_id, client_msg_id)
) STRICT, WITHOUT ROWID;
