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
  readonly startProblem: string;
  readonly retry: () => void;
}

/** Why there is no connection, when the next attempt begins and what waits for it. */
export function ConnectionBanner(props: ConnectionBannerProps) {
  const { userId, connection, startProblem, retry } = props;
  const { state, nextAttemptAt, queueLength } = connection;
  const isTrying = !startProblem && (state === 'idle' || state === 'connecting');
  const isShown = useDelayed(state !== 'connected', PATIENCE_MS);
  const now = useNow(500, isShown && nextAttemptAt !== undefined);
  const current = startProblem || connectionProblem(connection);
  const [last, setLast] = useState('');
  if (!isTrying && last !== current) setLast(current);
  // During the next attempt the reason stays: a banner that changes each second tells less.
  const problem = isTrying && last ? last : current;
  const queue = waiting(queueLength);
  useAnnouncement(useNews(userId, isShown, [problem, queue].filter(Boolean).join('. ')));
  if (!isShown) return null;
  const isCalm = isTrying && !last;
  const wait = nextAttemptAt && `Next attempt in ${secondsUntil(nextAttemptAt, now)} s`;
  const next = isTrying && last ? 'Trying now …' : wait;
  const details = [next, queue].filter(Boolean).join(' · ');
  return (
    <div className={`banner banner-${isCalm ? 'calm' : state}`} data-testid="connection-banner">
      <Icon name={isCalm ? 'wifi' : 'cut'} />
      <p>
        <strong>{problem}</strong> {details && <span>{details}</span>}
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

/** What to read out: the trouble while it lasts, then that it is over. */
function useNews(userId: string, isTrouble: boolean, trouble: string): string {
  const [hadTrouble, setHadTrouble] = useState(false);
  if (isTrouble && !hadTrouble) setHadTrouble(true);
  if (isTrouble) return `${nameOf(userId)}: ${trouble}`;
  return hadTrouble ? `${nameOf(userId)}: connected` : '';
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
