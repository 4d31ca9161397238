import type { ConnectionSnapshot } from '@rejoinder/client';
import { nameOf } from '../people.js';
import { connectionWord } from '../words.js';
import { Avatar } from './Avatar.js';
import { Icon } from './Icon.js';
import { NetworkSwitch } from './NetworkSwitch.js';

interface PaneHeaderProps {
  readonly userId: string;
  readonly connection: ConnectionSnapshot;
  /** Whether to offer a window of this person's own. */
  readonly canLeave: boolean;
  readonly cut: () => void;
  readonly restore: () => void;
}

/** Whose chat this is, whether it is connected, and the switch that cuts its network. */
export function PaneHeader({ userId, connection, canLeave, cut, restore }: PaneHeaderProps) {
  const word = connectionWord(connection);
  return (
    <header className="pane-header">
      <Avatar userId={userId} size="small" />
      <h2>
        <bdi>{nameOf(userId)}</bdi>
      </h2>
      <span className={`connection connection-${word}`} data-testid="connection">
        {word}
      </span>
      {canLeave && (
        <a
          className="icon-button"
          href={`?user=${encodeURIComponent(userId)}`}
          target="_blank"
          rel="noreferrer"
          title="Open in a window of its own"
        >
          <Icon name="window" />
          <span className="visually-hidden">Open {nameOf(userId)} in a window of its own</span>
        </a>
      )}
      <NetworkSwitch userId={userId} cut={cut} restore={restore} />
    </header>
  );
}
