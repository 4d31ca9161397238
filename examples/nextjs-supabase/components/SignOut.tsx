'use client';

import { useRouter } from 'next/navigation';
import { client } from '@/lib/rejoinder';
import { supabase } from '@/lib/supabaseClient';

/** Signs out, and deletes what this device has stored of the user's messages. */
export function SignOut() {
  const router = useRouter();
  const signOut = async () => {
    await client.logout();
    await supabase.auth.signOut();
    router.refresh();
  };
  return (
    <button type="button" onClick={() => void signOut().catch(console.error)}>
      Sign out
    </button>
  );
}
