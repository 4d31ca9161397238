import { After } from '@/components/After';
import { Before } from '@/components/Before';
import { NetworkSwitch } from '@/components/NetworkSwitch';
import { SignIn } from '@/components/SignIn';
import { SignOut } from '@/components/SignOut';
import { readConversation } from '@/lib/conversation';
import { supabaseOfRequest } from '@/lib/supabaseServer';

/** One conversation, rendered on the server, then kept up to date by the old path and the new one. */
export default async function Page() {
  const supabase = await supabaseOfRequest();
  const { data } = await supabase.auth.getClaims();
  const userId = data?.claims.sub;
  if (!userId) return <SignIn />;
  const conversation = await readConversation(supabase, userId);
  if (!conversation) {
    return (
      <main className="alone">
        <h1>No conversation</h1>
        <p>You take part in no conversation.</p>
        <SignOut />
      </main>
    );
  }
  const { title, names, threadId } = conversation;
  const others = Object.keys(names).filter((id) => id !== userId);
  return (
    <main className="page" data-thread={threadId} data-user={userId}>
      <header className="page-header">
        <div className="page-title">
          <h1>{title}</h1>
          <p>
            {names[userId]} with {others.map((id) => names[id]).join(', ')}
          </p>
        </div>
        <NetworkSwitch />
        <SignOut />
      </header>
      <div className="sides">
        <Before conversation={conversation} />
        <After conversation={conversation} />
      </div>
    </main>
  );
}
