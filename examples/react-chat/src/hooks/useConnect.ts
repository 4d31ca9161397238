import type { DmClient } from '@rejoinder/client';
import { useCallback, useEffect, useState } from 'react';

export interface Connect {
  /** Tries again at once. */
  readonly retry: () => void;
  /** Why the client could not even start, for example because its program did not load. */
  readonly startProblem: string;
}

/** Connects `client`, which stays connected by itself from then on. */
export function useConnect(client: DmClient, token: string): Connect {
  const [startProblem, setStartProblem] = useState('');
  const retry = useCallback(() => {
    client.connect(token).then(
      () => setStartProblem(''),
      (error: unknown) => setStartProblem(error instanceof Error ? error.message : String(error)),
    );
  }, [client, token]);
  useEffect(retry, [retry]);
  return { retry, startProblem };
}
