/**
 * Which tags a rule of EventBridge has to let through, so that a push that no stage takes starts nothing.
 *
 * A filter may let more through than the stages take: find-task-definitions decides. It must never keep out a tag that a
 * stage takes. Only tags can be told here. Which stage a service is in, its own tag `ecr-deploy:stage` may say, whatever
 * repository it runs: so the `repositories` of stages narrow nothing.
 *
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
 */
import { Trigger } from './choices';
import type { Stage } from './stages';
import { glob } from './tag-rules';

/** One alternative of a filter. */
export type TagMatcher =
  | string
  | { readonly prefix: string }
  | { readonly suffix: string }
  | { readonly wildcard: string }
  | { readonly 'anything-but': readonly string[] | { readonly prefix: readonly string[] } };

/** The most characters of a filter; an event pattern has 2,048, of which repositories and accounts need some. */
const LONGEST_FILTER = 800;

/** EventBridge refuses a pattern as too complex where many wildcards may match at once, and does not say how many. */
const MOST_WILDCARDS = 4;

/** The wildcard for versions: `1.2.3`, `v1.2.3-rc.1`. */
const VERSION = '*.*.*';

/** The filter, or `undefined` where every tag has to pass. */
export function tagFilter(stages: readonly Stage[], trigger: Trigger): readonly TagMatcher[] | undefined {
  const matchers = new Map<string, TagMatcher>();
  for (const { tags } of stages) {
    for (const [place, rule] of tags.entries()) {
      if (rule.startsWith('!')) {
        continue;
      }
      const ofRule = taken(rule, exclusions(tags.slice(place + 1)), trigger);
      if (ofRule === undefined) {
        return undefined;
      }
      ofRule.forEach((matcher) => matchers.set(JSON.stringify(matcher), matcher));
    }
  }
  const filter = [...matchers.values()];
  const wildcards = filter.filter((matcher) => typeof matcher === 'object' && 'wildcard' in matcher);
  const fits = JSON.stringify(filter).length <= LONGEST_FILTER && wildcards.length <= MOST_WILDCARDS;
  return fits && filter.length > 0 ? filter : undefined;
}

/** The names and globs that rules exclude. Other exclusions cannot be told here, and a filter lets through what they exclude. */
function exclusions(rules: readonly string[]): string[] {
  return rules.filter((rule) => /^![^:]*$/.test(rule)).map((rule) => rule.slice(1));
}

/** The tags that a rule lets pass, `undefined` for every tag. `excluded`: names and globs of later exclusions. */
function taken(rule: string, excluded: readonly string[], trigger: Trigger): TagMatcher[] | undefined {
  if (excluded.some((other) => other === '*' || other === rule || (isName(rule) && glob(other).test(rule)))) {
    return [];
  }
  if (rule.startsWith('regex:')) {
    return undefined;
  }
  // A character stands for any number of them, and stars in a row for one: EventBridge knows no other.
  const pattern = rule.startsWith('semver:') ? VERSION : stars(rule);
  return pattern === '*' ? anythingBut(excluded, trigger) : [matching(pattern)];
}

/** Everything but names, or but what begins in some ways; a pattern cannot say both, nor keep out what ends in a way. */
function anythingBut(excluded: readonly string[], trigger: Trigger): TagMatcher[] | undefined {
  const names = excluded.filter(isName);
  const prefixes = excluded.filter((other) => /^[^*?]+\*$/.test(other)).map((other) => other.slice(0, -1));
  if (trigger === Trigger.PUT_IMAGE && prefixes.length > 0) {
    return [{ 'anything-but': { prefix: prefixes } }];
  }
  // In ECR's own event the tag of an untagged push is empty. It has no prefix, so only names can be kept out there beside it.
  const untagged = trigger === Trigger.IMAGE_ACTION ? [''] : [];
  return names.length > 0 ? [{ 'anything-but': [...untagged, ...names] }] : undefined;
}

function matching(pattern: string): TagMatcher {
  const [begin = '', end = ''] = pattern.split('*');
  switch (pattern.split('*').length) {
    case 1:
      return pattern;
    case 2:
      return end === '' ? { prefix: begin } : begin === '' ? { suffix: end } : { wildcard: pattern };
    default:
      return { wildcard: pattern };
  }
}

function stars(rule: string): string {
  return rule.replaceAll('?', '*').replaceAll(/\*+/g, '*');
}

function isName(rule: string): boolean {
  return !/[*?:]/.test(rule);
}
