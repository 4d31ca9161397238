import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';

/** Closer to the end than this counts as at the end: fractions of pixels, a nudge of the wheel. */
const AT_END_PX = 32;

export interface StickyScroll {
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly content: RefObject<HTMLDivElement | null>;
  /** Whether the newest message is in view. */
  readonly isAtEnd: boolean;
  /** Whether the oldest loaded message is nearly in view. */
  readonly isNearStart: boolean;
  readonly scrollToEnd: () => void;
}

interface Anchor {
  readonly element: HTMLElement;
  readonly top: number;
}

/**
 * Keeps a list of messages where the reader is: at the end if they are there, otherwise on the
 * same message, whatever is added above or below it.
 *
 * The anchoring that some browsers bring does not work at the very top, which is exactly where
 * older messages arrive, and Safari has none; so the stylesheet turns it off.
 *
 * `version` changes with every change of the list. Elements that can be anchors carry
 * `data-message-id`.
 */
export function useStickyScroll(version: unknown): StickyScroll {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const sticks = useRef(true);
  const anchor = useRef<Anchor>(undefined);
  const [isAtEnd, setAtEnd] = useState(true);
  const [isNearStart, setNearStart] = useState(false);

  /** Notes where the reader is. */
  const look = useCallback(() => {
    const view = scroller.current;
    if (!view || view.clientHeight === 0) return;
    const below = view.scrollHeight - view.clientHeight - view.scrollTop;
    sticks.current = below <= AT_END_PX;
    anchor.current = firstVisible(view);
    setAtEnd(sticks.current);
    setNearStart(view.scrollTop < view.clientHeight);
  }, []);

  /** Puts the reader back there after the list, or the room for it, has changed. */
  const settle = useCallback(() => {
    const view = scroller.current;
    if (!view || view.clientHeight === 0) return;
    const held = anchor.current;
    if (sticks.current) view.scrollTop = view.scrollHeight;
    else if (held?.element.isConnected) view.scrollTop += topOf(held.element, view) - held.top;
    look();
  }, [look]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `version` says that the list changed.
  useLayoutEffect(settle, [settle, version]);

  useEffect(() => {
    const view = scroller.current;
    if (!view || !content.current) return;
    view.addEventListener('scroll', look, { passive: true });
    // The composer grows, the window turns, a font arrives.
    const observer = new ResizeObserver(settle);
    observer.observe(view);
    observer.observe(content.current);
    return () => {
      view.removeEventListener('scroll', look);
      observer.disconnect();
    };
  }, [look, settle]);

  const scrollToEnd = useCallback(() => {
    sticks.current = true;
    settle();
  }, [settle]);

  return { scroller, content, isAtEnd, isNearStart, scrollToEnd };
}

function topOf(element: HTMLElement, view: HTMLElement): number {
  return element.getBoundingClientRect().top - view.getBoundingClientRect().top;
}

/** The first message that ends below the upper edge, found by halving: the list may be long. */
function firstVisible(view: HTMLElement): Anchor | undefined {
  const elements = view.querySelectorAll<HTMLElement>('[data-message-id]');
  const edge = view.getBoundingClientRect().top;
  let low = 0;
  let high = elements.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const element = elements[middle];
    if (element && element.getBoundingClientRect().bottom <= edge) low = middle + 1;
    else high = middle;
  }
  const element = elements[low];
  return element && { element, top: topOf(element, view) };
}
