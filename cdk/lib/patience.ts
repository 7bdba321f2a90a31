/**
 * Patience: for how long a state tries again while nobody can answer, because Lambda throttles or AWS fails. That nobody
 * could read how a rollout stands is no verdict about it, so a state tries for as long as a rollout may take.
 *
 * Step Functions takes no expression for these numbers. Those in `statemachine/*.asl.yaml` are enough for a
 * `rolloutTimeout` of thirty minutes, the default; for a longer one they are raised here.
 */
import type { Settings } from './settings';

/** The `rolloutTimeout` that the numbers in the definitions are made for. */
export const WRITTEN_FOR_SECONDS = 30 * 60;

/**
 * A retry takes 3 of the 25,000 events of an execution. With delays of at least this part of the timeout, the attempts of one
 * state stay below 4,000 events, also in seven days.
 */
const LONGEST_DELAYS_PER_TIMEOUT = 400;

/** The delay before an attempt is any time up to the limit, half of it on average; half as much again leaves nothing to chance. */
const LIMITS_PER_SECOND = 3;

/**
 * One of them is in each retrier of a function, and in that of the parameter of the hold for what passes. The others start executions, read
 * one that has ended, and tag images: no rollout hangs on these.
 */
const PATIENT: readonly string[] = ['Deploy.Unavailable', 'Sandbox.Timedout', 'Ssm.ThrottlingException'];

interface Retrier {
  ErrorEquals: string[];
  MaxAttempts: number;
  MaxDelaySeconds: number;
}

/** The definition of a state machine whose states try for as long as a rollout may take. */
export function patient(definition: string, rolloutTimeoutSeconds: number): string {
  const missing = rolloutTimeoutSeconds - WRITTEN_FOR_SECONDS;
  if (missing <= 0) {
    return definition;
  }
  const machine: unknown = JSON.parse(definition, (name, value: unknown) =>
    name === 'Retry' ? (value as Retrier[]).map((retrier) => longer(retrier, rolloutTimeoutSeconds, missing)) : value,
  );
  return `${JSON.stringify(machine, null, 2)}\n`;
}

function longer(retrier: Retrier, rolloutTimeoutSeconds: number, missingSeconds: number): Retrier {
  if (!retrier.ErrorEquals.some((error) => PATIENT.includes(error))) {
    return retrier;
  }
  const delay = Math.max(retrier.MaxDelaySeconds, Math.ceil(rolloutTimeoutSeconds / LONGEST_DELAYS_PER_TIMEOUT));
  const more = Math.ceil((LIMITS_PER_SECOND * missingSeconds) / delay);
  return { ...retrier, MaxAttempts: retrier.MaxAttempts + more, MaxDelaySeconds: delay };
}

/** The longest time that a rollout of any stage may take, in seconds: for so long a state tries again. */
export function longestRollout({ rolloutTimeoutSeconds, stages }: Settings): number {
  return Math.max(rolloutTimeoutSeconds, ...stages.map((stage) => stage.rolloutTimeout?.toSeconds() ?? 0));
}
