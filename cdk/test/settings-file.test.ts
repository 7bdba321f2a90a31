import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Duration } from 'aws-cdk-lib';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { EcrDeployProps } from '../lib/settings';
import { parseSettings, SCHEMAS } from '../app/settings-file';

const read = (settings: object) => parseSettings(JSON.stringify(settings), 'ecr-deploy.json');

/** A member as the file holds it, and the prop it becomes. */
const READ: readonly [setting: keyof EcrDeployProps, given: unknown, prop: unknown][] = [
  ['passRoles', ['arn:aws:iam::123456789012:role/app-*'], ['arn:aws:iam::123456789012:role/app-*']],
  ['clusters', ['production', 'staging'], ['production', 'staging']],
  ['repositories', ['web', 'team/worker'], ['web', 'team/worker']],
  ['trigger', 'putImage', 'putImage'],
  ['accounts', ['210987654321'], ['210987654321']],
  ['imageReference', 'digest', 'digest'],
  ['stages', [{ name: 'all', tags: ['*'] }], [{ name: 'all', tags: ['*'] }]],
  [
    'stages',
    [{ name: 'b', tags: ['*'], after: 'a', soak: '15m' }],
    [{ name: 'b', tags: ['*'], after: 'a', soak: Duration.minutes(15) }],
  ],
  ['deployLatest', true, true],
  ['tagLatest', false, false],
  ['scanFamilies', false, false],
  ['maxConcurrency', 20, 20],
  ['architecture', 'x86_64', Architecture.X86_64],
  ['logRetention', 7, RetentionDays.ONE_WEEK],
  ['logRetention', 'infinite', RetentionDays.INFINITE],
  ['removalPolicy', 'retain', 'retain'],
  ['encryptionKey', 'arn:aws:kms:eu-west-1:123456789012:key/a', 'arn:aws:kms:eu-west-1:123456789012:key/a'],
  ['permissionsBoundary', 'arn:aws:iam::123456789012:policy/a', 'arn:aws:iam::123456789012:policy/a'],
  ['holdParameter', '/teams/hold', '/teams/hold'],
  ['rolePath', '/teams/', '/teams/'],
  ['rolePrefix', 'app-', 'app-'],
];

for (const [setting, given, prop] of READ) {
  test(`${setting} ${JSON.stringify(given)} is read as ${JSON.stringify(prop)}`, () => {
    assert.deepEqual(read({ [setting]: given }), { props: { [setting]: prop } });
  });
}

const DURATIONS: readonly [given: string, read: Duration][] = [
  ['1s', Duration.seconds(1)],
  ['90s', Duration.seconds(90)],
  ['30m', Duration.minutes(30)],
  ['26h', Duration.hours(26)],
  ['2d', Duration.days(2)],
];

for (const setting of ['rolloutTimeout', 'pollInterval'] as const) {
  for (const [given, duration] of DURATIONS) {
    test(`${setting} ${given} is read as ${duration.toHumanString()}`, () => {
      assert.equal(read({ [setting]: given }).props[setting]?.toSeconds(), duration.toSeconds());
    });
  }
}

test('a setting that the file does not have is omitted, for its default', () => {
  assert.deepEqual(read({}), { props: {} });
});

test('the name of the stack is read, and $schema is for editors', () => {
  assert.deepEqual(read({ $schema: './ecr-deploy.schema.json', stackName: 'ecr-deploy-prod' }), {
    stackName: 'ecr-deploy-prod',
    props: {},
  });
});

const LIST = 'give a list of texts, such as ["one", "two"].';
const FLAG = 'give true or false, without quotes.';
const NUMBER = 'give a whole number without quotes, such as 90.';
const UNIT = 'give a whole number and its unit in quotes, such as "90s", "30m", "26h" or "2d".';
const RETENTION =
  'give a number of days that CloudWatch Logs knows (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, ' +
  '1096, 1827, 2192, 2557, 2922, 3288, 3653), or infinite.';
const TEXT = 'give a text in quotes.';
const NOTHING = 'give a value, or leave the setting out for its default.';
const STACK = 'give letters, digits and hyphens, a letter first, such as ecr-deploy-prod.';
const ALL = `There are ${Object.keys(SCHEMAS).join(', ')}.`;

const REFUSED: readonly [setting: string, given: unknown, fix: string][] = [
  ['passRoles', '', NOTHING],
  ['passRoles', null, NOTHING],
  ['passRoles', 'arn:aws:iam::123456789012:role/app-*', LIST],
  ['clusters', 'one,two', LIST],
  ['clusters', [1], LIST],
  ['clusters', ['one', ''], LIST],
  ['repositories', { web: true }, LIST],
  ['accounts', [210987654321], LIST],
  ['deployLatest', 'yes', FLAG],
  ['tagLatest', 'true', FLAG],
  ['scanFamilies', 0, FLAG],
  ['maxConcurrency', '10', NUMBER],
  ['maxConcurrency', 1.5, 'give a whole number, such as 90.'],
  ['logRetention', 'forever', NUMBER],
  ['logRetention', 10, RETENTION],
  ['sweep', 'off', 'give an object, such as {"every": "30m"} or {"scheduled": false}.'],
  ['sweep', {}, 'give an object, such as {"every": "30m"} or {"scheduled": false}.'],
  ['architecture', 'amd64', 'give arm64 or x86_64.'],
  ['rolloutTimeout', '30', UNIT],
  ['rolloutTimeout', 1800, UNIT],
  ['pollInterval', '1.5s', UNIT],
  ['pollInterval', 'PT15S', UNIT],
  ['encryptionKey', ['a'], TEXT],
  ['permissionsBoundary', true, TEXT],
  ['holdParameter', false, TEXT],
  ['rolePath', 1, TEXT],
  ['rolePrefix', {}, TEXT],
  ['stackName', 'ecr_deploy', STACK],
  ['stackName', 7, STACK],
  [
    'stackName',
    'CDKToolkit',
    'that is the stack that cdk bootstrap makes; give a name of its own, such as ecr-deploy-prod.',
  ],
  ['passRole', ['a'], `there is no setting of that name; the nearest is passRoles. ${ALL}`],
  ['clutsers', ['a'], `there is no setting of that name; the nearest is clusters. ${ALL}`],
  ['cluster', ['a'], `there is no setting of that name; the nearest is clusters. ${ALL}`],
  ['LogRetention', 7, `there is no setting of that name; the nearest is logRetention. ${ALL}`],
  ['constructor', 7, `there is no setting of that name. ${ALL}`],
  ['colour', 'red', `there is no setting of that name. ${ALL}`],
];

for (const [setting, given, fix] of REFUSED) {
  test(`refused: ${setting} ${JSON.stringify(given)}`, () => {
    assert.throws(() => read({ [setting]: given }), {
      name: 'SettingError',
      message: `ecr-deploy: setting "${setting}" is ${JSON.stringify(given)}: ${fix}`,
    });
  });
}

for (const every of ['90s', '30', '0m', '2d', 'PT30M', 30, null]) {
  test(`refused: sweep that comes every ${JSON.stringify(every)}, with whole minutes as the file has them`, () => {
    assert.throws(() => read({ sweep: { every } }), {
      name: 'SettingError',
      message:
        `ecr-deploy: setting "sweep.every" is ${JSON.stringify(every)}: give whole minutes from "1m" to "1d", ` +
        'such as "30m" or "1h".',
    });
  });
}

test('a sweep is read with its whole minutes, which may be written in seconds', () => {
  const sweepOf = (every: string) => read({ sweep: { every, lost: 'report' } }).props.sweep;
  for (const [every, minutes] of [
    ['30m', 30],
    ['120s', 2],
    ['1d', 1440],
  ] as const) {
    assert.equal(sweepOf(every)?.every?.toMinutes(), minutes);
    assert.equal(sweepOf(every)?.lost, 'report');
  }
});

for (const written of ['', '{', '{"passRoles": ["a"],}', '[]', 'null', '"passRoles"']) {
  test(`refused, with the name of the file: ${written}`, () => {
    assert.throws(() => parseSettings(written, 'other.json'), {
      name: 'SettingError',
      message: /^ecr-deploy: the settings file other\.json: it (is no JSON: |has to hold an object)/,
    });
  });
}

for (const [encoding, written] of [
  ['UTF-8 with a byte order mark', Buffer.from('\ufeff{}')],
  ['UTF-16', Buffer.from('\ufeff{}', 'utf16le')],
] as const) {
  test(`refused, with the name of the file and the fix: ${encoding}`, () => {
    assert.throws(() => parseSettings(written.toString('utf8'), 'other.json'), {
      name: 'SettingError',
      message: 'ecr-deploy: the settings file other.json: save it as UTF-8 without a byte order mark.',
    });
  });
}

for (const [written, member] of [
  ['{"clusters":["a"],"clusters":["b"]}', '"clusters" in line 1'],
  ['{\n\t"clusters": ["a"],\n\t"\\u0063lusters": ["b"]\n}', '"\\u0063lusters" in line 3'],
  ['{"stages": [\n{"name": "a", "tags": ["*"],\n "tags": ["v*"]}]}', '"tags" in line 3'],
  ['{"sweep": {"lost": "report", "lost": "deploy"}}', '"lost" in line 1'],
  ['{"$schema": "a", "$schema": "a"}', '"$schema" in line 1'],
] as const) {
  test(`refused, with the name of the file and the member: ${written}`, () => {
    assert.throws(() => parseSettings(written, 'other.json'), {
      name: 'SettingError',
      message:
        `ecr-deploy: the settings file other.json: the member ${member} is there a second time, and only one can be taken; ` +
        'keep one of them.',
    });
  });
}

test('members of two objects may have one name, and a text may say what it likes', () => {
  const stages = [
    { name: 'a', clusters: ['a'], tags: ['regex:"a{1,}":"a{1,}"', '*'] },
    { name: 'b', tags: ['*', '!*: &a !b'] },
  ];

  assert.deepEqual(parseSettings(JSON.stringify({ stages }, null, '\t'), 'other.json').props, { stages });
});
