import { createBrowserClient } from '@supabase/ssr';
import { SUPABASE_ANON_KEY, SUPABASE_URL } from './environment';

/** The project, asked from the browser; the session is in cookies, so that the server sees it too. */
export const supabase = createBrowserClient(SUPABASE_URL, SUPABASE_ANON_KEY);
