import type { Message } from '@rejoinder/client';
import { Fragment, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { group } from '../grouping.js';
import { useNow } from '../hooks/useNow.js';
import { useStickyScroll } from '../hooks/useStickyScroll.js';
import { nameOf } from '../people.js';
import { Avatar } from './Avatar.js';
import { DaySeparator } from './DaySeparator.js';
import { Icon } from './Icon.js';
import type { MessageActions } from './MessageNote.js';
import { MessageRow } from './MessageRow.js';
import { TypingIndicator } from './TypingIndicator.js';

interface TimelineProps extends MessageActions {
  readonly partnerId: string;
  readonly messages: readonly Message[];
  readonly isConnected: boolean;
  readonly isPartnerTyping: boolean;
  readonly hasOlder: boolean;
  readonly isLoadingOlder: boolean;
  readonly loadOlder: () => void;
}

/** The messages of one conversation, the oldest above; older ones load as one scrolls up. */
export function Timeline(props: TimelineProps) {
  const { partnerId, messages, isPartnerTyping, hasOlder, isLoadingOlder, loadOlder } = props;
  const now = useNow(60_000);
  const places = useMemo(() => group(messages), [messages]);
  const layout = `${messages.length} ${isPartnerTyping} ${hasOlder} ${isLoadingOlder}`;
  const version = useMemo(() => ({ messages, layout }), [messages, layout]);
  const { scroller, content, isAtEnd, isNearStart, scrollToEnd } = useStickyScroll(version);
  const unseen = useUnseen(messages, isAtEnd, scrollToEnd);

  useEffect(() => {
    const view = scroller.current;
    // Looked at again, since a list that has just grown is no longer near its start.
    const isNear = isNearStart && view && view.scrollTop < view.clientHeight;
    if (isNear && hasOlder && !isLoadingOlder) loadOlder();
  }, [scroller, isNearStart, hasOlder, isLoadingOlder, loadOlder]);

  return (
    <div className="timeline">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, also from the keyboard. */}
      <div className="timeline-scroller" ref={scroller} tabIndex={0}>
        <div
          className="timeline-content"
          ref={content}
          role="log"
          aria-label={`Messages with ${nameOf(partnerId)}`}
          aria-busy={isLoadingOlder}
        >
          <TimelineStart {...props} />
          <ol>
            {places.map(({ message, startsDay, startsGroup, endsGroup }) => (
              <Fragment key={message.id}>
                {startsDay && (
                  <li>
                    <DaySeparator at={message.sentAt} now={now} />
                  </li>
                )}
                <MessageRow
                  message={message}
                  startsGroup={startsGroup}
                  endsGroup={endsGroup}
                  retry={props.retry}
                  discard={props.discard}
                />
              </Fragment>
            ))}
          </ol>
          {isPartnerTyping && <TypingIndicator partnerId={partnerId} />}
        </div>
      </div>
      {!isAtEnd && (
        <button type="button" className={unseen ? 'pill pill-new' : 'pill'} onClick={scrollToEnd}>
          <Icon name="down" />
          {unseen === 0 && <span className="visually-hidden">To the newest message</span>}
          {unseen === 1 && '1 new message'}
          {unseen > 1 && `${unseen} new messages`}
        </button>
      )}
    </div>
  );
}

/** What stands above the oldest message. */
function TimelineStart({ partnerId, messages, isConnected, hasOlder }: TimelineProps) {
  if (hasOlder) {
    const words = isConnected ? 'Loading older messages …' : 'Older messages need the network.';
    return <p className="timeline-start">{words}</p>;
  }
  const name = <bdi>{nameOf(partnerId)}</bdi>;
  if (messages.length === 0) {
    return (
      <div className="timeline-empty">
        <Avatar userId={partnerId} />
        <p>No messages yet. Say hello to {name}.</p>
      </div>
    );
  }
  return <p className="timeline-start">This is where your conversation with {name} begins.</p>;
}

/** Counts what others wrote below the reader's view; goes to the end when the reader writes. */
function useUnseen(messages: readonly Message[], isAtEnd: boolean, scrollToEnd: () => void) {
  const [seenId, setSeenId] = useState<string>();
  const last = messages.at(-1);
  const previous = useRef(last);

  useLayoutEffect(() => {
    if (last && last !== previous.current && last.isOwn && last.delivery.status === 'queued') {
      if (last.id !== previous.current?.id) scrollToEnd();
    }
    previous.current = last;
  }, [last, scrollToEnd]);

  useEffect(() => {
    if (isAtEnd) setSeenId(last?.id);
  }, [isAtEnd, last]);

  if (isAtEnd || seenId === undefined) return 0;
  const seen = messages.findLastIndex((message) => message.id === seenId);
  return messages.slice(seen + 1).filter((message) => !message.isOwn).length;
}
