-- 6. Who takes part is what the application's own table says.
CREATE OR REPLACE FUNCTION rejoinder.follow_participants() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  were text[] := '{}';
  are text[] := '{}';
  moved boolean := false;
  person text;
BEGIN
  IF TG_OP <> 'INSERT' AND OLD.{{participants_thread_id}} IS NOT NULL THEN
    were := array_remove(ARRAY[{{participants_old}}], NULL);
  END IF;
  IF TG_OP <> 'DELETE' AND NEW.{{participants_thread_id}} IS NOT NULL THEN
    are := array_remove(ARRAY[{{participants_new}}], NULL);
  END IF;
  IF TG_OP = 'UPDATE' THEN
    moved := NEW.{{participants_thread_id}} IS DISTINCT FROM OLD.{{participants_thread_id}};
  END IF;
  FOREACH person IN ARRAY were LOOP
    IF moved OR person <> ALL (are) THEN
      PERFORM rejoinder.leave_thread(OLD.{{participants_thread_id}}::text, person);
    END IF;
  END LOOP;
  FOREACH person IN ARRAY are LOOP
    IF moved OR person <> ALL (were) THEN
      PERFORM rejoinder.join_thread(NEW.{{participants_thread_id}}::text, person);
    END IF;
  END LOOP;
  RETURN NULL;
END
$$;

-- After the table is emptied at once, nobody takes part.
CREATE OR REPLACE FUNCTION rejoinder.participants_truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM rejoinder.leave_thread(thread_id, user_id) FROM (
    SELECT thread_id, user_id FROM rejoinder.participants
     WHERE left_at IS NULL ORDER BY thread_id, user_id
  ) AS everybody;
  RETURN NULL;
END
$$;

REVOKE ALL ON FUNCTION rejoinder.follow_participants(), rejoinder.participants_truncated() FROM PUBLIC;
DROP TRIGGER IF EXISTS zz_rejoinder_participants ON {{participants}};
CREATE TRIGGER zz_rejoinder_participants AFTER INSERT OR UPDATE OR DELETE ON {{participants}}
  FOR EACH ROW EXECUTE FUNCTION rejoinder.follow_participants();
DROP TRIGGER IF EXISTS zz_rejoinder_participants_truncated ON {{participants}};
CREATE TRIGGER zz_rejoinder_participants_truncated AFTER TRUNCATE ON {{participants}}
  FOR EACH STATEMENT EXECUTE FUNCTION rejoinder.participants_truncated();
