import type { ConnectionSnapshot, ThreadSnapshot } from '@rejoinder/client';

/** Where the connection to the gateway stands. */
export function connectionWords({ state, queueLength }: ConnectionSnapshot): string {
  const waiting = queueLength > 0 ? `, ${queueLength} waiting` : '';
  switch (state) {
    case 'connected':
      return `connected${waiting}`;
    case 'idle':
    case 'connecting':
      return `connecting${waiting}`;
    case 'waiting':
      return `offline${waiting}`;
    case 'auth-required':
    case 'wrong-user':
      return `sign in again${waiting}`;
    case 'stopped':
    case 'failed':
      return `stopped${waiting}`;
  }
}

/** Who else is there; nothing while that is unknown. */
export function presenceWords(
  { partners, syncState, partnerTyping }: ThreadSnapshot,
  names: Readonly<Record<string, string>>,
): string {
  const partner = partners[0];
  if (!partner) return syncState === 'live' ? 'Nobody else takes part any more' : '';
  const name = names[partner.userId] ?? 'Somebody';
  if (partnerTyping) return `${name} is typing …`;
  return partner.presence === 'unknown' ? '' : `${name} is ${partner.presence}`;
}

/** Why the thread is not shown. */
export function unavailableWords(code: string): string {
  return code === 'not_found' ? 'You take part in this conversation no longer' : code;
}
