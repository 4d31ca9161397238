-- Order and deduplication for a table of messages, new or with rows: the columns
-- {{sequence_number}}, {{revision}} and {{client_msg_id}}, triggers that number what anybody writes
-- with plain SQL, a number for every row that is there, and a unique index for each sender's keys.
-- Safe to run again, and while others write.

-- 1. The table. A new one is closed to everybody but its owner, as all of Supabase's API roles
-- could read it otherwise.
DO $$
DECLARE
  missing text;
BEGIN
  IF to_regclass({{messages_text}}) IS NULL THEN
    CREATE TABLE {{messages}} (
      {{id}} text PRIMARY KEY DEFAULT gen_random_uuid()::text,
      {{thread_id}} text NOT NULL,
      {{sender_id}} text NOT NULL,
      {{body}} text NOT NULL,
      {{created_at}} timestamptz NOT NULL DEFAULT now()
    );
    ALTER TABLE {{messages}} ENABLE ROW LEVEL SECURITY;
  END IF;
  SELECT string_agg(wanted, ', ') INTO missing
    FROM unnest(ARRAY[{{needed_columns_text}}]) AS wanted
   WHERE NOT EXISTS (
     SELECT FROM pg_attribute
      WHERE attrelid = {{messages_text}}::regclass AND attname = wanted AND NOT attisdropped
   );
  IF missing IS NOT NULL THEN
    RAISE EXCEPTION 'the table % has no column %', {{messages_text}}, missing
      USING HINT = 'Name the columns with --message-column, or the table with --messages-table.';
  END IF;
END
$$;

ALTER TABLE {{messages}}
  ADD COLUMN IF NOT EXISTS {{sequence_number}} bigint,
  ADD COLUMN IF NOT EXISTS {{revision}} bigint,
  ADD COLUMN IF NOT EXISTS {{client_msg_id}} uuid,
  ADD COLUMN IF NOT EXISTS {{attachments}} jsonb,
  ADD COLUMN IF NOT EXISTS {{edited_at}} timestamptz;
-- Numbers come from the triggers below and from nothing else.
ALTER TABLE {{messages}}
  ALTER COLUMN {{sequence_number}} DROP DEFAULT,
  ALTER COLUMN {{sequence_number}} DROP NOT NULL;

-- 2. What an earlier migration of this name left: a unique index that lets one participant squat on
-- another's key, and a trigger that numbers before the commit's order is known.
DO $$
DECLARE
  found record;
BEGIN
  FOR found IN
    SELECT indexed.indexrelid::regclass AS index, made.conname AS made_by
      FROM pg_index AS indexed
      LEFT JOIN pg_constraint AS made ON made.conindid = indexed.indexrelid AND made.contype = 'u'
     WHERE indexed.indrelid = {{messages_text}}::regclass AND indexed.indisunique
       AND (
         SELECT array_agg(attname::text ORDER BY attname) FROM pg_attribute
          WHERE attrelid = indexed.indrelid AND attnum = ANY (indexed.indkey::int2[])
       ) IN (
         (SELECT array_agg(name ORDER BY name)
            FROM unnest(ARRAY[{{thread_id_text}}, {{client_msg_id_text}}]) AS name),
         (SELECT array_agg(name ORDER BY name)
            FROM unnest(ARRAY[{{thread_id_text}}, {{sequence_number_text}}]) AS name)
       )
       AND indexed.indexrelid::regclass::text NOT LIKE '%rejoinder%'
  LOOP
    RAISE NOTICE 'replacing the unique index %', found.index;
    IF found.made_by IS NULL THEN
      EXECUTE format('DROP INDEX %s', found.index);
    ELSE
      EXECUTE format('ALTER TABLE {{messages_format}} DROP CONSTRAINT %I', found.made_by);
    END IF;
  END LOOP;
  FOR found IN
    SELECT tgname FROM pg_trigger
      JOIN pg_proc ON pg_proc.oid = tgfoid
      JOIN pg_namespace ON pg_namespace.oid = pronamespace
     WHERE tgrelid = {{messages_text}}::regclass AND NOT tgisinternal
       AND nspname <> 'rejoinder'
       AND tgtype & 6 = 6 -- before an insert
       AND position({{sequence_number_text}} IN prosrc) > 0
  LOOP
    RAISE NOTICE 'dropping the trigger %, which numbers messages, too', found.tgname;
    EXECUTE format('DROP TRIGGER %I ON {{messages_format}}', found.tgname);
  END LOOP;
END
$$;

-- 3. Indexes. The first is empty once every row has its number.
CREATE INDEX IF NOT EXISTS rejoinder_unnumbered
  ON {{messages}} ({{thread_id}}) WHERE {{revision}} IS NULL;
CREATE UNIQUE INDEX IF NOT EXISTS rejoinder_by_sequence_number
  ON {{messages}} ({{thread_id}}, {{sequence_number}}) WHERE {{revision}} IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS rejoinder_by_revision
  ON {{messages}} ({{thread_id}}, {{revision}}) WHERE {{revision}} IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS rejoinder_by_client_msg_id
  ON {{messages}} ({{thread_id}}, {{sender_id}}, {{client_msg_id}})
  WHERE {{client_msg_id}} IS NOT NULL;

-- 4. Functions. They run with their owner's rights, so that a role which may only insert into the
-- table gets its numbers, too; so their search_path is fixed.

-- Whether the statement under way is not the gateway's own. What a cascade or a trigger of the
-- application does in the gateway's session is not.
CREATE OR REPLACE FUNCTION rejoinder.is_foreign() RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  claim text := current_setting('rejoinder.writer', true);
BEGIN
  IF claim IS NULL OR claim = '' OR pg_trigger_depth() > 0 THEN
    RETURN true;
  END IF;
  RETURN NOT EXISTS (SELECT FROM rejoinder.history WHERE writer_key = claim);
END
$$;

-- Fails: a trigger of the application kept a row out without saying so, or changed by what it is
-- known, and its numbers are taken.
CREATE OR REPLACE FUNCTION rejoinder.kept_out() RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a trigger kept the row out, or changed its id, key, sender or revision';
END
$$;

CREATE OR REPLACE FUNCTION rejoinder.unix_millis(moment timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN isfinite(moment) THEN floor(extract(epoch FROM moment) * 1000)::bigint END
$$;

-- A key that anybody's text may be; null if it is none.
CREATE OR REPLACE FUNCTION rejoinder.key(text) RETURNS uuid
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN $1 ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN $1::uuid END
$$;

-- Returns a locked thread's newest numbers, with those that the statement under way has given to
-- rows and not yet written to the head.
CREATE OR REPLACE FUNCTION rejoinder.newest(_thread text) RETURNS rejoinder.heads
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  _head rejoinder.heads;
  _typed {{messages}}.{{thread_id}}%TYPE := _thread;
BEGIN
  SELECT * INTO STRICT _head FROM rejoinder.heads WHERE thread_id = _thread;
  IF _head.sequence_number < 0 THEN
    _head.sequence_number := -1 - _head.sequence_number; -- See `adopt`.
  END IF;
  SELECT greatest(_head.sequence_number, max({{sequence_number}})),
         greatest(_head.revision, max({{revision}}))
    INTO _head.sequence_number, _head.revision
    FROM {{messages}} WHERE {{thread_id}} = _typed AND {{revision}} IS NOT NULL;
  RETURN _head;
END
$$;

-- Tells gateways that a thread has changed.
CREATE OR REPLACE FUNCTION rejoinder.changed(thread text, at_sequence_number bigint, at_revision bigint)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE rejoinder.heads
     SET sequence_number = CASE WHEN sequence_number < 0
           THEN least(sequence_number, -1 - at_sequence_number)
           ELSE greatest(sequence_number, at_sequence_number) END,
         revision = greatest(revision, at_revision),
         changed_at = rejoinder.unix_millis(clock_timestamp())
   WHERE thread_id = thread;
  -- One for each thread and transaction: equal ones are sent once.
  PERFORM pg_notify('rejoinder', left(thread, 200));
END
$$;

-- Numbers the rows of a locked thread that have no number yet, after those that have one, and finds
-- out who takes part.
CREATE OR REPLACE FUNCTION rejoinder.adopt(_thread text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  _head rejoinder.heads := rejoinder.newest(_thread);
  _typed {{messages}}.{{thread_id}}%TYPE := _thread;
  {{participants_declare}}
  _rows bigint;
  _added bigint;
  _people bigint;
  _began bigint;
  _ended bigint;
BEGIN
  -- A row that somebody is deleting must not get a number. Whoever only refers to one does not wait.
  PERFORM FROM {{messages}} WHERE {{thread_id}} = _typed AND {{revision}} IS NULL
      FOR NO KEY UPDATE;
  GET DIAGNOSTICS _rows = ROW_COUNT;
  SELECT rejoinder.unix_millis(min({{created_at}})), rejoinder.unix_millis(max({{created_at}}))
    INTO _began, _ended FROM {{messages}} WHERE {{thread_id}} = _typed AND {{revision}} IS NULL;
  INSERT INTO rejoinder.participants (thread_id, user_id, revision, joined_at)
  SELECT _thread, person, _head.revision + row_number() OVER (ORDER BY person),
         coalesce(_began, _head.changed_at)
    FROM (SELECT DISTINCT person FROM ({{participants_of_thread}}) AS everybody) AS found
   WHERE person IS NOT NULL AND NOT EXISTS (
     SELECT FROM rejoinder.participants AS known
      WHERE known.thread_id = _thread AND known.user_id = person
   );
  GET DIAGNOSTICS _people = ROW_COUNT;
  _head.revision := _head.revision + _people;
  -- The head as it will be, below zero: the mark by which the trigger knows these numbers, and
  -- `newest` what is taken. Nobody else ever sees it.
  UPDATE rejoinder.heads
     SET sequence_number = -1 - _head.sequence_number - _rows, revision = _head.revision + _rows
   WHERE thread_id = _thread;
  -- Triggers of the application find its tables; so every operator says where it comes from.
  PERFORM set_config('search_path', format('pg_catalog, %s, pg_temp', (
    SELECT string_agg(quote_ident(nspname), ', ' ORDER BY nspname = 'extensions')
      FROM pg_namespace WHERE nspname = 'extensions' OR oid = (
        SELECT relnamespace FROM pg_class WHERE oid = {{messages_text}}::regclass
      )
  )), true);
  UPDATE {{messages}} AS message
     SET {{sequence_number}} = _head.sequence_number OPERATOR(pg_catalog.+) numbered._place,
         {{revision}} = _head.revision OPERATOR(pg_catalog.+) numbered._place
    FROM (
      SELECT {{id}} AS _id, pg_catalog.row_number() OVER (
               ORDER BY {{sequence_number}} NULLS LAST, {{created_at}}, {{id}}
             ) AS _place
        FROM {{messages}}
       WHERE {{thread_id}} OPERATOR(pg_catalog.=) _typed AND {{revision}} IS NULL
    ) AS numbered
   WHERE message.{{id}} OPERATOR(pg_catalog.=) numbered._id;
  GET DIAGNOSTICS _added = ROW_COUNT;
  PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  IF _added <> _rows THEN
    PERFORM rejoinder.kept_out();
  END IF;
  INSERT INTO rejoinder.keys
    (thread_id, sender_id, client_msg_id, server_msg_id, sequence_number, revision, sent_at)
  SELECT _thread, {{sender_id}}::text, rejoinder.key({{client_msg_id}}::text), {{id}}::text,
         {{sequence_number}}, {{revision}}, coalesce(rejoinder.unix_millis({{created_at}}), 0)
    FROM {{messages}}
   WHERE {{thread_id}} = _typed AND {{revision}} > _head.revision
     AND {{revision}} <= _head.revision + _rows AND {{sender_id}} IS NOT NULL
     AND rejoinder.key({{client_msg_id}}::text) IS NOT NULL
      ON CONFLICT DO NOTHING;
  _head := rejoinder.newest(_thread);
  UPDATE rejoinder.heads
     SET sequence_number = _head.sequence_number, revision = _head.revision,
         changed_at = coalesce(_ended, changed_at)
   WHERE thread_id = _thread;
  IF _people + _rows > 0 THEN
    PERFORM pg_notify('rejoinder', left(_thread, 200));
  END IF;
END
$$;

-- Numbers a thread that has rows or participants and is new here.
CREATE OR REPLACE FUNCTION rejoinder.adopt_thread(_thread text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM rejoinder.lock_thread(_thread);
  PERFORM rejoinder.adopt(_thread);
END
$$;

-- Returns the threads that wait for that.
CREATE OR REPLACE FUNCTION rejoinder.unadopted_threads() RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT DISTINCT {{thread_id}}::text FROM {{messages}}
   WHERE {{revision}} IS NULL AND {{thread_id}} IS NOT NULL{{unadopted_participants}}
$$;

-- Locks a thread until the end of the transaction. One that is new here is numbered first.
CREATE OR REPLACE FUNCTION rejoinder.lock_thread(thread text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  held bigint;
BEGIN
  SELECT sequence_number INTO held FROM rejoinder.heads WHERE thread_id = thread FOR UPDATE;
  IF NOT FOUND THEN
    INSERT INTO rejoinder.heads (thread_id, revision, sequence_number, changed_at)
    VALUES (thread, 0, 0, rejoinder.unix_millis(clock_timestamp())) ON CONFLICT DO NOTHING;
    SELECT sequence_number INTO held FROM rejoinder.heads WHERE thread_id = thread FOR UPDATE;
  END IF;
  IF held = 0 THEN
    PERFORM rejoinder.adopt(thread);
  END IF;
END
$$;

-- Lets a person take part in a thread.
CREATE OR REPLACE FUNCTION rejoinder.join_thread(thread text, person text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  head rejoinder.heads;
BEGIN
  PERFORM rejoinder.lock_thread(thread);
  IF EXISTS (SELECT FROM rejoinder.participants
              WHERE thread_id = thread AND user_id = person AND left_at IS NULL) THEN
    RETURN;
  END IF;
  head := rejoinder.newest(thread);
  INSERT INTO rejoinder.participants (thread_id, user_id, revision, joined_at)
  VALUES (thread, person, head.revision + 1, rejoinder.unix_millis(clock_timestamp()))
      ON CONFLICT (thread_id, user_id)
      DO UPDATE SET revision = excluded.revision, left_at = NULL;
  PERFORM rejoinder.changed(thread, 0, head.revision + 1);
END
$$;

-- Ends a person's part in a thread.
CREATE OR REPLACE FUNCTION rejoinder.leave_thread(thread text, person text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  head rejoinder.heads;
BEGIN
  PERFORM rejoinder.lock_thread(thread);
  head := rejoinder.newest(thread);
  UPDATE rejoinder.participants
     SET left_at = rejoinder.unix_millis(clock_timestamp()), revision = head.revision + 1
   WHERE thread_id = thread AND user_id = person AND left_at IS NULL;
  IF FOUND THEN
    PERFORM rejoinder.changed(thread, 0, head.revision + 1);
  END IF;
END
$$;

-- Before a row: its numbers. Not in the head yet, for a conflict may still keep the row out, and its
-- number must not be lost then.
CREATE OR REPLACE FUNCTION rejoinder.number_message() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  head rejoinder.heads;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF OLD.{{thread_id}} IS NOT NULL THEN
      IF NEW.{{thread_id}} IS DISTINCT FROM OLD.{{thread_id}} OR NEW.{{id}} <> OLD.{{id}} THEN
        RAISE EXCEPTION 'a message keeps its thread and its identity'
          USING ERRCODE = 'restrict_violation', HINT = 'Delete it and insert another one.';
      END IF;
      IF OLD.{{revision}} IS NULL AND EXISTS (
        SELECT FROM rejoinder.heads
         WHERE heads.thread_id = OLD.{{thread_id}}::text AND heads.sequence_number < 0
      ) THEN
        RETURN NEW; -- It is being adopted.
      END IF;
      NEW.{{sequence_number}} := OLD.{{sequence_number}};
      NEW.{{revision}} := OLD.{{revision}};
      NEW.{{client_msg_id}} := OLD.{{client_msg_id}};
      IF OLD.{{revision}} IS NULL OR ROW(NEW.{{body}}, NEW.{{sender_id}}, NEW.{{created_at}},
          NEW.{{edited_at}}, NEW.{{attachments}}::text) IS NOT DISTINCT FROM
          ROW(OLD.{{body}}, OLD.{{sender_id}}, OLD.{{created_at}}, OLD.{{edited_at}},
          OLD.{{attachments}}::text) THEN
        RETURN NEW; -- Nobody was shown it yet, or nothing that is shown has changed.
      END IF;
      IF NEW.{{body}} IS DISTINCT FROM OLD.{{body}}
         AND NEW.{{edited_at}} IS NOT DISTINCT FROM OLD.{{edited_at}} THEN
        NEW.{{edited_at}} := clock_timestamp();
      END IF;
      PERFORM rejoinder.lock_thread(OLD.{{thread_id}}::text);
      head := rejoinder.newest(OLD.{{thread_id}}::text);
      NEW.{{revision}} := head.revision + 1;
      RETURN NEW;
    END IF;
  END IF;
  NEW.{{sequence_number}} := NULL;
  NEW.{{revision}} := NULL;
  IF NEW.{{thread_id}} IS NULL THEN
    RETURN NEW; -- Not a message of a thread.
  END IF;
  PERFORM rejoinder.lock_thread(NEW.{{thread_id}}::text);
  {{sender_joins}}
  head := rejoinder.newest(NEW.{{thread_id}}::text);
  NEW.{{sequence_number}} := head.sequence_number + 1;
  NEW.{{revision}} := head.revision + 1;
  RETURN NEW;
END
$$;

-- After a row: the head, the key, and the news.
CREATE OR REPLACE FUNCTION rejoinder.message_numbered() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
BEGIN
  IF NEW.{{revision}} IS NULL THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    IF NEW.{{revision}} IS NOT DISTINCT FROM OLD.{{revision}}
       OR OLD.{{revision}} IS NULL AND OLD.{{thread_id}} IS NOT NULL THEN
      RETURN NULL; -- Nothing that is shown has changed, or it is being adopted.
    END IF;
  END IF;
  IF (TG_OP = 'INSERT' OR OLD.{{thread_id}} IS NULL)
     AND NEW.{{sender_id}} IS NOT NULL AND rejoinder.key(NEW.{{client_msg_id}}::text) IS NOT NULL THEN
    INSERT INTO rejoinder.keys
      (thread_id, sender_id, client_msg_id, server_msg_id, sequence_number, revision, sent_at)
    VALUES (NEW.{{thread_id}}::text, NEW.{{sender_id}}::text,
            rejoinder.key(NEW.{{client_msg_id}}::text), NEW.{{id}}::text, NEW.{{sequence_number}},
            NEW.{{revision}}, coalesce(rejoinder.unix_millis(NEW.{{created_at}}), 0));
  END IF;
  PERFORM rejoinder.changed(NEW.{{thread_id}}::text, NEW.{{sequence_number}}, NEW.{{revision}});
  RETURN NULL;
END
$$;

-- After a row is gone: what is left of it.
CREATE OR REPLACE FUNCTION rejoinder.message_deleted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  head rejoinder.heads;
BEGIN
  IF OLD.{{revision}} IS NULL THEN
    RETURN NULL; -- Nobody was shown it.
  END IF;
  PERFORM rejoinder.lock_thread(OLD.{{thread_id}}::text);
  head := rejoinder.newest(OLD.{{thread_id}}::text);
  INSERT INTO rejoinder.tombstones
  VALUES (OLD.{{thread_id}}::text, OLD.{{sequence_number}}, head.revision + 1, OLD.{{id}}::text,
          OLD.{{client_msg_id}}::text, OLD.{{sender_id}}::text,
          coalesce(rejoinder.unix_millis(OLD.{{created_at}}), 0));
  PERFORM rejoinder.changed(OLD.{{thread_id}}::text, 0, head.revision + 1);
  RETURN NULL;
END
$$;

-- After all rows are gone at once: another history begins, and every client loads anew.
CREATE OR REPLACE FUNCTION rejoinder.messages_truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE rejoinder.history SET epoch = replace(gen_random_uuid()::text, '-', '');
  PERFORM pg_notify('rejoinder', '');
  RETURN NULL;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA rejoinder FROM PUBLIC;
-- Whoever writes into the table runs the first; the second only fails.
GRANT EXECUTE ON FUNCTION rejoinder.is_foreign(), rejoinder.kept_out() TO PUBLIC;

-- 5. Triggers. Those before a row run in the order of their names: after the application's own.
DROP TRIGGER IF EXISTS zz_rejoinder_number ON {{messages}};
CREATE TRIGGER zz_rejoinder_number BEFORE INSERT OR UPDATE ON {{messages}}
  FOR EACH ROW WHEN (rejoinder.is_foreign()) EXECUTE FUNCTION rejoinder.number_message();
DROP TRIGGER IF EXISTS zz_rejoinder_numbered ON {{messages}};
CREATE TRIGGER zz_rejoinder_numbered AFTER INSERT OR UPDATE ON {{messages}}
  FOR EACH ROW WHEN (rejoinder.is_foreign()) EXECUTE FUNCTION rejoinder.message_numbered();
DROP TRIGGER IF EXISTS zz_rejoinder_deleted ON {{messages}};
CREATE TRIGGER zz_rejoinder_deleted AFTER DELETE ON {{messages}}
  FOR EACH ROW WHEN (rejoinder.is_foreign()) EXECUTE FUNCTION rejoinder.message_deleted();
DROP TRIGGER IF EXISTS zz_rejoinder_truncated ON {{messages}};
CREATE TRIGGER zz_rejoinder_truncated AFTER TRUNCATE ON {{messages}}
  FOR EACH STATEMENT EXECUTE FUNCTION rejoinder.messages_truncated();

{{participants_triggers}}
