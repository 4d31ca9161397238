-- What Rejoinder keeps for itself, in a schema of its own: the numbers of each thread, who takes
-- part, which keys were used, and what is left of deleted messages. Safe to run again.

CREATE SCHEMA IF NOT EXISTS rejoinder;
REVOKE ALL ON SCHEMA rejoinder FROM PUBLIC;

-- One row: which history of this database the numbers below belong to.
CREATE TABLE IF NOT EXISTS rejoinder.history (
  id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  epoch text NOT NULL
);
INSERT INTO rejoinder.history (epoch)
VALUES (replace(gen_random_uuid()::text, '-', '')) ON CONFLICT DO NOTHING;
-- By this the triggers know what a gateway writes: whoever may not read it cannot claim to be one.
ALTER TABLE rejoinder.history
  ADD COLUMN IF NOT EXISTS writer_key text NOT NULL DEFAULT gen_random_uuid()::text;

-- The newest numbers of each thread. Its lock, held until the commit, is what makes numbers dense
-- and their order that of the commits.
CREATE TABLE IF NOT EXISTS rejoinder.heads (
  thread_id text COLLATE "C" PRIMARY KEY,
  revision bigint NOT NULL,
  sequence_number bigint NOT NULL,
  changed_at bigint NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE IF NOT EXISTS rejoinder.participants (
  thread_id text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  revision bigint NOT NULL,
  joined_at bigint NOT NULL,
  left_at bigint,
  read_sequence_number bigint,
  PRIMARY KEY (thread_id, user_id)
);
CREATE INDEX IF NOT EXISTS participants_by_user ON rejoinder.participants (user_id, thread_id);

-- What is left of a deleted message: its place, so that everybody learns that it is gone.
CREATE TABLE IF NOT EXISTS rejoinder.tombstones (
  thread_id text COLLATE "C" NOT NULL,
  sequence_number bigint NOT NULL,
  revision bigint NOT NULL,
  server_msg_id text COLLATE "C" NOT NULL,
  client_msg_id text,
  sender_id text,
  sent_at bigint NOT NULL,
  PRIMARY KEY (thread_id, sequence_number)
);
CREATE UNIQUE INDEX IF NOT EXISTS tombstones_by_revision
  ON rejoinder.tombstones (thread_id, revision);
CREATE INDEX IF NOT EXISTS tombstones_by_id ON rejoinder.tombstones (server_msg_id);

-- Every key ever used, for ever: with the original answer, or without one if it was cancelled.
-- Edits and deletions never touch this table. A message that others wrote has no payload_hash.
CREATE TABLE IF NOT EXISTS rejoinder.keys (
  thread_id text COLLATE "C" NOT NULL,
  sender_id text COLLATE "C" NOT NULL,
  client_msg_id uuid NOT NULL,
  payload_hash bytea,
  server_msg_id text,
  sequence_number bigint,
  revision bigint,
  sent_at bigint,
  PRIMARY KEY (thread_id, sender_id, client_msg_id)
);
