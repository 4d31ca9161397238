import type { ConnectionReason, ConnectionSnapshot } from '@rejoinder/client';

/** Codes into words, in one place: a translation would start here. */

const REASONS: Record<ConnectionReason, string> = {
  closed: 'The gateway closed the connection',
  'no-token': 'You are not signed in',
  silent: 'The gateway does not answer',
  unreachable: 'The gateway is out of reach',
  'not-a-gateway': 'Something else answers where the gateway should be',
  'token-expired': 'Your sign-in has expired',
  'token-refused': 'Your sign-in is not accepted',
  'epoch-changed': 'The gateway has been restored; starting again',
  panic: 'The chat has stopped after an internal error',
};

const REFUSALS: Record<string, string> = {
  blocked: 'you cannot write to this person',
  forbidden: 'you may not write here',
  gone: 'it was taken back before',
  id_conflict: 'it was already sent with another text',
  invalid: 'the gateway does not accept this text',
  limit: 'there is too much at once',
  not_found: 'this conversation does not exist for you',
  outbox_full: 'too many messages are waiting already',
  too_large: 'it is too long',
};

/** Why a message was refused; completes "Not sent: …". */
export function refusal(code: string): string {
  return REFUSALS[code] ?? `the gateway refused it (${code})`;
}

/** Why a conversation cannot be shown. */
export function unavailability(code: string): string {
  if (code === 'not_found' || code === 'forbidden') {
    return 'This conversation does not exist, or is not yours.';
  }
  return `The gateway does not show this conversation (${code}).`;
}

/** Why there is no connection, without the time of the next attempt. */
export function connectionProblem({ state, reason }: ConnectionSnapshot): string {
  switch (state) {
    case 'connected':
      return '';
    case 'idle':
    case 'connecting':
      return 'Connecting …';
    case 'auth-required':
      return 'Your sign-in has expired';
    case 'wrong-user':
      return 'You are signed in as somebody else';
    case 'stopped':
      return 'The gateway turned this app away';
    case 'failed':
      return `${REASONS.panic}. Reload the page: nothing that waits is lost`;
    default:
      return reason ? REASONS[reason] : 'Offline';
  }
}

/** One word for the header. */
export function connectionWord({ state }: ConnectionSnapshot): string {
  if (state === 'connected') return 'connected';
  return state === 'connecting' || state === 'idle' ? 'connecting' : 'offline';
}

/** How many messages wait. */
export function waiting(count: number): string {
  if (count === 0) return '';
  return count === 1 ? '1 message waiting' : `${count} messages waiting`;
}
