import { nameOf } from '../people.js';
import { useAnnouncement } from './Announcer.js';

/** Says that the other person is writing. */
export function TypingIndicator({ partnerId }: { readonly partnerId: string }) {
  useAnnouncement(`${nameOf(partnerId)} is typing`);
  return (
    <div className="typing" data-testid="typing">
      <span className="typing-dots" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      <span className="visually-hidden">
        <bdi>{nameOf(partnerId)}</bdi> is typing
      </span>
    </div>
  );
}
