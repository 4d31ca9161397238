// Next.js puts these into the browser's code where it reads their full names.
export const SUPABASE_URL = required('SUPABASE_URL', process.env.NEXT_PUBLIC_SUPABASE_URL);
export const SUPABASE_ANON_KEY = required(
  'SUPABASE_ANON_KEY',
  process.env.NEXT_PUBLIC_SUPABASE_ANON_KEY,
);
/** Where the gateway is, such as `wss://chat.example/ws`. */
export const REJOINDER_URL = required('REJOINDER_URL', process.env.NEXT_PUBLIC_REJOINDER_URL);

function required(name: string, value: string | undefined): string {
  if (!value) throw new Error(`set NEXT_PUBLIC_${name}; .env.example shows all variables`);
  return value;
}
