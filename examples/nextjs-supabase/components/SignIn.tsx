'use client';

import { useRouter } from 'next/navigation';
import { type FormEvent, useState } from 'react';
import { supabase } from '@/lib/supabaseClient';

/** The two people of `supabase/seed.sql`; both have the password `rejoinder`. */
const PEOPLE = ['alice@example.com', 'bob@example.com'];

/** Signs in by Supabase Auth, then lets the server render the page anew. */
export function SignIn() {
  const router = useRouter();
  const [problem, setProblem] = useState('');
  const [isBusy, setIsBusy] = useState(false);

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setIsBusy(true);
    const { error } = await supabase.auth.signInWithPassword({
      email: String(form.get('email')),
      password: String(form.get('password')),
    });
    setIsBusy(false);
    setProblem(error?.message ?? '');
    if (!error) router.refresh();
  };

  return (
    <main className="alone">
      <h1>Sign in</h1>
      <form className="sign-in" onSubmit={(event) => void submit(event)}>
        <label>
          Who
          <select name="email">
            {PEOPLE.map((email) => (
              <option key={email}>{email}</option>
            ))}
          </select>
        </label>
        <label>
          Password
          <input
            name="password"
            type="password"
            defaultValue="rejoinder"
            autoComplete="current-password"
            required
          />
        </label>
        {problem && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" disabled={isBusy}>
          Sign in
        </button>
      </form>
      <p className="hint">Sign in as the other person in a second browser, or a private window.</p>
    </main>
  );
}
