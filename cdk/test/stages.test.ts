import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Duration } from 'aws-cdk-lib';
import { REPOSITORY_ROOT } from '../app/repository-root';
import { Base, ImageReference, Rollback } from '../lib/choices';
import { checkSettings, type EcrDeployProps } from '../lib/settings';
import type { Stage } from '../lib/stages';
import { problemOf, takes } from '../lib/tag-rules';
import { type Json, REQUIRED } from './synthesized';

/** The rules that the tests of `functions/find-task-definitions/src/stage/pattern.rs` read, too. */
const RULES: Json = JSON.parse(readFileSync(join(REPOSITORY_ROOT, 'cdk', 'test', 'tag-rules.json'), 'utf8'));

const ALL: Stage = { name: 'all', tags: ['*'] };
const STAGING: Stage = { name: 'staging', clusters: ['staging'], tags: ['main-*', 'semver:*'] };
const PRODUCTION: Stage = { name: 'production', clusters: ['production'], tags: ['semver:>=1.0.0'] };

const check = (stages: unknown, more: Partial<EcrDeployProps> = {}) =>
  checkSettings({ ...REQUIRED, ...more, stages: stages as Stage[] }).stages;

test('a rule for tags is read or refused as the functions do', () => {
  for (const rule of RULES.accepted as string[]) {
    assert.equal(problemOf(rule), undefined, rule);
    check([{ name: 'a', tags: ['*', rule] }]);
  }
  for (const rule of RULES.refused as string[]) {
    assert.notEqual(problemOf(rule), undefined, rule);
  }
  for (const tags of RULES.refusedTogether as string[][]) {
    assert.throws(() => check([{ name: 'a', tags }]), { name: 'SettingError', message: /\(a\)\.tags/ }, tags.join());
  }
});

test('the last rule that matches decides, as in the functions', () => {
  for (const { tags, takes: taken, leaves } of RULES.decided as Json[]) {
    // Versions are not for the construct to compare.
    if (tags.some((rule: string) => rule.includes('semver:'))) {
      continue;
    }
    assert.deepEqual(
      [...taken, ...leaves].filter((tag: string) => takes(tags, tag)),
      taken,
      JSON.stringify(tags),
    );
  }
});

test('without stages there is one, which takes every tag but latest, or latest too', () => {
  assert.deepEqual(checkSettings(REQUIRED).stages, [{ name: 'all', tags: ['*', '!latest'] }]);
  assert.deepEqual(checkSettings({ ...REQUIRED, deployLatest: true }).stages, [ALL]);
});

test('stages are kept as they are given, in their order', () => {
  assert.deepEqual(check([STAGING, PRODUCTION]), [STAGING, PRODUCTION]);
});

const SELECTOR =
  'give a list of names or globs: letters, digits and . _ - /, with * for any characters and ? for one; ' +
  'leave it out for all.';
const NAME =
  'give 1 to 32 letters, digits, hyphens and underscores, such as staging; off is what a service says that is in no stage.';
const LIST =
  'give a list of stages, such as [{"name": "staging", "clusters": ["staging"], "tags": ["main-*"]}]; ' +
  'leave the setting out for one stage that owns every service.';
const TWICE =
  'it takes the tag latest, and tagLatest is on: every push would be deployed twice, once under its own tag and once as ' +
  'latest; add "!latest", or turn tagLatest off.';

const REFUSED: readonly (readonly [stages: unknown, message: string, more?: Partial<EcrDeployProps>])[] = [
  [[], `"stages" is []: ${LIST}`],
  ['all', `"stages" is "all": ${LIST}`],
  [['all'], '"stages[0]" is "all": give an object with a name and tags, such as {"name": "all", "tags": ["*"]}.'],
  [[{ tags: ['*'] }], `"stages[0].name" is not set: ${NAME}`],
  [[{ name: 'off', tags: ['*'] }], `"stages[0].name" is "off": ${NAME}`],
  [[{ name: 'a b', tags: ['*'] }], `"stages[0].name" is "a b": ${NAME}`],
  [
    [{ ...ALL, cluster: ['a'] }],
    '"stages[0].cluster" is ["a"]: a stage has no such member; the nearest is clusters. ' +
      'There are name, clusters, services, families, repositories, optIn, tags, allowLower, after, soak, ' +
      'rolloutTimeout, imageReference, rollback, tagOnSuccess, base.',
  ],
  [[{ ...ALL, clusters: [] }], `"stages[0] (all).clusters" is []: ${SELECTOR}`],
  [[{ ...ALL, services: 'web' }], `"stages[0] (all).services" is "web": ${SELECTOR}`],
  [[{ ...ALL, families: ['a[b'] }], `"stages[0] (all).families" is ["a[b"]: ${SELECTOR}`],
  [[{ ...ALL, repositories: ['{a,b}'] }], `"stages[0] (all).repositories" is ["{a,b}"]: ${SELECTOR}`],
  [[{ ...ALL, optIn: 'yes' }], '"stages[0] (all).optIn" is "yes": give true or false, without quotes.'],
  [[{ ...ALL, allowLower: 1 }], '"stages[0] (all).allowLower" is 1: give true or false, without quotes.'],
  [
    [{ ...ALL, soek: Duration.hours(1) }],
    '"stages[0].soek" is 1 hour: a stage has no such member; the nearest is soak. ' +
      'There are name, clusters, services, families, repositories, optIn, tags, allowLower, after, soak, ' +
      'rolloutTimeout, imageReference, rollback, tagOnSuccess, base.',
  ],
  ...[['*'], ['*', '!semver:*'], ['regex:.*']].map(
    (tags) =>
      [
        [{ name: 'all', tags, allowLower: true }],
        '"stages[0] (all).allowLower" is true: versions are compared only where a range of versions takes the tag; add a rule ' +
          'such as "semver:*" to tags, or leave allowLower out.',
      ] as const,
  ),
  [[{ name: 'all' }], '"stages[0] (all).tags" is not set: give a list of rules, such as ["*", "!latest"].'],
  [[{ name: 'all', tags: [] }], '"stages[0] (all).tags" is []: give a list of rules, such as ["*", "!latest"].'],
  [[{ name: 'all', tags: [7] }], '"stages[0] (all).tags" is 7: give a text in quotes.'],
  [
    [{ name: 'all', tags: ['*', 'semver:1.x'] }],
    '"stages[0] (all).tags" is "semver:1.x": it is no range of versions; give * or comparators, each with one of = > >= < <= ~ ^ ' +
      'in front and with one blank between two, such as "semver:>=1.2.0 <2.0.0" or "semver:^1.2": no comma, no ||, no hyphen ' +
      'for from and to, no v.',
  ],
  [
    [{ name: 'all', tags: ['regex:('] }],
    '"stages[0] (all).tags" is "regex:(": it is no regular expression that this reads; give groups as (?:…), no look around, ' +
      'no backreference, escapes of signs and \\d \\w \\s only, no empty or combined class, at most 10 groups in each other, ' +
      'and counts that make at most 10000 signs.',
  ],
  [
    [{ name: 'all', tags: ['pr-[0-9]'] }],
    '"stages[0] (all).tags" is "pr-[0-9]": give a name, a glob such as "pr-*", "semver:<range>" or "regex:<expression>", ' +
      'each with ! in front to exclude.',
  ],
  [
    [{ name: 'all', tags: ['!latest', '!pr-*'] }],
    '"stages[0] (all).tags" is ["!latest","!pr-*"]: every rule excludes, so it takes no tag; give what it takes first, such as "*".',
  ],
  [
    [{ name: 'all', tags: ['!latest', '*'] }],
    '"stages[0] (all).tags" is "!latest": it excludes before anything is taken, and has no effect: the last rule that matches ' +
      'decides. Put it behind what it excludes from, or leave it out.',
  ],
  ...[
    ['*', '!*'],
    ['v1', '!v1'],
    ['main-7', 'main-1*', 'semver:*', '!main-*', '!semver:*'],
    ['main-?', 'regex:a+', '!main-*', '!regex:.*'],
    ['v1', '!regex:.+'],
  ].map(
    (tags) =>
      [
        [{ name: 'all', tags }],
        `"stages[0] (all).tags" is ${JSON.stringify(tags)}: it takes no tag: what a rule takes, a later one excludes, and the ` +
          'last rule that matches decides. Put what excludes before what it shall leave, or leave it out.',
      ] as const,
  ),
  ...(['clusters', 'services', 'families', 'repositories'] as const).map(
    (selector) =>
      [
        [{ ...ALL, optIn: true, [selector]: ['web'] }],
        `"stages[0] (all).${selector}" is ["web"]: with optIn only the tag ecr-deploy:stage of a service chooses the stage, and ` +
          'this would narrow nothing; leave it out, or leave optIn out.',
      ] as const,
  ),
  [[STAGING, STAGING], '"stages[1] (staging).name" is "staging": another stage has this name; give each its own.'],
  [
    [ALL, PRODUCTION],
    '"stages[1]" is "production": it can never own a service: the stage all stands before it and selects all that it selects. ' +
      'Put production before all, or let all select less.',
  ],
  [
    [{ ...STAGING, clusters: ['*'] }, PRODUCTION],
    '"stages[1]" is "production": it can never own a service: the stage staging stands before it and selects all that it selects. ' +
      'Put production before staging, or let staging select less.',
  ],
  [
    [PRODUCTION],
    '"stages[0] (production).clusters" is ["production"]: the setting clusters has none of them, so the stage can never own a ' +
      'service; add them there, or correct the stage.',
    { clusters: ['prod', 'staging'] },
  ],
  [
    [{ ...ALL, repositories: ['team/*'] }],
    '"stages[0] (all).repositories" is ["team/*"]: the setting repositories has none of them, so the stage can never own a ' +
      'service; add them there, or correct the stage.',
    { repositories: ['web'] },
  ],
  [[ALL], `"stages[0] (all).tags" is ["*"]: ${TWICE}`, { tagLatest: true }],
  [[{ name: 'a', tags: ['regex:l.*'] }], `"stages[0] (a).tags" is ["regex:l.*"]: ${TWICE}`, { tagLatest: true }],
  [
    [STAGING],
    '"deployLatest" is true: with stages their tags decide; name latest in the tags of a stage, and leave deployLatest out.',
    { deployLatest: true },
  ],
];

for (const [stages, message, more] of REFUSED) {
  test(`refused: ${message.slice(0, 100)}`, () => {
    assert.throws(() => check(stages, more), { name: 'SettingError', message: `ecr-deploy: setting ${message}` });
  });
}

for (const range of [
  '>2.0.0 <1.0.0',
  '>=1.0.0 <1.0.0',
  '>1.0.0 <1.0.1',
  '>1 <2',
  '=1.2 >=1.3',
  '~1.2 >=1.3.0',
  '~1.2.3 <1.2.3',
  '^1.2 >=2',
  '^0.2.3 >=0.3.0',
  '^0.0.3 >0.0.3',
  '^0.0 >=0.1',
  '<=1.2 >1.2',
  '^2 ^1',
  '<0',
]) {
  test(`a range that no version is in is refused: ${range}`, () => {
    for (const rule of [`semver:${range}`, `!semver:${range}`]) {
      assert.throws(() => check([{ name: 'all', tags: ['*', rule] }]), {
        message:
          `ecr-deploy: setting "stages[0] (all).tags" is "${rule}": no version is in this range, since all its comparators have ` +
          'to hold at once; give a range that a version can be in, such as "semver:>=1.2.0 <2.0.0", or a rule of its own for ' +
          'each range.',
      });
    }
  });
}

test('a range that a version is in is accepted, and one that names a pre-release', () => {
  for (const range of [
    '>=1.0.0 <=1.0.0',
    '>1.0.0 <1.0.2',
    '>1 <2.0.1',
    '=1.2 >=1.2.9',
    '~1 >=1.9',
    '~1.2.3 <=1.2.3',
    '^1.2 >=1.9',
    '^0 >=0.9',
    '^0.2.3 <0.3',
    '^0.0 <0.1 >0.0.8',
    '<=0',
    '>=1.0.0-rc.1 <1.0.0',
  ]) {
    check([{ name: 'all', tags: [`semver:${range}`] }]);
  }
});

test('rules of which an exclusion leaves something are accepted', () => {
  for (const tags of [
    ['*', '!main-*'],
    ['main-*', '!main-?'],
    ['v1', 'v2', '!v1'],
    ['*', '!*', 'v1'],
    ['semver:>=1.0.0-rc.1', '!semver:*'],
    ['semver:*', '!v*'],
    ['regex:main-.*', '!main-*'],
  ]) {
    check([{ name: 'all', tags }]);
  }
});

test('what only a service’s own tag can choose, or what selects more than the stages before it, is accepted', () => {
  check([ALL, { name: 'asked', optIn: true, tags: ['*'] }]);
  check([{ ...ALL, optIn: true }, PRODUCTION]);
  check([PRODUCTION, { name: 'rest', tags: ['*'] }]);
  check([
    { name: 'services', clusters: ['*'], tags: ['*'] },
    { name: 'families', tags: ['*'] },
  ]);
  check([{ ...ALL, clusters: ['prod*'] }], { clusters: ['production'] });
  check([{ name: 'all', tags: ['*', '!latest'] }], { tagLatest: true });
});

test('a stage that comes after another one is kept with its soak', () => {
  const production = { ...PRODUCTION, after: 'staging', soak: Duration.minutes(15) };

  assert.deepEqual(check([production, STAGING]), [production, STAGING]);
});

for (const [name, stages, setting, says] of [
  [
    'none that there is',
    [STAGING, { ...PRODUCTION, after: 'stagign' }],
    'stages[1] (production).after',
    'is "stagign": there is no such stage; there are staging, production. Name one of them.',
  ],
  [
    'itself',
    [{ ...PRODUCTION, after: 'production' }],
    'stages[0] (production).after',
    'is "production": each would wait for the other: production after production. Leave out the one that should be the first.',
  ],
  [
    'itself by way of another one',
    [
      { ...STAGING, after: 'production' },
      { ...PRODUCTION, after: 'staging' },
    ],
    'stages[0] (staging).after',
    'is "production": each would wait for the other: staging after production after staging. ' +
      'Leave out the one that should be the first.',
  ],
  [
    'itself by way of another one, though each seems to hide the other',
    [
      { name: 'a', tags: ['*'], after: 'b' },
      { name: 'b', tags: ['*'], after: 'a' },
    ],
    'stages[0] (a).after',
    'is "b": each would wait for the other: a after b after a. Leave out the one that should be the first.',
  ],
  [
    'no text',
    [{ ...PRODUCTION, after: 1 }],
    'stages[0] (production).after',
    'is 1: give the name of a stage in quotes.',
  ],
] as const) {
  test(`a stage that comes after ${name} is refused`, () => {
    assert.throws(() => check(stages), { message: `ecr-deploy: setting "${setting}" ${says}` });
  });
}

test('a soak is a time of at most a week, after another stage', () => {
  const after = (soak: unknown) => check([STAGING, { ...PRODUCTION, after: 'staging', soak }]);
  const setting = 'ecr-deploy: setting "stages[1] (production).soak"';

  assert.throws(() => after(Duration.days(8)), { message: `${setting} is 8 days: give a time of at most 7 days.` });
  assert.throws(() => after('15m'), { message: `${setting} is "15m": give a time of at most 7 days.` });
  assert.throws(() => check([STAGING, { ...PRODUCTION, soak: Duration.minutes(1) }]), {
    message: `${setting} is 1 minute: nothing is waited for without after; name the stage that comes before, or leave soak out.`,
  });
});

test('what a stage says of its own rollouts is kept', () => {
  const staging: Stage = {
    ...STAGING,
    rolloutTimeout: Duration.minutes(5),
    imageReference: ImageReference.DIGEST,
    tagOnSuccess: 'tried',
  };
  const production: Stage = {
    ...PRODUCTION,
    rollback: Rollback.NONE,
    base: Base.NEWEST,
    tags: ['tried'],
    tagOnSuccess: 'live',
  };

  assert.deepEqual(check([staging, production]), [staging, production]);
});

const TAG =
  'give a tag that may move from image to image, such as staging-stable: letters, digits and . _ -, not a version.';
const NOT_TWICE = (way: string, tag: string) =>
  `${way}, so each image would be deployed to it once more; give a tag that leads to other stages only, or add ` +
  `"!${tag}" to its tags.`;

for (const [members, member, says, more] of [
  [{ imageReference: 'sha' }, 'imageReference', 'is "sha": give tag or digest.'],
  [{ rollback: false }, 'rollback', 'is false: give automatic or none.'],
  [{ base: 'latest' }, 'base', 'is "latest": give running or newest.'],
  [{ tagOnSuccess: 'a b' }, 'tagOnSuccess', `is "a b": ${TAG}`],
  [{ tagOnSuccess: 'v1.0.0' }, 'tagOnSuccess', `is "v1.0.0": ${TAG}`],
  [{ tagOnSuccess: 'x' }, 'tagOnSuccess', `is "x": ${NOT_TWICE('it takes that tag itself', 'x')}`],
  [
    { tags: ['main-*', '!latest'], tagOnSuccess: 'latest' },
    'tagOnSuccess',
    'is "latest": tagLatest is on and gives that tag; leave one of the two out.',
    { tagLatest: true },
  ],
  [
    { rolloutTimeout: '5m' },
    'rolloutTimeout',
    'is "5m": give a duration in whole seconds, known at synth, from 1s to 604800s.',
  ],
  [
    { rolloutTimeout: Duration.seconds(10) },
    'rolloutTimeout',
    'is "10s": it ends before the first poll of the rollout; give at least the pollInterval, 15s.',
  ],
] as const) {
  test(`a stage with ${JSON.stringify(members)} is refused`, () => {
    const message = `ecr-deploy: setting "stages[0] (all).${member}" ${says}`;

    assert.throws(() => check([{ ...ALL, ...members }], more ?? {}), { name: 'SettingError', message });
  });
}

test('a stage whose tag comes back to it by way of another stage is refused', () => {
  const staging = { ...STAGING, tagOnSuccess: 'tried' };
  const production = { ...PRODUCTION, tags: ['tried'], tagOnSuccess: 'main-live' };
  const message =
    'ecr-deploy: setting "stages[0] (staging).tagOnSuccess" is "tried": ' +
    NOT_TWICE('by the tags that stages give', 'tried');

  assert.throws(() => check([staging, production]), { message });
});

test('a rolloutTimeout of a stage that takes more polls than an execution holds is refused', () => {
  const given = check.bind(undefined, [{ ...ALL, rolloutTimeout: Duration.days(2) }]);

  assert.throws(given, {
    message:
      'ecr-deploy: setting "pollInterval" is "15s": with a stages[0] (all).rolloutTimeout of 172800s that is more polls than the ' +
      'history of one execution holds; give at least 216s, or a stages[0] (all).rolloutTimeout of at most 12000s.',
  });
});
