import type { Message } from '@rejoinder/client';
import type { Conversation, MessageRow } from './conversation';

/** A message as the page shows it, wherever it comes from. */
export interface Shown {
  readonly id: string;
  readonly name: string;
  readonly isOwn: boolean;
  readonly body: string;
  /** Milliseconds UTC. */
  readonly sentAt: number;
  /** The message of Rejoinder behind it, with its way so far. */
  readonly message?: Message;
}

/** A row of the table. */
export function shownRow(row: MessageRow, { names, userId }: Conversation): Shown {
  return {
    id: row.id,
    name: names[row.sender_id] ?? 'Somebody',
    isOwn: row.sender_id === userId,
    body: row.body,
    sentAt: Date.parse(row.created_at),
  };
}

/** A message of Rejoinder. */
export function shownMessage(message: Message, { names }: Conversation): Shown {
  return {
    id: message.id,
    name: names[message.senderId] ?? 'Somebody',
    isOwn: message.isOwn,
    body: message.body,
    sentAt: message.sentAt,
    message,
  };
}
