import { useSyncExternalStore } from 'react';

const never = () => () => {};

/** The time of a message, which only the browser can say: a server has another time zone. */
export function SentAt({ at }: { readonly at: number }) {
  const time = useSyncExternalStore(
    never,
    () => new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }),
    () => '',
  );
  return <time dateTime={new Date(at).toISOString()}>{time}</time>;
}
