import { useEffect } from 'react';
import { accessToken, client } from '@/lib/rejoinder';

/** Connects the client to the gateway for as long as somebody is signed in, whoever that is. */
export function useConnect(userId: string) {
  // biome-ignore lint/correctness/useExhaustiveDependencies: another user brings other tokens.
  useEffect(() => {
    // What goes wrong is shown by `connection`, and the client tries again by itself.
    client.connect(accessToken).catch(console.error);
  }, [userId]);
}
