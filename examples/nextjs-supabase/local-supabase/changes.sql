-- Supabase Realtime reads the write-ahead log; its stand-in is told by a trigger.

CREATE SCHEMA IF NOT EXISTS local_supabase;

CREATE OR REPLACE FUNCTION local_supabase.tell() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  PERFORM pg_catalog.pg_notify('local_supabase', NEW.id::text);
  RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS local_supabase ON public.messages;
CREATE TRIGGER local_supabase AFTER INSERT ON public.messages
  FOR EACH ROW EXECUTE FUNCTION local_supabase.tell();
