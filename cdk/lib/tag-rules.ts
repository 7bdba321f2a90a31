/**
 * The rules by which a stage takes tags: a name, a glob, `semver:<range>` or `regex:<expression>`. They are checked here, at synth;
 * `functions/find-task-definitions/src/stage/pattern.rs` reads them by the same rules: `cdk/test/tag-rules.json` is the table that
 * the tests of both read.
 */
import { SettingError } from './setting';
import { isEmptyRange } from './version-range';

/** A version, whole or in part; a whole one may name a pre-release. */
const VERSION = (() => {
  const number = String.raw`(0|[1-9]\d{0,14})`;
  const identifier = String.raw`(0|[1-9]\d*|\d*[A-Za-z-][A-Za-z0-9-]*)`;
  return String.raw`${number}(\.${number}(\.${number}(-${identifier}(\.${identifier})*)?)?)?`;
})();
/** `*`, or comparators with a space between two, each with its operator: what npm and Rust read alike. */
const RANGE = new RegExp(String.raw`^(\*|(=|>=?|<=?|~|\^)${VERSION}( (=|>=?|<=?|~|\^)${VERSION})*)$`);
/** Escapes but of classes and of signs: not read alike everywhere. */
const UNLIKE_ESCAPE = /^[A-Za-z0-9]$/;
/** Empty classes, classes in classes, and what combines classes. */
const UNLIKE_CLASS = /^\[\^?\]$|^\[.*\[|&&|--|~~/s;
/** How deep groups may stand in each other: the crate counts up to four levels for each, and takes fifty. */
const DEEPEST_GROUPS = 10;
/** How many signs a regex may stand for, with its counts written out: the crate takes ten megabytes. */
const LONGEST_REGEX = 10_000;

/**
 * Refuses rules that cannot be read, that take nothing, or of which one has no effect.
 *
 * @throws SettingError for `setting`
 */
export function checkTags(given: unknown, setting: string): void {
  if (!Array.isArray(given) || given.length === 0) {
    throw new SettingError(setting, given, 'give a list of rules, such as ["*", "!latest"].');
  }
  for (const rule of given as unknown[]) {
    const problem = typeof rule === 'string' ? problemOf(rule) : 'give a text in quotes.';
    if (problem !== undefined) {
      throw new SettingError(setting, rule, problem);
    }
  }
  const tags = given as string[];
  const empty = tags.find((rule) => isEmptyRange(/^!?semver:(.*)$/.exec(rule)?.[1] ?? '*'));
  if (empty !== undefined) {
    throw new SettingError(
      setting,
      empty,
      'no version is in this range, since all its comparators have to hold at once; give a range that a version can be in, such ' +
        'as "semver:>=1.2.0 <2.0.0", or a rule of its own for each range.',
    );
  }
  if (tags.every((rule) => rule.startsWith('!'))) {
    throw new SettingError(
      setting,
      tags,
      'every rule excludes, so it takes no tag; give what it takes first, such as "*".',
    );
  }
  if (tags[0]?.startsWith('!') === true) {
    throw new SettingError(
      setting,
      tags[0],
      'it excludes before anything is taken, and has no effect: the last rule that matches decides. Put it behind what it ' +
        'excludes from, or leave it out.',
    );
  }
  if (takesNothing(tags)) {
    throw new SettingError(
      setting,
      tags,
      'it takes no tag: what a rule takes, a later one excludes, and the last rule that matches decides. Put what excludes ' +
        'before what it shall leave, or leave it out.',
    );
  }
}

/** Returns the problem of a rule for tags. */
export function problemOf(rule: string): string | undefined {
  const [, kind, pattern = ''] = /^!?(?:(semver|regex):)?(.*)$/s.exec(rule) ?? [];
  switch (kind) {
    case 'semver':
      return RANGE.test(pattern)
        ? undefined
        : 'it is no range of versions; give * or comparators, each with one of = > >= < <= ~ ^ in front and with one blank ' +
            'between two, such as "semver:>=1.2.0 <2.0.0" or "semver:^1.2": no comma, no ||, no hyphen for from and to, no v.';
    case 'regex':
      return isRegex(pattern)
        ? undefined
        : 'it is no regular expression that this reads; give groups as (?:…), no look around, no backreference, ' +
            'escapes of signs and ' +
            `\\d \\w \\s only, no empty or combined class, at most ${DEEPEST_GROUPS} groups in each other, and counts that ` +
            `make at most ${LONGEST_REGEX} signs.`;
    default:
      return /^[A-Za-z0-9._*?-]+$/.test(pattern)
        ? undefined
        : 'give a name, a glob such as "pr-*", "semver:<range>" or "regex:<expression>", each with ! in front to exclude.';
  }
}

/** True if JavaScript reads a regex, and the crate `regex-lite` of the functions reads it alike. */
function isRegex(expression: string): boolean {
  const escapes = [...expression.matchAll(/\\(.)/gs)].map(([, sign = '']) => sign);
  if (expression === '' || escapes.some((sign) => UNLIKE_ESCAPE.test(sign) && !'dDwWsS'.includes(sign))) {
    return false;
  }
  try {
    new RegExp(expression, 'u');
  } catch {
    return false;
  }
  // An escaped sign stands for one sign, and so does a class.
  const plain = expression.replaceAll(/\\./gs, 'e');
  const classes = plain.match(/\[[^\]]*\]/g) ?? [];
  return !classes.some((one) => UNLIKE_CLASS.test(one)) && isSmall(plain.replaceAll(/\[[^\]]*\]/g, 'c'));
}

/** True if a regex without classes and escapes has few groups in groups, low counts, and no special group. */
function isSmall(regex: string): boolean {
  // How many signs each open group stands for, and the last part of it.
  const open = [{ all: 0, last: 0 }];
  for (const [token, least, most] of regex.matchAll(/\((?:\?:)?|\{(\d+),?(\d*)\}|./gs)) {
    const group = open.at(-1) ?? { all: 0, last: 0 };
    if (least !== undefined) {
      const more = group.last * (Math.max(Number(least), Number(most), 1) - 1);
      group.all += more;
      group.last += more;
    } else if (token.startsWith('(')) {
      open.push({ all: 0, last: 0 });
    } else {
      const { all } = token === ')' ? (open.pop() ?? group) : { all: 0 };
      const into = open.at(-1) ?? group;
      into.last = all + 1;
      into.all += all + 1;
    }
    if (open.length > DEEPEST_GROUPS + 1 || (open[0]?.all ?? 0) > LONGEST_REGEX) {
      return false;
    }
  }
  return !/\(\?(?!:)/.test(regex);
}

/** True if rules take no tag: each that takes is followed by one that excludes all of it, as far as texts tell. */
function takesNothing(rules: readonly string[]): boolean {
  return rules.every(
    (rule, place) =>
      rule.startsWith('!') ||
      rules.slice(place + 1).some((later) => later.startsWith('!') && covers(later.slice(1), rule)),
  );
}

/** True if a pattern matches all that another one does. Of a glob, `*` is matched by `*` alone, and `?` by both. */
function covers(pattern: string, other: string): boolean {
  if (pattern === other || /^\*+$/.test(pattern) || /^regex:\.[*+]$/.test(pattern)) {
    return true;
  }
  return !pattern.includes(':') && !other.includes(':') && glob(pattern, '[^*]').test(other);
}

/** True if rules take `latest`, or another tag that is no version: the last one that matches decides. */
export function takes(rules: readonly string[], tag: string): boolean {
  const last = rules.filter((rule) => matches(rule.replace(/^!/, ''), tag)).at(-1);
  return last?.startsWith('!') === false;
}

function matches(pattern: string, tag: string): boolean {
  if (pattern.startsWith('semver:')) {
    return false;
  }
  return pattern.startsWith('regex:')
    ? new RegExp(`^(?:${pattern.slice('regex:'.length)})$`, 'u').test(tag)
    : glob(pattern).test(tag);
}

/** Returns the regex that a name or a glob stands for; `one` is the regex of `?`. */
export function glob(pattern: string, one = '.'): RegExp {
  const escaped = pattern.replaceAll(/[.\-/]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', one)}$`);
}
