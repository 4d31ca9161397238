import { colourOf, initialsOf } from '../people.js';

interface AvatarProps {
  readonly userId: string;
  readonly size?: 'small' | 'large';
  /** Shows a dot: whether the person is there. */
  readonly presence?: 'online' | 'offline' | 'unknown';
}

/** A picture made of initials and a colour; it says nothing that a name beside it does not say. */
export function Avatar({ userId, size = 'large', presence = 'unknown' }: AvatarProps) {
  return (
    <span className={`avatar avatar-${size} ${colourOf(userId)}`} aria-hidden="true">
      {initialsOf(userId)}
      {presence !== 'unknown' && <span className={`presence-dot presence-${presence}`} />}
    </span>
  );
}
