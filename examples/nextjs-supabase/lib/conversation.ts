import type { SupabaseClient } from '@supabase/supabase-js';

/** A row of `public.messages`, as far as the page shows it. */
export interface MessageRow {
  readonly id: string;
  readonly sender_id: string;
  readonly body: string;
  readonly created_at: string;
}

/** What the server knows of a thread when it renders the page. */
export interface Conversation {
  readonly threadId: string;
  readonly title: string;
  readonly userId: string;
  /** Who takes part, by id. */
  readonly names: Readonly<Record<string, string>>;
  /** The newest messages, the oldest first. */
  readonly rows: readonly MessageRow[];
}

/** How many messages the page begins with. */
const FIRST_ROWS = 50;

/** Reads the user's thread, under the policies of the database; `undefined` if there is none. */
export async function readConversation(
  supabase: SupabaseClient,
  userId: string,
): Promise<Conversation | undefined> {
  const { data: threads } = await supabase.from('threads').select('id,title').limit(1);
  const thread = threads?.[0];
  if (!thread) return undefined;
  const [people, rows] = await Promise.all([
    readPeople(supabase, thread.id),
    supabase
      .from('messages')
      .select('id,sender_id,body,created_at')
      .eq('thread_id', thread.id)
      .order('created_at', { ascending: false })
      .limit(FIRST_ROWS),
  ]);
  const newestLast = (rows.data ?? []).toReversed();
  return { threadId: thread.id, title: thread.title, userId, names: people, rows: newestLast };
}

async function readPeople(
  supabase: SupabaseClient,
  threadId: string,
): Promise<Record<string, string>> {
  const { data: members } = await supabase
    .from('thread_participants')
    .select('user_id')
    .eq('thread_id', threadId);
  const ids = (members ?? []).map(({ user_id }) => user_id);
  const { data: people } = await supabase.from('profiles').select('id,display_name').in('id', ids);
  return Object.fromEntries((people ?? []).map(({ id, display_name }) => [id, display_name]));
}
