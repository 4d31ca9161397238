import type { Message } from '@rejoinder/client';
import { dayOf } from './time.js';

/** Messages of one person that follow each other faster than this belong together. */
const GROUP_MS = 5 * 60_000;

/** Where a message stands among its neighbours. */
export interface Place {
  readonly message: Message;
  readonly startsDay: boolean;
  readonly startsGroup: boolean;
  readonly endsGroup: boolean;
}

/** Gives each message its place. */
export function group(messages: readonly Message[]): Place[] {
  return messages.map((message, index) => {
    const before = messages[index - 1];
    const after = messages[index + 1];
    return {
      message,
      startsDay: !before || dayOf(before.sentAt) !== dayOf(message.sentAt),
      startsGroup: !before || !areTogether(before, message),
      endsGroup: !after || !areTogether(message, after),
    };
  });
}

function areTogether(earlier: Message, later: Message): boolean {
  return (
    earlier.senderId === later.senderId &&
    dayOf(earlier.sentAt) === dayOf(later.sentAt) &&
    later.sentAt - earlier.sentAt < GROUP_MS
  );
}
