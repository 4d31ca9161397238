import { dayName } from '../time.js';

interface DaySeparatorProps {
  readonly at: number;
  readonly now: number;
}

/** The heading of a day in the timeline. */
export function DaySeparator({ at, now }: DaySeparatorProps) {
  return (
    <div className="day">
      <span>{dayName(at, now)}</span>
    </div>
  );
}
