const timeFormat = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const dayFormat = new Intl.DateTimeFormat('en', { weekday: 'long', day: 'numeric', month: 'long' });
const dayWithYearFormat = new Intl.DateTimeFormat('en', { dateStyle: 'long' });
const shortDayFormat = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short' });
const fullFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short' });

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** The beginning of the day that `millis` lies in, here: the same number for the same day. */
export function dayOf(millis: number): number {
  return new Date(millis).setHours(0, 0, 0, 0);
}

/** How many midnights lie between the two. */
function daysBetween(earlier: number, later: number): number {
  return Math.round((dayOf(later) - dayOf(earlier)) / (24 * HOUR));
}

export function clockTime(millis: number): string {
  return timeFormat.format(millis);
}

export function fullTime(millis: number): string {
  return fullFormat.format(millis);
}

/** The heading of a day. */
export function dayName(millis: number, now: number): string {
  const days = daysBetween(millis, now);
  if (days === 0) return 'Today';
  if (days === 1) return 'Yesterday';
  const thisYear = new Date(millis).getFullYear() === new Date(now).getFullYear();
  return (thisYear ? dayFormat : dayWithYearFormat).format(millis);
}

/** The time in a list: the clock today, the day before that. */
export function listTime(millis: number, now: number): string {
  const days = daysBetween(millis, now);
  if (days === 0) return clockTime(millis);
  return days === 1 ? 'Yesterday' : shortDayFormat.format(millis);
}

/** How long ago, in words. */
export function ago(millis: number, now: number): string {
  const passed = Math.max(0, now - millis);
  if (passed < MINUTE) return 'just now';
  if (passed < HOUR) return `${Math.floor(passed / MINUTE)} min ago`;
  const days = daysBetween(millis, now);
  if (days === 0) return `today at ${clockTime(millis)}`;
  if (days === 1) return `yesterday at ${clockTime(millis)}`;
  return `on ${shortDayFormat.format(millis)}`;
}

/** Whole seconds until `millis`, at least 0. */
export function secondsUntil(millis: number, now: number): number {
  return Math.max(0, Math.ceil((millis - now) / 1000));
}
