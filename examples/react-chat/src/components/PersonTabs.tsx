import { nameOf } from '../people.js';
import { Avatar } from './Avatar.js';

interface PersonTabsProps {
  readonly people: readonly string[];
  readonly shown: string;
  readonly show: (userId: string) => void;
}

/** Where there is no room for two side by side: whose chat to show. */
export function PersonTabs({ people, shown, show }: PersonTabsProps) {
  return (
    <fieldset className="person-tabs">
      <legend className="visually-hidden">Whose chat to show</legend>
      {people.map((userId) => (
        <button
          key={userId}
          type="button"
          aria-pressed={userId === shown}
          onClick={() => show(userId)}
        >
          <Avatar userId={userId} size="small" />
          <bdi>{nameOf(userId)}</bdi>
        </button>
      ))}
    </fieldset>
  );
}
