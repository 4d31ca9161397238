'use client';

import { useId } from 'react';
import type { Shown } from '@/lib/shown';
import { Composer } from './Composer';
import { MessageState, type MessageStateProps } from './MessageState';
import { SentAt } from './SentAt';

interface ChatProps extends Omit<MessageStateProps, 'message'> {
  readonly title: string;
  readonly hook: string;
  readonly status: string;
  /** Something about the conversation, such as who is online. */
  readonly notice?: string;
  readonly messages: readonly Shown[];
  readonly send: (body: string) => Promise<unknown>;
  readonly sendTyping?: (isTyping: boolean) => void;
}

/** A conversation. It does not know which path its messages take. */
export function Chat({ title, hook, status, notice = '', messages, ...actions }: ChatProps) {
  const titleId = useId();
  return (
    <section className="chat" aria-labelledby={titleId} data-side={title.toLowerCase()}>
      <header className="chat-header">
        <h2 id={titleId}>{title}</h2>
        <code>{hook}</code>
        <p className="status" data-status={status} role="status">
          {status}
        </p>
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, also from the keyboard. */}
      <div className="messages" role="log" aria-labelledby={titleId} tabIndex={0}>
        <ol>
          {messages.map(({ id, name, isOwn, body, sentAt, message }) => (
            <li key={id} className={isOwn ? 'message own' : 'message'} data-message>
              <p className="sender">
                {name} <SentAt at={sentAt} />
                {message && isOwn && (
                  <>
                    {' · '}
                    <MessageState message={message} {...actions} />
                  </>
                )}
              </p>
              <p className="body">{body}</p>
            </li>
          ))}
        </ol>
      </div>
      <p className="notice" aria-live="polite">
        {notice}
      </p>
      <Composer label={`Message, ${title.toLowerCase()}`} {...actions} />
    </section>
  );
}
