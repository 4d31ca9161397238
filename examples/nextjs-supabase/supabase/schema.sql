-- The tables of a small chat, as many Supabase projects have them. Nothing here knows of Rejoinder:
-- `rejoinder-gateway migrate` upgrades it, with rows and all.

CREATE TABLE public.profiles (
  id uuid PRIMARY KEY REFERENCES auth.users (id) ON DELETE CASCADE,
  display_name text NOT NULL
);

CREATE TABLE public.threads (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  title text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.thread_participants (
  thread_id uuid NOT NULL REFERENCES public.threads (id) ON DELETE CASCADE,
  user_id uuid NOT NULL REFERENCES public.profiles (id) ON DELETE CASCADE,
  PRIMARY KEY (thread_id, user_id)
);

CREATE TABLE public.messages (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  thread_id uuid NOT NULL REFERENCES public.threads (id) ON DELETE CASCADE,
  sender_id uuid NOT NULL DEFAULT auth.uid() REFERENCES public.profiles (id),
  body text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX messages_by_thread ON public.messages (thread_id, created_at);

-- Whether the user of the request takes part in a thread. With its owner's rights, as the policy of
-- `thread_participants` would ask itself otherwise.
CREATE FUNCTION public.takes_part(thread uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT EXISTS (
    SELECT FROM public.thread_participants
     WHERE thread_id = thread AND user_id = (SELECT auth.uid())
  )
$$;

ALTER TABLE public.profiles ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.threads ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.thread_participants ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.messages ENABLE ROW LEVEL SECURITY;

CREATE POLICY "who is signed in sees names" ON public.profiles
  FOR SELECT TO authenticated USING (true);
CREATE POLICY "participants see their threads" ON public.threads
  FOR SELECT TO authenticated USING (public.takes_part(id));
CREATE POLICY "participants see each other" ON public.thread_participants
  FOR SELECT TO authenticated USING (public.takes_part(thread_id));
CREATE POLICY "participants read" ON public.messages
  FOR SELECT TO authenticated USING (public.takes_part(thread_id));
CREATE POLICY "participants write in their own name" ON public.messages
  FOR INSERT TO authenticated
  WITH CHECK (sender_id = (SELECT auth.uid()) AND public.takes_part(thread_id));

-- What Supabase Realtime tells of.
ALTER PUBLICATION supabase_realtime ADD TABLE public.messages;
