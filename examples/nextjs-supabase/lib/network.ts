import { SUPABASE_URL } from './environment';
import { client } from './rejoinder';
import { supabase } from './supabaseClient';

const connected = globalThis.fetch;

/** Takes the network away from both paths, or gives it back: for this demonstration only. */
export function setNetwork(isOn: boolean) {
  if (isOn) {
    globalThis.fetch = connected;
    client.debug.restore();
    supabase.realtime.connect();
  } else {
    globalThis.fetch = (input, init) => {
      const url = input instanceof Request ? input.url : String(input);
      if (!url.startsWith(SUPABASE_URL)) return connected(input, init);
      return Promise.reject(new TypeError('the network is switched off'));
    };
    client.debug.cut();
    void supabase.realtime.disconnect();
  }
}
