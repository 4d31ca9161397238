import type { InboxThread } from '@rejoinder/client';
import { useInbox } from '@rejoinder/client/react';
import { useEffect, useState } from 'react';
import { useNow } from '../hooks/useNow.js';
import { nameOf, PEOPLE, threadOf } from '../people.js';
import { ThreadListItem } from './ThreadListItem.js';

interface ThreadListProps {
  readonly userId: string;
  readonly openPartnerId: string;
  readonly open: (partnerId: string) => void;
}

/** All conversations, the latest first, then the people one has not written to yet. */
export function ThreadList({ userId, openPartnerId, open }: ThreadListProps) {
  const { threads, isCurrent } = useInbox();
  const now = useNow(60_000);
  const seen = useSeen(threads, isCurrent, threadOf(userId, openPartnerId));
  const conversations = threads.filter((thread) => thread.partnerIds.length === 1);
  const known = new Set(conversations.flatMap((thread) => thread.partnerIds));
  const strangers = PEOPLE.filter((person) => person !== userId && !known.has(person));
  const rows = [
    ...conversations.map((thread) => ({ partnerId: thread.partnerIds[0] ?? '', thread })),
    ...strangers.map((partnerId) => ({ partnerId, thread: undefined })),
  ];
  return (
    <nav className="threads" aria-label={`Conversations of ${nameOf(userId)}`}>
      <ul>
        {rows.map(({ partnerId, thread }) => (
          <ThreadListItem
            key={partnerId}
            userId={userId}
            partnerId={partnerId}
            thread={thread}
            now={now}
            isOpen={partnerId === openPartnerId}
            isNew={thread !== undefined && isNews(thread, userId, seen)}
            open={() => open(partnerId)}
          />
        ))}
      </ul>
      {!isCurrent && threads.length === 0 && (
        <p className="threads-note">Loading conversations …</p>
      )}
    </nav>
  );
}

/** What this page has shown of each thread, as sequence numbers. */
type Seen = ReadonlyMap<string, number>;

function isNews(thread: InboxThread, userId: string, seen: Seen | undefined): boolean {
  if (!seen || !thread.preview || thread.preview.senderId === userId) return false;
  return thread.sequenceNumber > (seen.get(thread.threadId) ?? 0);
}

/** Begins with the first list of this page, then follows the conversation that is open. */
function useSeen(
  threads: readonly InboxThread[],
  isCurrent: boolean,
  openThreadId: string,
): Seen | undefined {
  const [seen, setSeen] = useState<Seen>();
  useEffect(() => {
    if (!isCurrent) return;
    setSeen((before) => {
      const next = new Map(before);
      for (const { threadId, sequenceNumber } of threads) {
        if (!before || threadId === openThreadId) next.set(threadId, sequenceNumber);
      }
      return next;
    });
  }, [threads, isCurrent, openThreadId]);
  return seen;
}
