import { useCallback, useState } from 'react';

/** A text that survives a reload of this tab. */
export function useRemembered(key: string, initial: string): [string, (value: string) => void] {
  const [value, setValue] = useState(() => read(key) ?? initial);
  const remember = useCallback(
    (next: string) => {
      setValue(next);
      try {
        if (next === initial) sessionStorage.removeItem(key);
        else sessionStorage.setItem(key, next);
      } catch {
        // No storage, or it is full: then it lives as long as the page.
      }
    },
    [key, initial],
  );
  return [value, remember];
}

function read(key: string): string | null {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null;
  }
}
