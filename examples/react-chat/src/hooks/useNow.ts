import { useEffect, useState } from 'react';

/** The time, renewed every `everyMs` while `isActive`. */
export function useNow(everyMs: number, isActive = true): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!isActive) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs, isActive]);
  return now;
}
