import type { ConnectionSnapshot } from '@rejoinder/client';
import { useEffect, useState } from 'react';
import { useNow } from '../hooks/useNow.js';
import { nameOf } from '../people.js';
import { secondsUntil } from '../time.js';
import { connectionProblem, waiting } from '../words.js';
import { useAnnouncement } from './Announcer.js';
import { Icon } from './Icon.js';

/** An attempt that succeeds within this time is not worth a banner. */
const PATIENCE_MS = 700;

interface ConnectionBannerProps {
  readonly userId: string;
  readonly connection: ConnectionSnapshot;
  readonly retry: () => void;
}

/** Why there is no connection, when the next attempt begins and what waits for it. */
export function ConnectionBanner({ userId, connection, retry }: ConnectionBannerProps) {
  const { state, nextAttemptAt, queueLength } = connection;
  const isTrying = state === 'idle' || state === 'connecting';
  const isShown = useDelayed(state !== 'connected', PATIENCE_MS);
  const now = useNow(500, isShown && nextAttemptAt !== undefined);
  const problem = connectionProblem(connection);
  const queue = waiting(queueLength);
  useAnnouncement(
    isShown ? [`${nameOf(userId)}: ${problem}`, queue].filter(Boolean).join('. ') : '',
  );
  if (!isShown) return null;
  const next = nextAttemptAt && `Next attempt in ${secondsUntil(nextAttemptAt, now)} s`;
  const details = [next, queue].filter(Boolean).join(' · ');
  return (
    <div
      className={`banner banner-${isTrying ? 'connecting' : state}`}
      data-testid="connection-banner"
    >
      <Icon name={isTrying ? 'wifi' : 'cut'} />
      <p>
        <strong>{problem}</strong>
        {details && <span>{details}</span>}
      </p>
      {state === 'failed' && (
        <button type="button" className="banner-button" onClick={() => location.reload()}>
          Reload
        </button>
      )}
      {state !== 'failed' && !isTrying && (
        <button type="button" className="banner-button" onClick={retry}>
          Retry now
        </button>
      )}
    </div>
  );
}

/** `condition`, once it has held for `delayMs`; at once when it ends. */
function useDelayed(condition: boolean, delayMs: number): boolean {
  const [isPast, setPast] = useState(false);
  useEffect(() => {
    setPast(false);
    if (!condition) return;
    const timer = setTimeout(() => setPast(true), delayMs);
    return () => clearTimeout(timer);
  }, [condition, delayMs]);
  return condition && isPast;
}
