/**
 * Settings are what an operator decides about ecr-deploy. They come in as the props of {@link EcrDeploy} and are checked
 * once, at synth: a setting that cannot be read is refused with its name, its value and the fix, never defaulted.
 */
import { statSync } from 'node:fs';
import { Duration, RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import type { IManagedPolicy, IRole } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { choice, DURATION_TEXT, FLAG, list, type Member, number, SettingError, text } from './setting';
import { allServices, checkStages, IMAGE_REFERENCES, type ImageReference, type Stage, STAGES } from './stages';

const TRIGGERS = ['imageAction', 'putImage'] as const;
const ARCHITECTURES = ['arm64', 'x86_64'] as const;
const REMOVAL_POLICIES = [RemovalPolicy.DESTROY, RemovalPolicy.RETAIN] as const;

/** The kind of ECR event that starts a deployment. */
export type Trigger = (typeof TRIGGERS)[number];
/** The processor that the functions are built for. */
export type Architecture = (typeof ARCHITECTURES)[number];

/** What an operator decides about ecr-deploy. */
export interface EcrDeployProps {
  /**
   * The IAM roles that deployed task definitions use, as their task role or execution role. ecr-deploy may pass these
   * and no others, and only to ECS tasks. A role, or its ARN; an ARN may hold `*`, such as
   * `arn:aws:iam::123456789012:role/app-*`. A rollback passes the roles of the last good revision: where a new revision
   * has other roles, keep the old ones in the list too, or the service cannot go back.
   */
  readonly passRoles: readonly (IRole | string)[];

  /**
   * Names of the ECS clusters whose services are deployed.
   *
   * @default - every cluster of the account in this region
   */
  readonly clusters?: readonly string[];

  /**
   * Names of the ECR repositories whose pushes are deployed, without the registry and without a tag. Two kinds of pushes are
   * deployed only where their repository is named here: the assets of the AWS CDK
   * (`cdk-<qualifier>-container-assets-<account>-<region>`), and what ECR itself brings in by a pull-through cache or by
   * replication.
   *
   * @default - every repository, without these two kinds of pushes
   */
  readonly repositories?: readonly string[];

  /**
   * The event that starts a deployment. `imageAction` is sent by ECR itself, in every account. `putImage` is recorded
   * by CloudTrail: it tells who pushed, and it arrives only where a trail of the account logs management events. Without
   * such a trail, `putImage` never deploys anything.
   *
   * @default 'imageAction'
   */
  readonly trigger?: Trigger;

  /**
   * Other accounts whose pushes are deployed too, by their ids of twelve digits. They have to forward their ECR events to
   * the event bus of this account. The functions need access to the repositories there.
   *
   * @default - pushes to this account's registry only
   */
  readonly accounts?: readonly string[];

  /**
   * Whether a new revision names its image by `tag`, or by `digest`, which no later push can change.
   *
   * @default 'tag'
   */
  readonly imageReference?: ImageReference;

  /**
   * The stages: which tags go to which services. Each stage selects services by `clusters`, `services`, `families` and
   * `repositories`, and takes the tags that its `tags` say. The first stage that selects a service owns it. The service's own
   * tag `ecr-deploy:stage` beats that: it is the name of a stage, or `off`. A service with the tag `ecr-deploy:hold` stays as it
   * is: the value is a text for people, or `until 2026-12-24T06:00:00Z` and a text. What a push skips stands in its summary,
   * with the stage and the rule. A push whose tag no stage takes [starts nothing](limits.md), as far as the pattern of a rule can
   * tell. A stage has these members:
   *
   * @default - one stage, `all`: every service, every tag but `latest`
   */
  readonly stages?: readonly Stage[];

  /**
   * The name of the SSM parameter that holds everything: while it is there, no push changes anything. It begins with a slash.
   * The stack does not make it: an operator does, who wants the hold, and [removes
   * it](operations.md#hold-everything) afterwards.
   *
   * @default - `/ecr-deploy/<stack name>/hold`
   */
  readonly holdParameter?: string;

  /**
   * Whether a push of the tag `latest` is deployed. It is short for `stages` of one stage `all` that takes every tag. Excludes
   * `tagLatest` and `stages`.
   *
   * @default false
   */
  readonly deployLatest?: boolean;

  /**
   * Whether an image gets the tag `latest` once every service is stable on it. It does not get it from a push that leaves a
   * service out which a stage would move: since the stage does not take the tag, the service is on hold, or a newer push or a
   * higher version runs. Excludes `deployLatest`. The summary of the push says where that is not possible: in a repository
   * whose tags are immutable, unless `latest` is an exclusion of the immutability, and in the registry of another account or
   * region.
   *
   * @default false
   */
  readonly tagLatest?: boolean;

  /**
   * Whether families that no service runs (scheduled and one-off tasks) get a new revision too. With `clusters` set,
   * services of other clusters are not read, so their families count as families without a service.
   *
   * @default true
   */
  readonly scanFamilies?: boolean;

  /**
   * How long one rollout may take until it counts as failed and is rolled back, and how long a rollback may take.
   * Blue/green, linear and canary rollouts need their bake time on top: give them more. The time during which a rollout
   * waits at a lifecycle hook does not count. At most seven days, and at most 1,200 times `pollInterval`.
   *
   * @default Duration.minutes(30)
   */
  readonly rolloutTimeout?: Duration;

  /**
   * How long to wait at least between two polls of a rollout, from one second to one hour. Each poll reads the service
   * from ECS and costs three state transitions. A rollout that takes long, that waits at a lifecycle hook, or one of
   * many is polled less often.
   *
   * @default Duration.seconds(15)
   */
  readonly pollInterval?: Duration;

  /**
   * How many task definitions, and how many services of each, are deployed at once: 1 to 1600. Each counts until its
   * last rollout is over, so the next one waits until a rollout is over.
   *
   * @default 400
   */
  readonly maxConcurrency?: number;

  /**
   * The processor of the functions: `arm64` or `x86_64`.
   *
   * @default 'arm64'
   */
  readonly architecture?: Architecture;

  /**
   * How long the logs of the functions and of the state machines are kept, in days, or `infinite`.
   *
   * @default RetentionDays.THREE_MONTHS - as long as Step Functions keeps an execution's history
   */
  readonly logRetention?: RetentionDays;

  /**
   * A folder with the functions ready to run, each as `<package>/bootstrap` or `<package>.zip`, such as
   * `roll-back/bootstrap`: built for Amazon Linux 2023 and for `architecture`. They are deployed as they are, and no Rust
   * is needed.
   *
   * @default - cargo-lambda builds them from this repository
   */
  readonly binaries?: string;

  /**
   * What happens to the logs and to the dead-letter queue when the stack is deleted: `destroy` or `retain`. The log
   * groups of the state machines have fixed names. So a stack of the same name can be deployed again only after the
   * retained ones were deleted.
   *
   * @default 'destroy'
   */
  readonly removalPolicy?: RemovalPolicy;

  /**
   * A symmetric KMS key of your own, or its ARN, that encrypts the logs, the dead-letter queue, and the data of the
   * executions. A key that CDK made gets the key policy that it needs. A key given by its ARN must allow by its own
   * policy: `kms:Encrypt*`, `kms:Decrypt*`, `kms:ReEncrypt*`, `kms:GenerateDataKey*` and `kms:Describe*` to
   * `logs.<region>.amazonaws.com`; `kms:Decrypt` and `kms:GenerateDataKey` to `events.amazonaws.com` and
   * `delivery.logs.amazonaws.com`; and the use by this account's roles.
   *
   * @default - keys of AWS
   */
  readonly encryptionKey?: IKey | string;

  /**
   * The permissions boundary of every role that is made: a managed policy, or its ARN.
   *
   * @default - none
   */
  readonly permissionsBoundary?: IManagedPolicy | string;

  /**
   * The path of every role that is made, such as `/ecr-deploy/`.
   *
   * @default '/'
   */
  readonly rolePath?: string;

  /**
   * What the name of every role begins with, such as `app-ecr-deploy-`: at most 32 characters. The rest of the name tells
   * the stack and what the role is for. A deployment with named roles needs `CAPABILITY_NAMED_IAM`, which the CDK gives.
   *
   * @default - CloudFormation names the roles
   */
  readonly rolePrefix?: string;
}

/** The settings after they were checked: nothing is optional any more, durations are whole seconds. */
export interface Settings {
  readonly passRoleArns: readonly string[];
  /** Empty: every cluster. */
  readonly clusters: readonly string[];
  /** At least one. */
  readonly stages: readonly Stage[];
  /** `undefined`: by the name of the stack. */
  readonly holdParameter?: string;
  readonly tagLatest: boolean;
  readonly imageReference: ImageReference;
  readonly scanFamilies: boolean;
  readonly rolloutTimeoutSeconds: number;
  readonly pollIntervalSeconds: number;
  readonly maxConcurrency: number;
  readonly trigger: Trigger;
  /** Empty: every repository. */
  readonly repositories: readonly string[];
  /** The other accounts whose pushes count. */
  readonly accounts: readonly string[];
  readonly architecture: Architecture;
  readonly logRetention: RetentionDays;
  /** `undefined`: cargo-lambda builds them. */
  readonly binaries: string | undefined;
  readonly removalPolicy: RemovalPolicy;
  readonly encryptionKey?: IKey | string;
  readonly permissionsBoundary?: IManagedPolicy | string;
  readonly rolePath?: string;
  readonly rolePrefix?: string;
}

/**
 * The most polls that one rollout may take. A poll costs 9 of the 25,000 events that Step Functions keeps of one
 * execution, and the rollback that may follow takes as many polls again: 2 x 1,200 x 9 = 21,600 leaves room for retries.
 * https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
 */
const MOST_POLLS = 1200;

/** Forty groups of forty, the most that an inline Map runs at once. */
const MOST_AT_ONCE = 1600;

const CLUSTER_NAME = /^[A-Za-z0-9_-]{1,255}$/;
/**
 * ECR's own rule, which `functions/ecr-deploy/src/domain/image.rs` has too: parts separated by slashes, and words in
 * them by a dot, one or two underscores, or hyphens. A registry's host would pass as the first part of a name, so it is
 * ruled out by itself. https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
 */
const REPOSITORY_NAME =
  /^(?=.{2,256}$)(?!\d{12}\.dkr)([a-z0-9]+((\.|__?|-+)[a-z0-9]+)*\/)*[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*$/;

const ROLE_ARN = /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/*?-]+$/;
const ACCOUNT_ID = /^\d{12}$/;
const KEY_ARN = /^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[\w-]+$/;
const POLICY_ARN = /^arn:aws[a-z-]*:iam::(\d{12}|aws):policy\/[\w+=,.@/-]+$/;
/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html */
const ROLE_PATH = /^\/([!-.0-~]+\/)*$/;
/** A role's name has 64 characters; half of them are for what tells one role from another. */
const ROLE_PREFIX = /^[\w+=,.@-]{1,32}$/;

/** https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html */
const PARAMETER_NAME = /^(?!\/([aA][wW][sS]|[sS][sS][mM]))(?=.{2,900}$)(\/[A-Za-z0-9_.-]+){1,15}$/;

/** The retentions that CloudWatch Logs knows, in days. */
const RETENTIONS = (Object.values(RetentionDays) as (number | string)[])
  .filter((days) => typeof days === 'number')
  .filter((days) => RetentionDays[days] !== 'INFINITE');

const RETENTION: Member<RetentionDays> = {
  schema: { enum: [...RETENTIONS, 'infinite'] },
  read: (given, setting) => (given === 'infinite' ? RetentionDays.INFINITE : number({}).read(given, setting)),
};

/** Every setting of the construct, as a settings file has it. */
export const MEMBERS: { readonly [K in keyof EcrDeployProps]-?: Member<NonNullable<EcrDeployProps[K]>> } = {
  passRoles: list(ROLE_ARN),
  clusters: list(CLUSTER_NAME),
  repositories: list(REPOSITORY_NAME),
  trigger: choice<Trigger>(TRIGGERS),
  accounts: list(ACCOUNT_ID),
  imageReference: choice<ImageReference>(IMAGE_REFERENCES),
  stages: STAGES,
  holdParameter: text(PARAMETER_NAME),
  deployLatest: FLAG,
  tagLatest: FLAG,
  scanFamilies: FLAG,
  rolloutTimeout: DURATION_TEXT,
  pollInterval: DURATION_TEXT,
  maxConcurrency: number({ type: 'integer', minimum: 1, maximum: MOST_AT_ONCE }),
  architecture: choice<Architecture>(ARCHITECTURES),
  logRetention: RETENTION,
  removalPolicy: choice<RemovalPolicy>(REMOVAL_POLICIES),
  binaries: text(/./),
  encryptionKey: text(KEY_ARN),
  permissionsBoundary: text(POLICY_ARN),
  rolePath: text(ROLE_PATH),
  rolePrefix: text(ROLE_PREFIX),
};

/** The settings of the functions: `Config` in `functions/ecr-deploy/src/function/config.rs` has the same members. */
const OF_FUNCTIONS = [
  'clusters',
  'repositories',
  'stages',
  'tagLatest',
  'imageReference',
  'scanFamilies',
  'rolloutTimeoutSeconds',
  'pollIntervalSeconds',
] as const satisfies readonly (keyof Settings)[];

/** The name of the environment variable that has them, as JSON. */
const VARIABLE = 'SETTINGS';

/**
 * The most bytes that the environment variables of a function may have together, names and values.
 * https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
const LARGEST_ENVIRONMENT = 4096;

/** The environment of every function: its settings as one JSON document. */
export function environment(scope: Construct, settings: Settings): Record<string, string> {
  return { [VARIABLE]: Stack.of(scope).toJsonString(ofFunctions(settings)) };
}

function ofFunctions(settings: Settings): Record<string, unknown> {
  const stages = settings.stages.map(({ soak, rolloutTimeout, ...stage }) => ({
    ...stage,
    ...(soak && { soakSeconds: soak.toSeconds() }),
    ...(rolloutTimeout && { rolloutTimeoutSeconds: rolloutTimeout.toSeconds() }),
  }));
  const members = OF_FUNCTIONS.map((name) => [name, name === 'stages' ? stages : settings[name]]);
  return Object.fromEntries(members) as Record<string, unknown>;
}

/** Refuses settings for which a function has no room, by the name of the longest. */
function checkSize(settings: Settings): void {
  const bytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
  const room = LARGEST_ENVIRONMENT - VARIABLE.length;
  const all = bytes(ofFunctions(settings));
  if (all > room) {
    const [longest] = [...OF_FUNCTIONS].sort((one, other) => bytes(settings[other]) - bytes(settings[one]));
    const given = settings[longest ?? 'clusters'];
    throw new SettingError(
      longest ?? 'clusters',
      Array.isArray(given) ? `${given.length} entries of ${bytes(given)} bytes together` : given,
      `all settings of a function have ${all} bytes as JSON, and Lambda has room for ${room}; name fewer, ` +
        'leave the setting out for its default, or install a second stack.',
    );
  }
}

/**
 * The checked settings, with the defaults filled in. Values known only at deploy time (tokens) are taken as they are.
 *
 * @throws SettingError for the first setting that cannot be used
 */
export function checkSettings(props: EcrDeployProps): Settings {
  const pollIntervalSeconds = seconds('pollInterval', props.pollInterval ?? Duration.seconds(15), 1, 3600);
  const rolloutTimeoutSeconds = timeout(
    'rolloutTimeout',
    props.rolloutTimeout ?? Duration.minutes(30),
    pollIntervalSeconds,
  );

  const deployLatest = flag('deployLatest', props.deployLatest ?? false);
  const tagLatest = flag('tagLatest', props.tagLatest ?? false);
  if (deployLatest && tagLatest) {
    throw new SettingError(
      'tagLatest',
      true,
      'with deployLatest every push would be deployed twice, once under its own tag and once as latest; ' +
        'turn one of the two off.',
    );
  }

  if (deployLatest && props.stages !== undefined) {
    throw new SettingError(
      'deployLatest',
      true,
      'with stages their tags decide; name latest in the tags of a stage, and leave deployLatest out.',
    );
  }

  const maxConcurrency = props.maxConcurrency ?? 400;
  if (!Number.isInteger(maxConcurrency) || maxConcurrency < 1 || maxConcurrency > MOST_AT_ONCE) {
    throw new SettingError(
      'maxConcurrency',
      maxConcurrency,
      'give a whole number from 1 to 1600: inline Maps of Step Functions run forty at once, here in forty groups.',
    );
  }

  const logRetention = props.logRetention ?? RetentionDays.THREE_MONTHS;
  if (typeof RetentionDays[logRetention] !== 'string') {
    throw new SettingError(
      'logRetention',
      logRetention,
      `give a number of days that CloudWatch Logs knows (${RETENTIONS.join(', ')}), or infinite.`,
    );
  }

  const repositories = names(
    'repositories',
    props.repositories,
    REPOSITORY_NAME,
    'give names of repositories, without the registry and without a tag, such as ["web", "team/worker"]; ' +
      'leave the setting out for every repository.',
  );

  const clusters = names(
    'clusters',
    props.clusters,
    CLUSTER_NAME,
    'give names of clusters, not ARNs: letters, digits, hyphens and underscores, such as ["prod", "staging"]; ' +
      'leave the setting out for every cluster.',
  );

  const stages = checkStages(props.stages ?? allServices(deployLatest), { clusters, repositories, tagLatest });
  for (const [index, { name, rolloutTimeout }] of stages.entries()) {
    if (rolloutTimeout !== undefined) {
      timeout(`stages[${index}] (${name}).rolloutTimeout`, rolloutTimeout, pollIntervalSeconds);
    }
  }

  const settings: Settings = {
    passRoleArns: roleArns(props.passRoles),
    clusters,
    stages,
    ...optional(
      'holdParameter',
      props.holdParameter,
      undefined,
      PARAMETER_NAME,
      'begin it with a slash, such as /app/ecr-deploy/hold: letters, digits and . _ - between slashes, not aws or ssm in front.',
    ),
    tagLatest,
    imageReference: oneOf('imageReference', props.imageReference ?? 'tag', IMAGE_REFERENCES),
    scanFamilies: flag('scanFamilies', props.scanFamilies ?? true),
    rolloutTimeoutSeconds,
    pollIntervalSeconds,
    maxConcurrency,
    trigger: oneOf('trigger', props.trigger ?? 'imageAction', TRIGGERS),
    repositories,
    accounts: names(
      'accounts',
      props.accounts,
      ACCOUNT_ID,
      'give ids of accounts, each of twelve digits in quotes, such as ["123456789012"]; ' +
        'leave the setting out for pushes of this account alone.',
    ),
    architecture: oneOf('architecture', props.architecture ?? 'arm64', ARCHITECTURES),
    logRetention,
    binaries: folder('binaries', props.binaries),
    removalPolicy: oneOf('removalPolicy', props.removalPolicy ?? RemovalPolicy.DESTROY, REMOVAL_POLICIES),
    ...optional('encryptionKey', props.encryptionKey, 'keyArn', KEY_ARN, 'give the ARN of a KMS key, not of an alias.'),
    ...optional(
      'permissionsBoundary',
      props.permissionsBoundary,
      'managedPolicyArn',
      POLICY_ARN,
      'give the ARN of a managed policy, such as arn:aws:iam::123456789012:policy/boundary.',
    ),
    ...optional(
      'rolePath',
      props.rolePath,
      undefined,
      ROLE_PATH,
      'begin and end it with a slash, such as /ecr-deploy/.',
    ),
    ...optional(
      'rolePrefix',
      props.rolePrefix,
      undefined,
      ROLE_PREFIX,
      'give 1 to 32 letters, digits and characters of +=,.@_-, such as app-ecr-deploy-.',
    ),
  };
  checkSize(settings);
  return settings;
}

/** The longest time that a rollout of any stage may take, in seconds: for so long a state tries again. */
export function longestRollout({ rolloutTimeoutSeconds, stages }: Settings): number {
  return Math.max(rolloutTimeoutSeconds, ...stages.map((stage) => stage.rolloutTimeout?.toSeconds() ?? 0));
}

/** Whether an image may get a tag when it is deployed. */
export function tagsImages({ tagLatest, stages }: Settings): boolean {
  return tagLatest || stages.some(({ tagOnSuccess }) => tagOnSuccess !== undefined);
}

/** The seconds that a rollout may take, within what one execution can poll. */
function timeout(setting: string, given: Duration, pollIntervalSeconds: number): number {
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

function folder(setting: keyof EcrDeployProps, given: string | undefined): string | undefined {
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
function optional<K extends 'holdParameter' | 'encryptionKey' | 'permissionsBoundary' | 'rolePath' | 'rolePrefix'>(
  setting: K,
  given: EcrDeployProps[K],
  arn: string | undefined,
  pattern: RegExp,
  fix: string,
): Pick<Settings, K> | object {
  if (given === undefined) {
    return {};
  }
  const isConstruct =
    arn !== undefined && typeof given === 'object' && (given as object | null) !== null && arn in given;
  if (!isConstruct && !Token.isUnresolved(given) && !(typeof given === 'string' && pattern.test(given))) {
    throw new SettingError(setting, given, fix);
  }
  return { [setting]: given };
}

function roleArns(roles: EcrDeployProps['passRoles'] | undefined): string[] {
  const fix =
    'name the task and execution roles of the task definitions that are deployed, each by its ARN, such as ' +
    'arn:aws:iam::123456789012:role/app-*.';
  if (roles === undefined || !Array.isArray(roles) || roles.length === 0) {
    throw new SettingError('passRoles', roles, fix);
  }
  const arns = roles.map((role: unknown) => (isRole(role) ? role.roleArn : role));
  for (const arn of arns) {
    if (!Token.isUnresolved(arn) && !(typeof arn === 'string' && ROLE_ARN.test(arn))) {
      throw new SettingError('passRoles', arn, fix);
    }
  }
  return [...new Set(arns as string[])];
}

function isRole(role: unknown): role is IRole {
  return typeof role === 'object' && role !== null && 'roleArn' in role;
}

/** A list is omitted, for its default, or names something: an empty one may come from a script that found nothing. */
function names(
  setting: keyof EcrDeployProps,
  given: readonly string[] | undefined,
  pattern: RegExp,
  fix: string,
): string[] {
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

function flag(setting: keyof EcrDeployProps, given: boolean): boolean {
  if (typeof given !== 'boolean') {
    throw new SettingError(setting, given, 'give true or false.');
  }
  return given;
}

function oneOf<T extends string>(setting: keyof EcrDeployProps, given: T, choices: readonly T[]): T {
  if (!choices.includes(given)) {
    throw new SettingError(setting, given, `give ${choices.join(' or ')}.`);
  }
  return given;
}

function seconds(setting: string, given: Duration, least: number, most: number): number {
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
