/** The setting `sweep`: when pushes that services have missed are looked for, and what is done about them. */
import { Duration } from 'aws-cdk-lib';
import { flag, oneOf } from './checks';
import { SweepAction } from './choices';
import { insteadOf } from './nearest';
import { DURATION, DURATION_TEXT, FLAG, type Member, SettingError } from './setting';

const SWEEP_ACTIONS = Object.values(SweepAction);

/** When missed pushes are looked for, and what is done about them. */
export interface Sweep {
  /**
   * `false`: nothing sweeps by itself. Then `every` is refused. The command `ecr-deploy sweep` sweeps all the same.
   * @default true
   */
  readonly scheduled?: boolean;
  /**
   * How often, in whole minutes, from one minute to a day. In a settings file a number and its unit: `30m`, `1h`.
   * @default Duration.hours(1)
   */
  readonly every?: Duration;
  /**
   * The reaction where the event of a push was lost, or where a hold kept it back that is lifted: `deploy` or `report`.
   * The first push of a repository to a service is only reported: ECR itself may have brought its image in.
   * @default SweepAction.DEPLOY
   */
  readonly lost?: SweepAction;
  /**
   * The reaction where the service ran the image, and somebody has put a revision without it there since: `deploy` or
   * `report`.
   * @default SweepAction.REPORT
   */
  readonly reverted?: SweepAction;
}

/** The setting after it was checked. */
export interface SweepSettings {
  /** `undefined`: nothing sweeps by itself. */
  readonly sweepEvery: Duration | undefined;
  /** For the functions. */
  readonly sweep: { readonly lost: SweepAction; readonly reverted: SweepAction };
}

const MEMBERS: readonly string[] = ['scheduled', 'every', 'lost', 'reverted'];

/** In a settings file. */
export const SWEEP: Member<Sweep> = {
  schema: {
    type: 'object',
    properties: {
      scheduled: FLAG.schema,
      every: DURATION_TEXT.schema,
      lost: { enum: SWEEP_ACTIONS },
      reverted: { enum: SWEEP_ACTIONS },
    },
    additionalProperties: false,
  },
  read: (given, setting) => {
    // The construct would name what a prop is given.
    const sweep = members(given, setting, '{"every": "30m"} or {"scheduled": false}');
    return 'every' in sweep ? { ...sweep, every: readEvery(sweep.every, `${setting}.every`) } : sweep;
  },
};

/** How often, as a settings file has it. */
function readEvery(given: unknown, setting: string): Duration {
  const every = typeof given === 'string' && DURATION.test(given) ? DURATION_TEXT.read(given, setting) : undefined;
  if (every === undefined || !isWholeMinutes(every)) {
    throw new SettingError(setting, given, 'give whole minutes from "1m" to "1d", such as "30m" or "1h".');
  }
  return every;
}

/**
 * True for whole minutes, which EventBridge takes, up to a day:
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
 */
function isWholeMinutes(every: unknown): every is Duration {
  if (!(every instanceof Duration) || every.isUnresolved()) {
    return false;
  }
  const minutes = every.toMilliseconds() / 60_000;
  return Number.isInteger(minutes) && minutes >= 1 && minutes <= 1440;
}

/** The setting as an object that has members, or its refusal with an example. */
function members(given: unknown, setting: string, example: string): Sweep {
  if (typeof given !== 'object' || given === null || Array.isArray(given) || Object.keys(given).length === 0) {
    throw new SettingError(setting, given, `give an object, such as ${example}.`);
  }
  return given;
}

/**
 * The setting, checked.
 *
 * @throws SettingError for the first member that cannot be used
 */
export function checkSweep(setting: Sweep | undefined): SweepSettings {
  const example = '{ every: Duration.minutes(30) } or { scheduled: false }';
  const given = members(setting ?? { scheduled: true }, 'sweep', example);
  for (const [member, value] of Object.entries(given)) {
    if (!MEMBERS.includes(member)) {
      throw new SettingError(`sweep.${member}`, value, `there is no such member${insteadOf(member, MEMBERS)}`);
    }
  }
  const every = given.every ?? Duration.hours(1);
  if (!isWholeMinutes(every)) {
    const fix = 'give whole minutes, known at synth, from 1 to 1440, such as Duration.minutes(30).';
    throw new SettingError('sweep.every', every, fix);
  }
  const isScheduled = flag('sweep.scheduled', given.scheduled ?? true);
  if (!isScheduled && given.every !== undefined) {
    throw new SettingError(
      'sweep.every',
      given.every,
      'nothing sweeps by itself where scheduled is false; leave one of the two out.',
    );
  }
  return {
    sweepEvery: isScheduled ? every : undefined,
    sweep: {
      lost: oneOf('sweep.lost', given.lost ?? SweepAction.DEPLOY, SWEEP_ACTIONS),
      reverted: oneOf('sweep.reverted', given.reverted ?? SweepAction.REPORT, SWEEP_ACTIONS),
    },
  };
}
