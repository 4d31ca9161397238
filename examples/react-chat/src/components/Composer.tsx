import { type FormEvent, type KeyboardEvent, useId, useState } from 'react';
import { useRemembered } from '../hooks/useRemembered.js';
import { nameOf } from '../people.js';
import { refusal } from '../words.js';
import { useAnnouncement } from './Announcer.js';
import { Icon } from './Icon.js';

/** `BODY_BYTES_MAX` of the protocol; a gateway may not allow more. */
const BODY_BYTES_MAX = 16 * 1024;
/** From here on the room that is left is shown. */
const NEARLY_FULL_BYTES = BODY_BYTES_MAX - 1024;

const encoder = new TextEncoder();

interface ComposerProps {
  readonly userId: string;
  readonly threadId: string;
  readonly partnerId: string;
  readonly send: (body: string) => Promise<unknown>;
  readonly sendTyping: (isTyping: boolean) => void;
}

/** Where a message is written: Enter sends, Shift+Enter begins a new line. */
export function Composer({ userId, threadId, partnerId, send, sendTyping }: ComposerProps) {
  const [draft, setDraft] = useRemembered(`draft ${userId} ${threadId}`, '');
  const [problem, setProblem] = useState('');
  const hintId = useId();
  const bytes = draft.length * 3 > NEARLY_FULL_BYTES ? encoder.encode(draft).length : 0;
  const isTooLong = bytes > BODY_BYTES_MAX;
  const canSend = draft.trim() !== '' && !isTooLong;
  const hint = problem || roomLeft(bytes);
  useAnnouncement(problem || (isTooLong ? 'The message is too long' : ''));

  const change = (text: string) => {
    setDraft(text);
    setProblem('');
    sendTyping(text.trim() !== '');
  };

  const submit = (event?: FormEvent) => {
    event?.preventDefault();
    if (!canSend) return;
    setDraft('');
    setProblem('');
    send(draft.trim()).catch((error: unknown) => {
      // Nothing was queued, so the words go back to where they can be changed.
      setDraft(draft);
      setProblem(`Not sent: ${describe(error)}.`);
    });
  };

  const pressed = (event: KeyboardEvent) => {
    // While a word is being composed (Chinese, Japanese), Enter belongs to the input method.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    submit();
  };

  return (
    <form className="composer" onSubmit={submit}>
      {hint && (
        <p id={hintId} className={problem || isTooLong ? 'composer-hint danger' : 'composer-hint'}>
          {hint}
        </p>
      )}
      <div className="composer-line">
        {/* The stylesheet gives the copy in `data-text` the size that the field then takes. */}
        <div className="composer-field" data-text={`${draft} `}>
          <textarea
            rows={1}
            value={draft}
            dir="auto"
            placeholder={`Message ${nameOf(partnerId)}`}
            aria-label={`Message to ${nameOf(partnerId)}`}
            aria-describedby={hint ? hintId : undefined}
            aria-invalid={isTooLong}
            enterKeyHint="send"
            autoComplete="off"
            onChange={(event) => change(event.currentTarget.value)}
            onKeyDown={pressed}
            onBlur={() => sendTyping(false)}
          />
        </div>
        <button type="submit" className="send" aria-label="Send" title="Send" disabled={!canSend}>
          <Icon name="send" />
        </button>
      </div>
    </form>
  );
}

function roomLeft(bytes: number): string {
  if (bytes <= NEARLY_FULL_BYTES) return '';
  const left = BODY_BYTES_MAX - bytes;
  return left >= 0 ? `${left} bytes left` : `${-left} bytes too long`;
}

function describe(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return refusal(error.code);
  }
  return error instanceof Error ? error.message : String(error);
}
