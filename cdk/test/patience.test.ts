import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Duration } from 'aws-cdk-lib';
import { readDefinition } from '../lib/assets';
import { patient, WRITTEN_FOR_SECONDS } from '../lib/patience';
import { type Json, Synthesized, WORKFLOWS } from './synthesized';

const HOUR = 3600;
const TIMEOUTS = [WRITTEN_FOR_SECONDS + 1, HOUR, 6 * HOUR, 24 * HOUR, 7 * 24 * HOUR];

for (const [file, construct] of Object.entries(WORKFLOWS)) {
  const written = readDefinition(file);

  test(`${file}: up to the default rolloutTimeout the definition is as it is written`, () => {
    assert.equal(patient(written, 60), written);
    assert.equal(patient(written, WRITTEN_FOR_SECONDS), written);
  });

  for (const timeout of TIMEOUTS) {
    test(`${file}: with a rolloutTimeout of ${timeout}s each function and SSM are tried again for as long, within the history`, () => {
      const retriers = retriersOf(JSON.parse(patient(written, timeout)));

      // The launcher invokes no function.
      assert.equal(retriers.length === 0, file === 'push');
      // A hold that nobody can read keeps a push waiting, be it for the first wave or for a later one.
      const holds = file === 'sweep' ? 1 : file.startsWith('deploy-') ? 2 : 0;
      assert.equal(retriers.filter(isOfSsm).length, holds);
      for (const retrier of retriers) {
        assert.ok(patience(retrier) >= 1.25 * timeout, JSON.stringify(retrier));
        // A retry is scheduled, started and failed. Three states may use theirs up one after the other, beside the polls.
        assert.ok(3 * retrier.MaxAttempts <= 4000, JSON.stringify(retrier));
      }
    });
  }

  test(`${file}: nothing but the retriers of functions and of SSM is changed`, () => {
    const longer: Json = JSON.parse(patient(written, 7 * 24 * HOUR));
    const before: Json = JSON.parse(written);
    const others = (machine: Json) =>
      JSON.stringify(machine, (name, value: Json) =>
        name === 'Retry' ? value.filter((retrier: Json) => !isPatient(retrier)) : value,
      );

    assert.equal(others(longer), others(before));
  });

  test(`${file}: the template has the retriers of its own rolloutTimeout`, () => {
    const settings = { rolloutTimeout: Duration.days(2), pollInterval: Duration.minutes(5) };

    assert.equal(new Synthesized(settings).definition(construct), patient(written, 2 * 24 * HOUR));
  });
  test(`${file}: the longest rolloutTimeout of all stages counts`, () => {
    const stages = [
      { name: 'staging', clusters: ['staging'], tags: ['*'], rolloutTimeout: Duration.minutes(2) },
      { name: 'production', tags: ['*'], rolloutTimeout: Duration.hours(4) },
    ];

    assert.equal(
      new Synthesized({ stages, pollInterval: Duration.seconds(18) }).definition(construct),
      patient(written, 4 * HOUR),
    );
  });
}

test('a hold that AWS does not let be read, an error without a name of its own, is told within minutes', () => {
  for (const file of ['deploy-image', 'sweep']) {
    const machine: Json = JSON.parse(patient(readDefinition(file), 7 * 24 * HOUR));
    const holds = Object.entries<Json>(machine.States).filter(([name]) => name.startsWith('Read hold'));
    assert.equal(holds.length, file === 'sweep' ? 1 : 2);
    for (const [name, { Retry: retriers }] of holds) {
      const [first, ...others] = retriers.filter((it: Json) => it.ErrorEquals.includes('Ssm.SsmException'));
      assert.deepEqual([first.ErrorEquals, others], [['Ssm.SsmException'], []], name);
      assert.ok(patience(first) <= 300, name);
    }
  }
});

function isPatient(retrier: Json): boolean {
  return (
    isOfSsm(retrier) || ['Deploy.Unavailable', 'Sandbox.Timedout'].some((error) => retrier.ErrorEquals.includes(error))
  );
}

function isOfSsm(retrier: Json): boolean {
  return retrier.ErrorEquals.includes('Ssm.ThrottlingException');
}

/** The retriers of all functions and of SSM, however deep their states stand. */
function retriersOf(part: Json): Json[] {
  if (typeof part !== 'object' || part === null) {
    return [];
  }
  const own: Json[] = (part.Retry ?? []).filter(isPatient);
  return [...own, ...Object.values<Json>(part).flatMap(retriersOf)];
}

/** The seconds that its delays take on average, with full jitter. */
function patience(retrier: Json): number {
  let delay = retrier.IntervalSeconds;
  let seconds = 0;
  for (let attempt = 0; attempt < retrier.MaxAttempts; attempt += 1) {
    seconds += delay / 2;
    delay = Math.min(delay * retrier.BackoffRate, retrier.MaxDelaySeconds);
  }
  // A function that ran out of time took the five minutes that it has.
  return retrier.ErrorEquals.includes('Sandbox.Timedout') ? seconds + 300 * retrier.MaxAttempts : seconds;
}
