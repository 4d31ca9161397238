import { type FormEvent, useState } from 'react';

interface ComposerProps {
  readonly label: string;
  readonly send: (body: string) => Promise<unknown>;
  readonly sendTyping?: (isTyping: boolean) => void;
}

/** Where a message is written. */
export function Composer({ label, send, sendTyping }: ComposerProps) {
  const [draft, setDraft] = useState('');
  const [problem, setProblem] = useState('');

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const body = draft.trim();
    if (body === '') return;
    setDraft('');
    setProblem('');
    send(body).catch((error: unknown) => {
      // Nothing was sent or queued, so the words go back to where they can be sent again.
      setDraft(body);
      setProblem(error instanceof Error ? error.message : String(error));
    });
  };

  return (
    <form className="composer" onSubmit={submit}>
      {problem && (
        <p className="problem" role="alert">
          Not sent: {problem}
        </p>
      )}
      <input
        value={draft}
        aria-label={label}
        placeholder="Write a message"
        autoComplete="off"
        onChange={(event) => {
          setDraft(event.currentTarget.value);
          sendTyping?.(event.currentTarget.value !== '');
        }}
      />
      <button type="submit" disabled={draft.trim() === ''}>
        Send
      </button>
    </form>
  );
}
