/** The ranges of versions that rules for tags name, as far as it can be told that no version is in one. */

/** Major, minor and patch. */
type Release = readonly [number, number, number];

/** Higher than every version: a number of a version has at most fifteen digits. */
const ABOVE_ALL: Release = [Number.MAX_SAFE_INTEGER, 0, 0];

/** The numbers of a comparator. One that is not named is `undefined`. */
interface Numbers {
  readonly major: number;
  readonly minor: number | undefined;
  readonly patch: number | undefined;
}

/**
 * True if no version is in a range that was read: the highest lower bound of its comparators is not below the lowest
 * upper one. A range that names a pre-release may be there for that alone, and is never taken to be empty.
 */
export function isEmptyRange(range: string): boolean {
  if (range === '*' || range.includes('-')) {
    return false;
  }
  const bounds = range.split(' ').map(boundsOf);
  const from = bounds.map(([from]) => from).reduce((one, other) => (isLower(one, other) ? other : one));
  const below = bounds.map(([, below]) => below).reduce((one, other) => (isLower(other, one) ? other : one));
  return !isLower(from, below);
}

/** The releases of a comparator: from the first on, and below the second. */
function boundsOf(comparator: string): readonly [from: Release, below: Release] {
  const [, operator = '', text = ''] = /^(\D+)(.*)$/.exec(comparator) ?? [];
  const [major = 0, minor, patch] = text.split('.').map(Number);
  const numbers: Numbers = { major, minor, patch };
  const first: Release = [major, minor ?? 0, patch ?? 0];
  switch (operator) {
    case '>':
      return [after(numbers), ABOVE_ALL];
    case '>=':
      return [first, ABOVE_ALL];
    case '<':
      return [[0, 0, 0], first];
    case '<=':
      return [[0, 0, 0], after(numbers)];
    case '~':
      return [first, after({ ...numbers, patch: undefined })];
    case '^':
      return [first, afterCompatible(numbers)];
    default:
      return [first, after(numbers)];
  }
}

/** The first release after all that the numbers stand for: 1.3.0 after those of `1.2`. */
function after({ major, minor, patch }: Numbers): Release {
  if (minor === undefined) {
    return [major + 1, 0, 0];
  }
  return patch === undefined ? [major, minor + 1, 0] : [major, minor, patch + 1];
}

/** The first release that is not compatible: the first number that is not zero may not change. */
function afterCompatible(numbers: Numbers): Release {
  if (numbers.major > 0) {
    return after({ ...numbers, minor: undefined });
  }
  return numbers.minor === 0 ? after(numbers) : after({ ...numbers, patch: undefined });
}

function isLower(one: Release, other: Release): boolean {
  const place = one.findIndex((number, place) => number !== other[place]);
  return place >= 0 && (one[place] ?? 0) < (other[place] ?? 0);
}
