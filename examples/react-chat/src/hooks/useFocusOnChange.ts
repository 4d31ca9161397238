import { type RefObject, useEffect, useRef } from 'react';

/**
 * Moves the keyboard along when another conversation is opened: what had the focus may be gone.
 *
 * To the field where one writes; on a touch screen, where that would bring up the keyboard, to the
 * way back; and from there to the conversation one came from.
 */
export function useFocusOnChange(pane: RefObject<HTMLElement | null>, openPartnerId: string): void {
  const before = useRef(openPartnerId);
  useEffect(() => {
    const left = before.current;
    if (left === openPartnerId) return;
    before.current = openPartnerId;
    const hasKeyboard = matchMedia('(hover: hover)').matches;
    const target = hasKeyboard ? 'textarea' : '.back';
    const selector = openPartnerId ? target : `[data-partner="${CSS.escape(left)}"]`;
    pane.current?.querySelector<HTMLElement>(selector)?.focus();
  }, [pane, openPartnerId]);
}
