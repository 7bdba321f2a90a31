/** The checks of settings: each returns the value as it is used, or refuses it with the fix. */
import { statSync } from 'node:fs';
import { Duration, RemovalPolicy, Token } from 'aws-cdk-lib';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { PARAMETER_NAME, type Pattern, TOPIC_ARN } from './patterns';
import { SettingError } from './setting';
import type { EcrDeployProps } from './settings';

/**
 * The most polls that one rollout may take. A poll costs 9 of the 25,000 events that Step Functions keeps of one
 * execution. The wait for another push's rollback may take as many polls before it, and the rollback that may follow as
 * many again: 3 x 800 x 9 = 21,600 leaves room for retries.
 * https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
 */
const MOST_POLLS = 800;

/**
 * The most bytes that the environment variables of a function may have together, names and values.
 * https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
const LARGEST_ENVIRONMENT = 4096;

/** Forty groups of forty, the most that an inline Map runs at once. */
export const MOST_AT_ONCE = 1600;

/** More than one execution holds. */
export const MOST_SERVICES = 10_000;

export const REMOVAL_POLICIES = [RemovalPolicy.DESTROY, RemovalPolicy.RETAIN] as const;

/**
 * Keeps a resource for good, but not the one that a deployment made which is rolled back: it would be in the way of the
 * next deployment, since it has the name, or is the version, which that one makes.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
 */
export const KEEP = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE;

/** Says whether the logs and the dead-letter queue are deleted with the stack. */
export function removalPolicy(given: RemovalPolicy = RemovalPolicy.DESTROY): RemovalPolicy {
  return oneOf('removalPolicy', given, REMOVAL_POLICIES) === RemovalPolicy.RETAIN ? KEEP : RemovalPolicy.DESTROY;
}

/** Refuses settings that say two things of the tag `latest`. */
export function checkLatest(deployLatest: boolean, tagLatest: boolean, stages: readonly unknown[] | undefined): void {
  if (deployLatest && tagLatest) {
    throw new SettingError(
      'tagLatest',
      true,
      'with deployLatest every push would be deployed twice, once under its own tag and once as latest; ' +
        'turn one of the two off.',
    );
  }

  if (deployLatest && stages !== undefined) {
    throw new SettingError(
      'deployLatest',
      true,
      'with stages their tags decide; name latest in the tags of a stage, and leave deployLatest out.',
    );
  }
}

/** Refuses settings for which a function has no room in its `variable`, by the name of the longest. */
export function checkRoom(variable: string, members: Readonly<Record<string, unknown>>): void {
  const bytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
  const room = LARGEST_ENVIRONMENT - variable.length;
  const all = bytes(members);
  if (all > room) {
    const [longest, given] = Object.entries(members).sort(([, one], [, other]) => bytes(other) - bytes(one))[0] ?? [
      '',
      '',
    ];
    throw new SettingError(
      longest,
      Array.isArray(given) ? `${given.length} entries of ${bytes(given)} bytes together` : given,
      `all settings of a function have ${all} bytes as JSON, and Lambda has room for ${room}; name fewer, ` +
        'leave the setting out for its default, or install a second stack.',
    );
  }
}

/** The seconds that a rollout may take, within what one execution can poll. */
export function timeout(setting: string, given: Duration, pollIntervalSeconds: number): number {
  const rolloutTimeoutSeconds = seconds(setting, given, 1, 7 * 86_400);
  if (rolloutTimeoutSeconds < pollIntervalSeconds) {
    throw new SettingError(
      setting,
      `${rolloutTimeoutSeconds}s`,
      `it ends before the first poll of the rollout; give at least the pollInterval, ${pollIntervalSeconds}s.`,
    );
  }
  if (rolloutTimeoutSeconds > MOST_POLLS * pollIntervalSeconds) {
    throw new SettingError(
      'pollInterval',
      `${pollIntervalSeconds}s`,
      `with a ${setting} of ${rolloutTimeoutSeconds}s that is more polls than the history of one execution holds; ` +
        `give at least ${Math.ceil(rolloutTimeoutSeconds / MOST_POLLS)}s, ` +
        `or a ${setting} of at most ${MOST_POLLS * pollIntervalSeconds}s.`,
    );
  }
  return rolloutTimeoutSeconds;
}

/** The parameter that an installation makes for the command, see `installation.ts`. */
const INSTALLATION = /^\/ecr-deploy\/[^/]+\/installation$/;
/**
 * Those that the setting `parameters` writes, see `functions/conclude/src/parameters.rs`, and all others that deploy-service
 * may write then: a `*` in a policy stands for slashes, too.
 */
const OF_CONTAINER = /^\/ecr-deploy(\/[^/]+){4,}$/;

/** The parameter that holds everything: none that ecr-deploy itself writes, since each push would be held for ever. */
export function holdParameter(given: string | undefined, writesParameters: boolean): { holdParameter?: string } {
  const checked = optional('holdParameter', given, PARAMETER_NAME);
  const isWritten = (name: string) => INSTALLATION.test(name) || (writesParameters && OF_CONTAINER.test(name));
  if (given !== undefined && isWritten(given)) {
    throw new SettingError(
      'holdParameter',
      given,
      'ecr-deploy itself may write this parameter, and so every push would be held for ever; give a name that nothing else has, ' +
        'such as /app/ecr-deploy/hold.',
    );
  }
  return checked;
}

export function folder(setting: string, given: string | undefined): string | undefined {
  if (given !== undefined && !(typeof given === 'string' && isFolder(given))) {
    throw new SettingError(setting, given, 'give a folder that is there, or leave the setting out.');
  }
  return given;
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** A setting without a default: omitted, or text that matches, or a construct that has its ARN under `arn`. */
export function optional<K extends string, T>(
  setting: K,
  given: T | undefined,
  { pattern, fix }: Pattern,
  arn?: string,
): Partial<Record<K, T>> {
  if (given === undefined) {
    return {};
  }
  const isConstruct = arn !== undefined && typeof given === 'object' && given !== null && arn in given;
  if (!isConstruct && !Token.isUnresolved(given) && !(typeof given === 'string' && pattern.test(given))) {
    throw new SettingError(setting, given, fix);
  }
  return { [setting]: given } as Partial<Record<K, T>>;
}

export function roleArns(roles: readonly (IRole | string)[] | undefined, { pattern, fix }: Pattern): string[] {
  if (roles === undefined || !Array.isArray(roles) || roles.length === 0) {
    throw new SettingError('passRoles', roles, fix);
  }
  const arns = roles.map((role: unknown) => (isRole(role) ? role.roleArn : role));
  for (const arn of arns) {
    if (!Token.isUnresolved(arn) && !(typeof arn === 'string' && pattern.test(arn))) {
      throw new SettingError('passRoles', arn, fix);
    }
  }
  return [...new Set(arns as string[])];
}

function isRole(role: unknown): role is IRole {
  return typeof role === 'object' && role !== null && 'roleArn' in role;
}

/** A list is omitted, for its default, or names something: an empty one may come from a script that found nothing. */
export function names(setting: string, given: readonly string[] | undefined, { pattern, fix }: Pattern): string[] {
  if (given === undefined) {
    return [];
  }
  if (!Array.isArray(given) || given.length === 0) {
    throw new SettingError(setting, given, fix);
  }
  for (const name of given as unknown[]) {
    if (!Token.isUnresolved(name) && !(typeof name === 'string' && pattern.test(name))) {
      throw new SettingError(setting, name, fix);
    }
  }
  return [...new Set(given as string[])];
}

/** The retentions that CloudWatch Logs knows, in days. */
export const RETENTIONS = (Object.values(RetentionDays) as (number | string)[])
  .filter((days) => typeof days === 'number')
  .filter((days) => RetentionDays[days] !== 'INFINITE');

/** The refusal of a retention, with what stands for one without an end: the settings file and the prop have their own. */
export function noRetention(setting: string, given: unknown, infinite: string): SettingError {
  const days = RETENTIONS.join(', ');
  return new SettingError(
    setting,
    given,
    `give a number of days that CloudWatch Logs knows (${days}), or ${infinite}.`,
  );
}

export function retention(setting: string, given: RetentionDays): RetentionDays {
  if (typeof RetentionDays[given] !== 'string') {
    throw noRetention(setting, given, 'RetentionDays.INFINITE');
  }
  return given;
}

export function flag(setting: string, given: boolean): boolean {
  if (typeof given !== 'boolean') {
    throw new SettingError(setting, given, 'give true or false.');
  }
  return given;
}

export function oneOf<T extends string>(setting: string, given: T, choices: readonly T[]): T {
  if (!choices.includes(given)) {
    throw new SettingError(setting, given, `give ${choices.join(' or ')}.`);
  }
  return given;
}

/** The processors that the functions are built for. */
export const ARCHITECTURES = [Architecture.ARM_64, Architecture.X86_64];

export function architectureOf(setting: string, given: Architecture): Architecture {
  // Two copies of aws-cdk-lib have a class each, so the name decides.
  const names = ARCHITECTURES.map(({ name }) => name);
  if (typeof given !== 'object' || !names.includes((given as Partial<Architecture> | null)?.name ?? '')) {
    throw new SettingError(setting, given, 'give Architecture.ARM_64 or Architecture.X86_64.');
  }
  return given;
}

/** A whole number from 1 to `most`, which is so for a reason: `because`. */
export function whole(setting: string, given: number, most: number, because = ''): number {
  if (!Number.isInteger(given) || given < 1 || given > most) {
    throw new SettingError(setting, given, `give a whole number from 1 to ${most}${because}.`);
  }
  return given;
}

export function seconds(setting: string, given: Duration, least: number, most: number): number {
  const whole = given instanceof Duration && !given.isUnresolved() && given.toMilliseconds() % 1000 === 0;
  const value = whole ? given.toSeconds() : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw new SettingError(
      setting,
      given,
      `give a duration in whole seconds, known at synth, from ${least}s to ${most}s.`,
    );
  }
  return value;
}

/** Who hears of a push, and how. */
export function checkTold({
  notificationTopic,
  alarms,
  dashboard,
}: Pick<EcrDeployProps, 'notificationTopic' | 'alarms' | 'dashboard'>) {
  const topic =
    typeof notificationTopic === 'boolean'
      ? {}
      : optional('notificationTopic', notificationTopic, TOPIC_ARN, 'topicArn');
  if (typeof notificationTopic === 'object' && notificationTopic.fifo) {
    throw new SettingError(
      'notificationTopic',
      notificationTopic,
      `it is a FIFO topic, and a message to it has to name a group, which ours do not; ${TOPIC_ARN.fix}`,
    );
  }
  const sendsMessages = notificationTopic !== undefined && notificationTopic !== false;
  return {
    ...topic,
    ...(notificationTopic === true && { notificationTopic }),
    sendsMessages,
    alarms: flag('alarms', alarms ?? sendsMessages),
    dashboard: flag('dashboard', dashboard ?? false),
  };
}
