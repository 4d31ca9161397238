import { getWebSocketClient } from '@rejoinder/client';
import { REJOINDER_URL } from './environment';
import { supabase } from './supabaseClient';

/** The client that `useWebSocketDm` uses. It starts nothing by itself, so a server may import it. */
export const client = getWebSocketClient({ url: REJOINDER_URL });

/** Brings a current token: asked at every attempt to connect, and before the last one ends. */
export async function accessToken(): Promise<string> {
  const { data } = await supabase.auth.getSession();
  return data.session?.access_token ?? '';
}
