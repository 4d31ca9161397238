-- Two people who have been writing to each other for a while.

INSERT INTO auth.users (id, email) VALUES
  ('a11ce000-0000-4000-8000-000000000001', 'alice@example.com'),
  ('b0b00000-0000-4000-8000-000000000002', 'bob@example.com');

INSERT INTO public.profiles (id, display_name) VALUES
  ('a11ce000-0000-4000-8000-000000000001', 'Alice'),
  ('b0b00000-0000-4000-8000-000000000002', 'Bob');

INSERT INTO public.threads (id, title) VALUES
  ('7ead0000-0000-4000-8000-000000000003', 'The summer house');

INSERT INTO public.thread_participants (thread_id, user_id) VALUES
  ('7ead0000-0000-4000-8000-000000000003', 'a11ce000-0000-4000-8000-000000000001'),
  ('7ead0000-0000-4000-8000-000000000003', 'b0b00000-0000-4000-8000-000000000002');

INSERT INTO public.messages (thread_id, sender_id, body, created_at)
SELECT '7ead0000-0000-4000-8000-000000000003', sender_id::uuid, body, now() - ago::interval
  FROM (VALUES
    ('a11ce000-0000-4000-8000-000000000001', 'Did you find the keys?', '52 minutes'),
    ('b0b00000-0000-4000-8000-000000000002', 'Under the flower pot, as ever.', '50 minutes'),
    ('a11ce000-0000-4000-8000-000000000001', 'Then I bring the bread on Friday.', '31 minutes'),
    ('b0b00000-0000-4000-8000-000000000002', 'And I light the stove.', '30 minutes')
  ) AS said (sender_id, body, ago);
