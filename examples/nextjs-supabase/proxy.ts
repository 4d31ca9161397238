import { createServerClient } from '@supabase/ssr';
import { type NextRequest, NextResponse } from 'next/server';
import { SUPABASE_ANON_KEY, SUPABASE_URL } from './lib/environment';

/** Renews a session that is about to end, for the server components and for the browser. */
export async function proxy(request: NextRequest) {
  let response = NextResponse.next({ request });
  const supabase = createServerClient(SUPABASE_URL, SUPABASE_ANON_KEY, {
    cookies: {
      getAll: () => request.cookies.getAll(),
      setAll: (renewed) => {
        for (const { name, value } of renewed) request.cookies.set(name, value);
        response = NextResponse.next({ request });
        for (const { name, value, options } of renewed) response.cookies.set(name, value, options);
      },
    },
  });
  await supabase.auth.getClaims();
  return response;
}

export const config = { matcher: '/' };
