import { createContext, type ReactNode, useCallback, useContext, useEffect, useState } from 'react';

const Announce = createContext<(text: string) => void>(() => {});

/** The page's one live region for states; messages are read out by the timeline itself. */
export function Announcer({ children }: { readonly children: ReactNode }) {
  const [news, setNews] = useState({ text: '', count: 0 });
  const announce = useCallback((text: string) => {
    setNews(({ count }) => ({ text, count: count + 1 }));
  }, []);
  return (
    <Announce value={announce}>
      {children}
      <div role="status" aria-live="polite" className="visually-hidden">
        {/* A new element each time: the same words said again are read again. */}
        <span key={news.count}>{news.text}</span>
      </div>
    </Announce>
  );
}

/** Has `text` read out whenever it changes; nothing for an empty text. */
export function useAnnouncement(text: string): void {
  const announce = useContext(Announce);
  useEffect(() => {
    if (text) announce(text);
  }, [announce, text]);
}
