/**
 * The CDK context is where the app finds its settings: `-c clusters=prod,staging` on the command line, or a member of
 * `context` in `cdk.json`. Each has the name of its prop. What cannot be read is refused here; whether the value makes
 * sense is for the construct to say.
 */
import { Duration } from 'aws-cdk-lib';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Node } from 'constructs';
import { type Architecture, type EcrDeployProps, type ImageReference, SettingError, type Trigger } from './settings';

/** How each setting is written in the context. */
const READ: { [K in keyof EcrDeployProps]-?: (given: unknown, setting: K) => NonNullable<EcrDeployProps[K]> } = {
  passRoles: list,
  clusters: list,
  deployLatest: flag,
  tagLatest: flag,
  imageReference: (given) => given as ImageReference,
  scanFamilies: flag,
  rolloutTimeout: duration,
  pollInterval: duration,
  maxConcurrency: number,
  trigger: (given) => given as Trigger,
  repositories: list,
  architecture: (given) => given as Architecture,
  logRetention: (given, setting) => (given === 'infinite' ? RetentionDays.INFINITE : number(given, setting)),
  binaries: (given) => given as string,
};

/**
 * The settings that the context of this node has. One that it does not have is left out, for its default.
 *
 * @throws SettingError for the first setting that cannot be read
 */
export function settingsFromContext(node: Node): EcrDeployProps {
  const settings: [string, unknown][] = [];
  for (const [name, read] of Object.entries(READ)) {
    const setting = name as keyof EcrDeployProps;
    const given: unknown = node.tryGetContext(setting);
    if (given === null || given === '') {
      throw new SettingError(setting, given, 'give a value, or leave the setting out for its default.');
    }
    if (given !== undefined) {
      settings.push([setting, read(given, setting as never)]);
    }
  }
  // Whether all are there that must be is for the construct to say, like everything about their values.
  return Object.fromEntries(settings) as unknown as EcrDeployProps;
}

/** `prod,staging`, or in `cdk.json` also `["prod", "staging"]`. */
function list(given: unknown, setting: keyof EcrDeployProps): string[] {
  const items: unknown[] = typeof given === 'string' ? given.split(',').map((item) => item.trim()) : [given].flat();
  if (!items.every((item) => typeof item === 'string' && item !== '')) {
    throw new SettingError(setting, given, 'give names with a comma between them, such as one,two.');
  }
  return items as string[];
}

function flag(given: unknown, setting: keyof EcrDeployProps): boolean {
  const flags = new Map<unknown, boolean>([
    ['true', true],
    ['false', false],
    [true, true],
    [false, false],
  ]);
  const read = flags.get(given);
  if (read === undefined) {
    throw new SettingError(setting, given, 'give true or false.');
  }
  return read;
}

function number(given: unknown, setting: keyof EcrDeployProps): number {
  if (typeof given === 'number') {
    return given;
  }
  if (typeof given !== 'string' || !/^\d+$/.test(given)) {
    throw new SettingError(setting, given, 'give a whole number, such as 10.');
  }
  return Number(given);
}

/** A whole number and its unit: `90s`, `30m`, `26h`, `2d`. */
function duration(given: unknown, setting: keyof EcrDeployProps): Duration {
  const [, amount, unit] = /^(\d{1,9})([smhd])$/.exec(String(given)) ?? [];
  switch (unit) {
    case 's':
      return Duration.seconds(Number(amount));
    case 'm':
      return Duration.minutes(Number(amount));
    case 'h':
      return Duration.hours(Number(amount));
    case 'd':
      return Duration.days(Number(amount));
    default:
      throw new SettingError(setting, given, 'give a whole number and its unit, such as 90s, 30m, 26h or 2d.');
  }
}
