import { createServerClient } from '@supabase/ssr';
import { cookies } from 'next/headers';
import { SUPABASE_ANON_KEY, SUPABASE_URL } from './environment';

/** The project, asked from a server component with the session of the request. */
export async function supabaseOfRequest() {
  const store = await cookies();
  return createServerClient(SUPABASE_URL, SUPABASE_ANON_KEY, {
    cookies: {
      getAll: () => store.getAll(),
      // A component cannot set cookies; `proxy.ts` has renewed the session before it.
      setAll: () => {},
    },
  });
}
