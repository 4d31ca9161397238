import type { Message } from '@rejoinder/client';

/** A message of one's own, and what can be done if it failed. */
export interface MessageStateProps {
  readonly message: Message;
  readonly retry?: (clientMsgId: string) => Promise<void>;
  readonly discard?: (clientMsgId: string) => Promise<unknown>;
}

/** Where a message of one's own stands on its way. */
export function MessageState({ message, retry, discard }: MessageStateProps) {
  const { clientMsgId, delivery } = message;
  if (delivery.status !== 'failed') return delivery.status;
  return (
    <span className="failed">
      not sent ({delivery.code})
      <button type="button" onClick={() => void retry?.(clientMsgId).catch(console.error)}>
        Retry
      </button>
      <button type="button" onClick={() => void discard?.(clientMsgId).catch(console.error)}>
        Discard
      </button>
    </span>
  );
}
