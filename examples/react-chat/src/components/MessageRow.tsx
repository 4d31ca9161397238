import { memo } from 'react';
import type { Place } from '../grouping.js';
import { nameOf } from '../people.js';
import { clockTime, fullTime } from '../time.js';
import { Icon } from './Icon.js';
import { MessageBody } from './MessageBody.js';
import { type MessageActions, MessageNote } from './MessageNote.js';
import { MessageStatus } from './MessageStatus.js';

type MessageRowProps = Omit<Place, 'startsDay'> & MessageActions;

/** One message. The client keeps an unchanged message the identical object, so `memo` holds. */
export const MessageRow = memo(function MessageRow(props: MessageRowProps) {
  const { message, startsGroup, endsGroup, retry, discard } = props;
  const { isOwn, delivery, sentAt, senderId } = message;
  const isThrough = delivery.status === 'sent';
  const side = isOwn ? 'own' : 'other';
  const first = startsGroup ? 'first' : 'next';
  return (
    <li
      className={`row row-${side} row-${first}`}
      data-message-id={message.id}
      data-status={delivery.status}
    >
      <div className="row-line">
        {delivery.status === 'queued' && (
          <button
            type="button"
            className="row-action"
            title="Discard"
            aria-label="Discard this message"
            onClick={() => discard(message.clientMsgId)}
          >
            <Icon name="trash" />
          </button>
        )}
        <div className={`bubble bubble-${side} bubble-${first} bubble-${delivery.status}`}>
          <span className="visually-hidden">
            <bdi>{isOwn ? 'You' : nameOf(senderId)}</bdi>:
          </span>
          <MessageBody message={message} />
          <span className={endsGroup || !isThrough ? 'meta' : 'visually-hidden'}>
            {message.editedAt !== undefined && <span>edited</span>}
            <time dateTime={new Date(sentAt).toISOString()} title={fullTime(sentAt)}>
              {clockTime(sentAt)}
            </time>
            {isOwn && <MessageStatus delivery={delivery} />}
          </span>
        </div>
      </div>
      {isOwn && <MessageNote message={message} retry={retry} discard={discard} />}
    </li>
  );
});
