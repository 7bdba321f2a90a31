import assert from 'node:assert/strict';
import { test } from 'node:test';
import { App, Duration } from 'aws-cdk-lib';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { settingsFromContext } from '../lib/context';
import type { EcrDeployProps } from '../lib/settings';

const read = (context: Record<string, unknown>) => settingsFromContext(new App({ context }).node);

/** A setting as `-c` hands it over (always text) or as `cdk.json` holds it, and the prop it becomes. */
const READ: readonly [setting: keyof EcrDeployProps, given: unknown, prop: unknown][] = [
  ['passRoles', 'arn:aws:iam::123456789012:role/app-*', ['arn:aws:iam::123456789012:role/app-*']],
  ['passRoles', 'one, two', ['one', 'two']],
  ['clusters', 'production,staging', ['production', 'staging']],
  ['clusters', ['production', 'staging'], ['production', 'staging']],
  ['repositories', 'web,team/worker', ['web', 'team/worker']],
  ['deployLatest', 'true', true],
  ['deployLatest', true, true],
  ['tagLatest', 'false', false],
  ['scanFamilies', false, false],
  ['imageReference', 'digest', 'digest'],
  ['trigger', 'imageAction', 'imageAction'],
  ['architecture', 'x86_64', 'x86_64'],
  ['maxConcurrency', '20', 20],
  ['maxConcurrency', 20, 20],
  ['logRetention', '7', RetentionDays.ONE_WEEK],
  ['logRetention', 'infinite', RetentionDays.INFINITE],
];

for (const [setting, given, prop] of READ) {
  test(`${setting} ${JSON.stringify(given)} is read as ${JSON.stringify(prop)}`, () => {
    assert.deepEqual(read({ [setting]: given }), { [setting]: prop });
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
      assert.equal(read({ [setting]: given })[setting]?.toSeconds(), duration.toSeconds());
    });
  }
}

test('a setting that the context does not have is left out, for its default', () => {
  assert.deepEqual(read({}), {});
});

const NAMES = 'give names with a comma between them, such as one,two.';
const UNIT = 'give a whole number and its unit, such as 90s, 30m, 26h or 2d.';
const NOTHING = 'give a value, or leave the setting out for its default.';

const REFUSED: readonly [setting: keyof EcrDeployProps, given: unknown, message: string][] = [
  ['passRoles', '', `is "": ${NOTHING}`],
  ['clusters', '', `is "": ${NOTHING}`],
  ['clusters', 'one,,two', `is "one,,two": ${NAMES}`],
  ['clusters', [1], `is [1]: ${NAMES}`],
  ['repositories', 'web,', `is "web,": ${NAMES}`],
  ['deployLatest', 'yes', 'is "yes": give true or false.'],
  ['tagLatest', 'True', 'is "True": give true or false.'],
  ['scanFamilies', 0, 'is 0: give true or false.'],
  ['maxConcurrency', 'ten', 'is "ten": give a whole number, such as 10.'],
  ['maxConcurrency', '-1', 'is "-1": give a whole number, such as 10.'],
  ['logRetention', 'forever', 'is "forever": give a whole number, such as 10.'],
  ['rolloutTimeout', '30', `is "30": ${UNIT}`],
  ['rolloutTimeout', 1800, `is 1800: ${UNIT}`],
  ['pollInterval', '1.5s', `is "1.5s": ${UNIT}`],
  ['pollInterval', 'PT15S', `is "PT15S": ${UNIT}`],
];

for (const [setting, given, message] of REFUSED) {
  test(`refused: ${setting} ${JSON.stringify(given)}`, () => {
    assert.throws(() => read({ [setting]: given }), {
      name: 'SettingError',
      message: `ecr-deploy: setting "${setting}" ${message}`,
    });
  });
}
