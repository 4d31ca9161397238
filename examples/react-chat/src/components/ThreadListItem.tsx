import type { InboxThread } from '@rejoinder/client';
import { nameOf } from '../people.js';
import { listTime } from '../time.js';
import { Avatar } from './Avatar.js';

interface ThreadListItemProps {
  readonly userId: string;
  readonly partnerId: string;
  readonly thread: InboxThread | undefined;
  readonly now: number;
  readonly isOpen: boolean;
  readonly isNew: boolean;
  readonly open: () => void;
}

/** One conversation, or somebody one could begin one with. */
export function ThreadListItem(props: ThreadListItemProps) {
  const { userId, partnerId, thread, isOpen, isNew, open } = props;
  const preview = thread?.preview;
  return (
    <li>
      <button
        type="button"
        className={isNew ? 'thread thread-new' : 'thread'}
        aria-current={isOpen ? 'true' : undefined}
        data-partner={partnerId}
        onClick={open}
      >
        <Avatar userId={partnerId} />
        <span className="thread-text">
          <span className="thread-line">
            <bdi className="thread-name">{nameOf(partnerId)}</bdi>
            {preview && (
              <time dateTime={new Date(preview.sentAt).toISOString()}>
                {listTime(preview.sentAt, props.now)}
              </time>
            )}
          </span>
          <span className="thread-line">
            <span className="thread-preview">
              {preview && preview.senderId === userId && 'You: '}
              {preview ? <bdi>{preview.body}</bdi> : 'Say hello'}
            </span>
            {isNew && (
              <span className="new-dot">
                <span className="visually-hidden">new</span>
              </span>
            )}
          </span>
        </span>
      </button>
    </li>
  );
}
