import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { REPOSITORY_ROOT } from '../app/repository-root';
import { Trigger } from '../lib/choices';
import { glob } from '../lib/tag-rules';
import { tagFilter, type TagMatcher } from '../lib/tag-filter';

/** The decisions of find-task-definitions, too: `functions/find-task-definitions/src/stage/tests.rs`. */
const RULES = JSON.parse(readFileSync(join(REPOSITORY_ROOT, 'cdk', 'test', 'tag-rules.json'), 'utf8')) as {
  accepted: string[];
  decided: { tags: string[]; takes: string[]; leaves: string[] }[];
};
const TRIGGERS = Object.values(Trigger);

const stages = (...tags: string[][]) => tags.map((rules, index) => ({ name: `s${index}`, tags: rules }));

const FILTERS: readonly [tags: string[][], imageAction: readonly TagMatcher[] | undefined, putImage?: unknown][] = [
  [[['*']], undefined],
  [[['*', '!latest']], [{ 'anything-but': ['', 'latest'] }], [{ 'anything-but': ['latest'] }]],
  [[['*', '!pr-*']], undefined, [{ 'anything-but': { prefix: ['pr-'] } }]],
  [[['*', '!latest', '!pr-*']], [{ 'anything-but': ['', 'latest'] }], [{ 'anything-but': { prefix: ['pr-'] } }]],
  [[['*', '!*-dirty']], undefined],
  [[['*', '!latest', '*']], undefined],
  [[['v1', 'latest']], ['v1', 'latest']],
  [[['v1', 'latest', '!v*']], ['latest']],
  [[['v1', '!*', 'v2']], ['v2']],
  [[['v*', '!v1-*']], [{ prefix: 'v' }]],
  [[['v?']], [{ prefix: 'v' }]],
  [[['?*']], undefined],
  [[['*-prod']], [{ suffix: '-prod' }]],
  [[['a*b']], [{ wildcard: 'a*b' }]],
  [[['a?**b-*']], [{ wildcard: 'a*b-*' }]],
  [[['semver:>=1.0.0', '!semver:<2.0.0']], [{ wildcard: '*.*.*' }]],
  [[['regex:main-[0-9]+']], undefined],
  [[['main-*', '!regex:.*-dirty']], [{ prefix: 'main-' }]],
  [
    [['pr-*'], ['main-*', 'semver:*'], ['semver:>=1.0.0']],
    [{ prefix: 'pr-' }, { prefix: 'main-' }, { wildcard: '*.*.*' }],
  ],
  [[['pr-*'], ['*', '!pr-*']], undefined, [{ prefix: 'pr-' }, { 'anything-but': { prefix: ['pr-'] } }]],
  [[['pr-*'], ['regex:.+']], undefined],
  [[['a*a', 'b*b', 'c*c', 'd*d']], ['a', 'b', 'c', 'd'].map((letter) => ({ wildcard: `${letter}*${letter}` }))],
  [[['a*a', 'b*b', 'c*c', 'd*d', 'e*e']], undefined],
  [[Array.from({ length: 200 }, (_, at) => `v${at}`)], undefined],
];

for (const [tags, imageAction, putImage] of FILTERS) {
  test(`the filter of ${JSON.stringify(tags).slice(0, 80)}`, () => {
    assert.deepEqual(tagFilter(stages(...tags), Trigger.IMAGE_ACTION), imageAction);
    assert.deepEqual(tagFilter(stages(...tags), Trigger.PUT_IMAGE), putImage ?? imageAction);
  });
}

/** True if EventBridge lets a tag pass. */
function passes(filter: readonly TagMatcher[] | undefined, tag: string): boolean {
  return (
    filter === undefined ||
    filter.some((matcher) => {
      if (typeof matcher === 'string') {
        return matcher === tag;
      }
      if ('prefix' in matcher) {
        return tag.startsWith(matcher.prefix);
      }
      if ('suffix' in matcher) {
        return tag.endsWith(matcher.suffix);
      }
      if ('wildcard' in matcher) {
        const parts = matcher.wildcard.split('*').map((part) => part.replaceAll('.', '\\.'));
        return new RegExp(`^${parts.join('.*')}$`, 's').test(tag);
      }
      const but = matcher['anything-but'];
      return 'prefix' in but ? !but.prefix.some((prefix) => tag.startsWith(prefix)) : !but.includes(tag);
    })
  );
}

test('what a stage takes passes the filter, by the table that the function reads, too', () => {
  for (const trigger of TRIGGERS) {
    for (const { tags, takes } of RULES.decided) {
      for (const tag of takes) {
        assert.ok(passes(tagFilter(stages(tags), trigger), tag), `${trigger}, ${tags.join(' ')}: ${tag}`);
      }
    }
  }
});

/** True if rules may take a tag. A range may hold any version, so a rule with one may match a version, and may not. */
function mayTake(rules: readonly string[], tag: string): boolean {
  for (const rule of [...rules].reverse()) {
    const pattern = rule.replace(/^!/, '');
    const isTaken = !rule.startsWith('!');
    if (pattern.startsWith('semver:')) {
      if (isTaken && /^v?\d+\.\d+\.\d+([-+].*)?$/.test(tag)) {
        return true;
      }
    } else {
      const expression = pattern.startsWith('regex:') ? new RegExp(`^(?:${pattern.slice(6)})$`, 'u') : glob(pattern);
      if (expression.test(tag)) {
        return isTaken;
      }
    }
  }
  return false;
}

/** Numbers from 0 to 1 that are the same in every run: https://prng.di.unimi.it/splitmix64.c */
function random(seed: bigint): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn;
    let mixed = ((state ^ (state >> 30n)) * 0xbf58476d1ce4e5b9n) & 0xffffffffffffffffn;
    mixed = ((mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn) & 0xffffffffffffffffn;
    return Number(mixed >> 32n) / 2 ** 32;
  };
}

test('whatever stages may take passes their filter, for stages and tags by chance; and some of the rest is kept out', () => {
  const next = random(20_261_128n);
  const one = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)] as T;
  const letters = ['v', 'p', 'r', '-', '1', '2', '.', 'latest', 'pr-', 'v1.2.3', '-dirty'];
  const text = (more: readonly string[]) =>
    Array.from({ length: 1 + Math.floor(next() * 4) }, () => one([...letters, ...more])).join('');
  const rule = () => {
    const pattern = next() < 0.3 ? one(RULES.accepted).replace(/^!/, '') : text(['*', '*', '?']);
    return `${next() < 0.3 ? '!' : ''}${pattern}`;
  };
  let kept = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const tags = Array.from({ length: 1 + Math.floor(next() * 3) }, () =>
      Array.from({ length: 1 + Math.floor(next() * 4) }, rule),
    );
    const trigger = one(TRIGGERS);
    const filter = tagFilter(stages(...tags), trigger);
    for (let attempts = 0; attempts < 10; attempts += 1) {
      const tag = text([]);
      if (tags.some((rules) => mayTake(rules, tag))) {
        assert.ok(passes(filter, tag), `${trigger}, ${JSON.stringify(tags)}: ${tag}; ${JSON.stringify(filter)}`);
      } else if (!passes(filter, tag)) {
        kept += 1;
      }
    }
    // An untagged push of ECR's own event has an empty tag. It is no push that deploys, and the pattern without a filter says so.
    if (trigger === Trigger.IMAGE_ACTION && filter !== undefined) {
      assert.ok(!passes(filter, ''), JSON.stringify(tags));
    }
  }
  assert.ok(kept > 20_000, `the filters keep out ${kept} tags of 200,000`);
});
