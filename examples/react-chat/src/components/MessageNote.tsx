import type { Message } from '@rejoinder/client';
import { refusal } from '../words.js';
import { Icon } from './Icon.js';

/** What the user can do about a message that is not through. */
export interface MessageActions {
  readonly retry: (clientMsgId: string) => void;
  readonly discard: (clientMsgId: string) => void;
}

interface MessageNoteProps extends MessageActions {
  readonly message: Message;
}

/** The line below a message of one's own that is not through: why, and what can be done. */
export function MessageNote({ message, retry, discard }: MessageNoteProps) {
  const { delivery, clientMsgId } = message;
  if (delivery.status === 'failed') {
    return (
      <div className="note note-failed">
        <span>Not sent: {refusal(delivery.code)}.</span>
        <button type="button" className="text-button" onClick={() => retry(clientMsgId)}>
          <Icon name="retry" /> Retry
        </button>
        <button type="button" className="text-button" onClick={() => discard(clientMsgId)}>
          <Icon name="trash" /> Discard
        </button>
      </div>
    );
  }
  if (delivery.status === 'cancelling') {
    return <div className="note">Taking it back …</div>;
  }
  if (delivery.status === 'queued' && delivery.blockedBy) {
    return <div className="note">Waits until the message above is retried or discarded</div>;
  }
  return null;
}
