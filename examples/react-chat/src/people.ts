/** Who can be written to. A real app asks its own server; the gateway only knows user ids. */
export const PEOPLE = ['alice', 'bob', 'carol'] as const;

/** How many colours `styles/tokens.css` has. */
const COLOURS = 8;

const CHOSEN_COLOURS: Record<string, number> = { alice: 0, bob: 1, carol: 2 };

/** The name to show: user ids of this demo are first names. */
export function nameOf(userId: string): string {
  return userId.charAt(0).toUpperCase() + userId.slice(1);
}

export function initialsOf(userId: string): string {
  const words = nameOf(userId)
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean);
  const letters = words.slice(0, 2).map((word) => [...word][0]);
  return letters.join('').toUpperCase() || '?';
}

/** The class that gives a person's colour; the same person has the same one everywhere. */
export function colourOf(userId: string): string {
  let hash = 0;
  for (const character of userId) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 9973;
  return `colour-${CHOSEN_COLOURS[userId] ?? hash % COLOURS}`;
}

/** The thread of two people, as a gateway started with `--dev` names it. */
export function threadOf(userId: string, partnerId: string): string {
  return [userId, partnerId].sort().join('|');
}
