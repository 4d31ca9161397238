import type { Message } from '@rejoinder/client';

/** What a message says. Plain text: what a stranger writes never becomes a link or markup. */
export function MessageBody({ message }: { readonly message: Message }) {
  if (message.isDeleted) return <p className="body body-deleted">This message was deleted</p>;
  return (
    <>
      {message.body && (
        <p className="body" dir="auto">
          {message.body}
        </p>
      )}
      {message.attachments.map((attachment) => (
        <p className="attachment" key={attachment.url}>
          <bdi>{attachment.name}</bdi> · {Math.max(1, Math.round(attachment.sizeBytes / 1000))} kB
        </p>
      ))}
    </>
  );
}
