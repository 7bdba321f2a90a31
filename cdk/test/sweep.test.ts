/** The rule that starts the state machine sweep, and what that may do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Duration } from 'aws-cdk-lib';
import { MEMBERS } from '../lib/members';
import { SweepAction } from '../lib/choices';
import { type Json, Synthesized } from './synthesized';

const DEFAULT = new Synthesized();

test('a rule starts sweep every hour, without an input of its own', () => {
  const {
    ScheduleExpression: schedule,
    EventPattern: pattern,
    Targets: targets,
  } = DEFAULT.properties('EcrDeploy/Swept');

  assert.equal(schedule, 'rate(1 hour)');
  assert.equal(pattern, undefined);
  assert.equal(targets.length, 1);
  assert.equal(DEFAULT.text(targets[0].Arn), '${EcrDeploy/Sweep/StateMachine}');
  assert.equal(targets[0].Input, '{}');
  assert.equal(DEFAULT.text(targets[0].RoleArn), '${EcrDeploy/SweepRole.Arn}');
});

test('the rule has the rate of the setting, and there is none where nothing is scheduled', () => {
  const rate = (sweep: Json) =>
    new Synthesized({ sweep })
      .ofType('AWS::Events::Rule')
      .map(({ properties }) => properties.ScheduleExpression)
      .filter((schedule) => schedule !== undefined);

  assert.deepEqual(rate({ every: Duration.minutes(30) }), ['rate(30 minutes)']);
  assert.deepEqual(rate({ every: Duration.minutes(1) }), ['rate(1 minute)']);
  assert.deepEqual(rate({ scheduled: false }), []);
});

test('find-missed-pushes gets what is done about lost and reverted pushes', () => {
  const settings = (sweep: Json) =>
    JSON.parse(
      new Synthesized({ sweep }).properties('EcrDeploy/FindMissedPushes/Function').Environment.Variables.SETTINGS,
    ).sweep;

  assert.deepEqual(settings({ lost: SweepAction.REPORT }), { lost: 'report', reverted: 'report' });
  assert.deepEqual(settings({ reverted: SweepAction.DEPLOY }), { lost: 'deploy', reverted: 'deploy' });
});

test('in a settings file the time is a number and its unit', () => {
  const read = (given: unknown) => MEMBERS.sweep.read(given, 'sweep');

  assert.deepEqual(read({ every: '30m', lost: 'report' }), { every: Duration.minutes(30), lost: 'report' });
  assert.deepEqual(read({ scheduled: false }), { scheduled: false });
  assert.throws(() => read({ every: 30 }), { name: 'SettingError', setting: 'sweep.every' });
});
