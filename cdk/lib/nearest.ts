/** Names that are not known, and the one that may be meant. */

/** The advice for a name that is none of `names`: the nearest one, where one is near, and all of them. */
export function insteadOf(name: string, names: readonly string[]): string {
  const near = nearest(name, names);
  return `${near === undefined ? '' : `; the nearest is ${near}`}. There are ${names.join(', ')}.`;
}

/** The name that needs the fewest changes to become this one, if these are few. */
function nearest(name: string, names: readonly string[]): string | undefined {
  const [best] = names
    .map((known) => ({ known, changes: changes(name.toLowerCase(), known.toLowerCase()) }))
    .sort((a, b) => a.changes - b.changes);
  return best !== undefined && best.changes <= Math.max(1, Math.floor(best.known.length / 3)) ? best.known : undefined;
}

/** The Levenshtein distance, where two letters that are swapped count as one change. */
export function changes(one: string, other: string): number {
  const [letters, counterparts] = [Array.from(one), Array.from(other)];
  let above: number[] = [];
  let row = Array.from({ length: counterparts.length + 1 }, (_, index) => index);
  for (const [at, letter] of letters.entries()) {
    const next = [at + 1];
    for (const [index, counterpart] of counterparts.entries()) {
      const [up = 0, diagonal = 0, left = 0] = [row[index + 1], row[index], next[index]];
      const isSwapped = letter === counterparts[index - 1] && counterpart === letters[at - 1];
      const swapped = isSwapped ? (above[index - 1] ?? 0) + 1 : Infinity;
      next.push(Math.min(up + 1, left + 1, diagonal + (letter === counterpart ? 0 : 1), swapped));
    }
    [above, row] = [row, next];
  }
  return row[counterparts.length] ?? 0;
}
