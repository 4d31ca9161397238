import { useNow } from '../hooks/useNow.js';
import { nameOf } from '../people.js';
import { ago } from '../time.js';
import { Avatar } from './Avatar.js';
import { Icon } from './Icon.js';

interface ConversationHeaderProps {
  readonly partnerId: string;
  readonly isTyping: boolean;
  readonly presence: 'online' | 'offline' | 'unknown';
  readonly lastSeenAt: number | undefined;
  readonly isConnected: boolean;
  readonly isCatchingUp: boolean;
  readonly goBack: () => void;
}

/** Whom one talks to, and whether they are there. */
export function ConversationHeader(props: ConversationHeaderProps) {
  const { partnerId, presence, goBack } = props;
  const now = useNow(30_000, presence === 'offline');
  return (
    <header className="conversation-header">
      <button
        type="button"
        className="icon-button back"
        aria-label="All conversations"
        onClick={goBack}
      >
        <Icon name="back" />
      </button>
      <Avatar userId={partnerId} presence={presence} />
      <div className="who">
        <h3>
          <bdi>{nameOf(partnerId)}</bdi>
        </h3>
        <p className={props.isTyping ? 'whereabouts is-typing' : 'whereabouts'}>
          {whereabouts(props, now)}
        </p>
      </div>
    </header>
  );
}

function whereabouts(props: ConversationHeaderProps, now: number): string {
  if (props.isTyping) return 'typing …';
  if (!props.isConnected) return 'waiting for the network';
  if (props.isCatchingUp) return 'catching up …';
  if (props.presence === 'online') return 'online';
  if (props.presence === 'unknown') return '';
  return props.lastSeenAt === undefined ? 'offline' : `last seen ${ago(props.lastSeenAt, now)}`;
}
