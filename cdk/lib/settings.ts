/**
 * Settings are what an operator decides about ecr-deploy. They come in as the props of {@link EcrDeploy} and are checked
 * once, at synth: a setting that cannot be read is refused with its name, its value and the fix, never defaulted.
 */
import { Duration, type RemovalPolicy } from 'aws-cdk-lib';
import type { IManagedPolicy, IRole } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import {
  architectureOf,
  checkLatest,
  checkRoom,
  checkTold,
  flag,
  folder,
  holdParameter,
  MOST_AT_ONCE,
  MOST_SERVICES,
  names,
  oneOf,
  optional,
  removalPolicy,
  retention,
  roleArns,
  seconds,
  timeout,
  whole,
} from './checks';
import { ImageReference, Trigger } from './choices';
import { ofFunctions, VARIABLE } from './function-settings';
import {
  ACCOUNT_ID,
  CLUSTER_NAME,
  KEY_ARN,
  POLICY_ARN,
  REPOSITORY_NAME,
  ROLE_ARN,
  ROLE_PATH,
  ROLE_PREFIX,
} from './patterns';
import { checkNames } from './props';
import { allServices, checkStages, type Stage } from './stages';
import { checkSweep, type Sweep, type SweepSettings } from './sweep-settings';

/** The settings of ecr-deploy. */
export interface EcrDeployProps {
  /**
   * The IAM roles that deployed task definitions use, as their task role or execution role. ecr-deploy may pass these
   * and no others, and only to ECS tasks. A role, or its ARN; an ARN may hold `*`, such as
   * `arn:aws:iam::123456789012:role/app-*`. A rollback passes the roles of the last good revision: where a new revision
   * has other roles, keep the old ones in the list too, or the service cannot go back.
   */
  readonly passRoles: (IRole | string)[];

  /**
   * Names of the ECS clusters whose services are deployed.
   *
   * @default - every cluster of the account in this region
   */
  readonly clusters?: string[];

  /**
   * Names of the ECR repositories whose pushes are deployed, without the registry and without a tag. Two kinds of pushes are
   * deployed only where their repository is named here: the assets of the AWS CDK
   * (`cdk-<qualifier>-container-assets-<account>-<region>`), and what ECR itself brings in by a pull-through cache or by
   * replication.
   *
   * @default - every repository, without these two kinds of pushes
   */
  readonly repositories?: string[];

  /**
   * The event that starts a deployment. `imageAction` is sent by ECR itself, in every account. `putImage` is recorded
   * by CloudTrail: it tells who pushed, and it arrives only where a trail of the account logs management events. Without
   * such a trail, `putImage` never deploys anything.
   *
   * @default Trigger.IMAGE_ACTION
   */
  readonly trigger?: Trigger;

  /**
   * Other accounts whose pushes are deployed too, by their ids of twelve digits. They have to forward their ECR events to
   * the event bus of this account. The roles of the functions may read the images there; the policies of the repositories
   * have to allow that too, by `ecr:DescribeImages` and `ecr:BatchGetImage` for this account.
   *
   * @default - pushes to this account's registry only
   */
  readonly accounts?: string[];

  /**
   * How a new revision names its image: by `tag`, or by `digest`, which no later push can change.
   *
   * @default ImageReference.TAG
   */
  readonly imageReference?: ImageReference;

  /**
   * The stages: which tags go to which services. Each stage selects services by `clusters`, `services`, `families` and
   * `repositories`, and takes the tags that its `tags` say. The first stage that selects a service owns it. The service's own
   * tag `ecr-deploy:stage` beats that: it is the name of a stage, or `off`. A service with the tag `ecr-deploy:hold` stays as it
   * is: the value is a text for people, or `until 2026-12-24T06:00:00Z` and a text. The summary of a push lists the
   * skipped services, with the stage and the rule. A push whose tag no stage takes [starts nothing](limits.md), as far
   * as the pattern of a rule can tell.
   *
   * @default - one stage, `all`: every service, every tag but `latest`
   */
  readonly stages?: Stage[];

  /**
   * The name of the SSM parameter that holds everything: while it is there, no push changes anything. It begins with a slash.
   * The stack does not make it: an operator does, who wants the hold, and [removes
   * it](operations.md#hold-everything) afterwards. A name that ecr-deploy itself may write is refused.
   *
   * @default - `/ecr-deploy/<stack name>/hold`
   */
  readonly holdParameter?: string;

  /**
   * Deploys pushes of the tag `latest`. It is short for `stages` of one stage `all` that takes every tag.
   * Excludes `tagLatest` and `stages`.
   *
   * @default false
   */
  readonly deployLatest?: boolean;

  /**
   * Gives an image the tag `latest` once every service is stable on it. A push does not give it if it skips a
   * service that a stage would move: the stage does not take the tag, the service is on hold, or a newer push or a
   * higher version runs. Excludes `deployLatest`. The summary of the push says where the tag is not possible: in a
   * repository whose tags are immutable, unless `latest` is an exclusion of the immutability, and in the registry of
   * another account or region.
   *
   * @default false
   */
  readonly tagLatest?: boolean;

  /**
   * Registers a new revision for families that no service runs (scheduled and one-off tasks), too. With
   * `clusters` set, services of other clusters are not read, so their families count as families without a service.
   *
   * @default true
   */
  readonly scanFamilies?: boolean;

  /**
   * How long one rollout may take until it counts as failed and is rolled back, and how long a rollback may take.
   * The waits that ECS plans for a blue/green, linear or canary deployment are added, until it is three days in all.
   * The time during which a rollout waits at a lifecycle hook does not count. At most seven days, and
   * at most 800 times `pollInterval`.
   *
   * @default Duration.minutes(30)
   */
  readonly rolloutTimeout?: Duration;

  /**
   * How long to wait at least between two polls of a rollout, from one second to one hour. It must not exceed the
   * `rolloutTimeout`, nor that of any stage. Each poll reads the service from ECS and costs three state transitions. A
   * rollout that takes long, that waits at a lifecycle hook, or one of many is polled less often.
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
   * The most services that one push may move, in all its waves: 1 to 10000. Who runs many services in one account sets it
   * somewhat above what their largest push moves: then a base image, or a tag that was pushed to the wrong repository, cannot
   * reach every service. A push that would move more fails as a whole before anything is changed, and says how many they are.
   * A plan that is asked for shows them all the same. Families without a service do not count.
   *
   * @default 10000 - more than one execution holds
   */
  readonly maxServices?: number;

  /**
   * The SNS topic that gets one message for each push at its end: who pushed, what, where, how long it took, the link to the
   * execution, and the command that deploys again what failed. `true` makes a topic, encrypted by `encryptionKey` or by a KMS
   * key of its own; else a standard topic of yours in this region, or its ARN. Mail gets the words. Everything else that subscribes gets the card that
   * [Amazon Q Developer in chat applications reads](operations.md#tell-people). The alarms tell the topic, too. An
   * encrypted topic that the CDK made tells its key, which the roles may use then. The key of any other encrypted topic must
   * allow `kms:Decrypt` and `kms:GenerateDataKey*` by its own policy, to `cloudwatch.amazonaws.com` and to the roles of
   * *deploy-image* and *tell-end* by their ARNs: their own policies cannot name a key that is not known.
   *
   * @default - no messages
   */
  readonly notificationTopic?: ITopic | string | boolean;

  /**
   * Makes CloudWatch alarms: a push failed, a push was not started, the end of one was told to nobody, a sweep failed, the
   * dead-letter queue is not empty, a function fails again and again, Lambda throttles a function. AWS asks for $0.10 a month
   * for each of these 18.
   *
   * @default - `true` with a `notificationTopic`
   */
  readonly alarms?: boolean;

  /**
   * Makes a CloudWatch [dashboard](operations.md#see-how-it-goes) of the deliveries. AWS asks for $3 a month from the fourth
   * dashboard of an account on.
   *
   * @default false
   */
  readonly dashboard?: boolean;

  /**
   * Writes the image of each service into [SSM parameters](operations.md#beside-infrastructure-as-code) for infrastructure as
   * code to read, such as `/ecr-deploy/<cluster>/<service>/<container>/image`: when the service is stable, and after a
   * rollback; never by an older push over a newer one.
   *
   * @default false
   */
  readonly parameters?: boolean;

  /**
   * The [sweep](operations.md#find-what-was-missed): again and again it finds the services that run an older image than one
   * that their stage takes, because the event of its push was lost, because it was held, or because somebody's apply put an old
   * image back. It deploys that by an ordinary push, or tells of it. It never deploys what failed on a service before, and
   * nothing against a hold.
   *
   * @default - every hour: `lost` is deployed, `reverted` is reported
   */
  readonly sweep?: Sweep;

  /**
   * The processor of the functions: `arm64` or `x86_64`.
   *
   * @default Architecture.ARM_64
   */
  readonly architecture?: Architecture;

  /**
   * How long the logs of the functions and of the state machines are kept, in days, or `infinite`.
   *
   * @default RetentionDays.THREE_MONTHS - as long as Step Functions keeps an execution's history
   */
  readonly logRetention?: RetentionDays;

  /**
   * A folder with the program of the functions, ready to run: `bootstrap`, or `bootstrap.zip` with `bootstrap` at its
   * top. It is one program for all of them, built for Amazon Linux 2023 and for `architecture`. It is deployed as it is,
   * without what stands beside it, and no Rust is needed.
   *
   * @default - that of the package; in a clone of the repository, cargo-lambda builds it
   */
  readonly binaries?: string;

  /**
   * The fate of the logs and of the dead-letter queue when the stack is deleted: `destroy` or `retain`. The log groups
   * have fixed names. So a stack of the same name can be deployed again only after the retained
   * ones were deleted.
   *
   * @default 'destroy'
   */
  readonly removalPolicy?: RemovalPolicy;

  /**
   * A symmetric KMS key of your own, or its ARN, that encrypts the logs, the dead-letter queue, and the data of the
   * executions. A key that CDK made gets the key policy that it needs. A key given by its ARN must allow by its own
   * policy: `kms:Encrypt*`, `kms:Decrypt*`, `kms:ReEncrypt*`, `kms:GenerateDataKey*` and `kms:Describe*` to
   * `logs.<region>.amazonaws.com`; `kms:Decrypt` and `kms:GenerateDataKey` to `events.amazonaws.com` and
   * `delivery.logs.amazonaws.com`; with `notificationTopic: true` also `kms:Decrypt` and `kms:GenerateDataKey*` to
   * `cloudwatch.amazonaws.com`; and the use by this account's roles.
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
   * The prefix of every role's name, such as `app-ecr-deploy-`: at most 32 characters. The rest of the name tells the
   * stack as far as there is room, what the role is for, and the region. A deployment with named roles needs `CAPABILITY_NAMED_IAM`, which the CDK gives.
   *
   * @default - CloudFormation names the roles
   */
  readonly rolePrefix?: string;
}

/** The props that stand for nothing where they are omitted. */
type Omittable =
  'holdParameter' | 'notificationTopic' | 'encryptionKey' | 'permissionsBoundary' | 'rolePath' | 'rolePrefix';

/** The props that become something else: a list of ARNs, stages, whole seconds. */
type Converted = 'parameters' | 'passRoles' | 'deployLatest' | 'rolloutTimeout' | 'pollInterval' | 'binaries' | 'sweep';

/** The settings after they were checked, with their defaults. An empty list stands for all. */
export interface Settings
  extends Required<Omit<EcrDeployProps, Omittable | Converted>>, Pick<EcrDeployProps, Omittable>, SweepSettings {
  readonly passRoleArns: readonly string[];
  readonly rolloutTimeoutSeconds: number;
  readonly pollIntervalSeconds: number;
  readonly sendsMessages: boolean;
  readonly writesParameters: boolean;
  /** `undefined`: those of the package. */
  readonly binaries: string | undefined;
}

/**
 * The checked settings, with the defaults filled in. Values known only at deploy time (tokens) are taken as they are.
 *
 * @throws SettingError for the first setting that cannot be used
 */
export function checkSettings(given: EcrDeployProps | undefined): Settings {
  const props = checkNames(given);
  const pollIntervalSeconds = seconds('pollInterval', props.pollInterval ?? Duration.seconds(15), 1, 3600);
  const rolloutTimeoutSeconds = timeout(
    'rolloutTimeout',
    props.rolloutTimeout ?? Duration.minutes(30),
    pollIntervalSeconds,
  );

  const deployLatest = flag('deployLatest', props.deployLatest ?? false);
  const tagLatest = flag('tagLatest', props.tagLatest ?? false);
  checkLatest(deployLatest, tagLatest, props.stages);

  const repositories = names('repositories', props.repositories, REPOSITORY_NAME);
  const clusters = names('clusters', props.clusters, CLUSTER_NAME);
  const stages = checkStages(props.stages ?? allServices(deployLatest), { clusters, repositories, tagLatest });
  for (const [index, { name, rolloutTimeout }] of stages.entries()) {
    if (rolloutTimeout !== undefined) {
      timeout(`stages[${index}] (${name}).rolloutTimeout`, rolloutTimeout, pollIntervalSeconds);
    }
  }

  const writesParameters = flag('parameters', props.parameters ?? false);
  const settings: Settings = {
    passRoleArns: roleArns(props.passRoles, ROLE_ARN),
    clusters,
    stages,
    ...holdParameter(props.holdParameter, writesParameters),
    tagLatest,
    imageReference: oneOf('imageReference', props.imageReference ?? ImageReference.TAG, Object.values(ImageReference)),
    scanFamilies: flag('scanFamilies', props.scanFamilies ?? true),
    rolloutTimeoutSeconds,
    pollIntervalSeconds,
    maxConcurrency: whole(
      'maxConcurrency',
      props.maxConcurrency ?? 400,
      MOST_AT_ONCE,
      ': inline Maps of Step Functions run forty at once, here in forty groups',
    ),
    maxServices: whole('maxServices', props.maxServices ?? MOST_SERVICES, MOST_SERVICES),
    ...checkTold(props),
    writesParameters,
    ...checkSweep(props.sweep),
    trigger: oneOf('trigger', props.trigger ?? Trigger.IMAGE_ACTION, Object.values(Trigger)),
    repositories,
    accounts: names('accounts', props.accounts, ACCOUNT_ID),
    architecture: architectureOf('architecture', props.architecture ?? Architecture.ARM_64),
    logRetention: retention('logRetention', props.logRetention ?? RetentionDays.THREE_MONTHS),
    binaries: folder('binaries', props.binaries),
    removalPolicy: removalPolicy(props.removalPolicy),
    ...optional('encryptionKey', props.encryptionKey, KEY_ARN, 'keyArn'),
    ...optional('permissionsBoundary', props.permissionsBoundary, POLICY_ARN, 'managedPolicyArn'),
    ...optional('rolePath', props.rolePath, ROLE_PATH),
    ...optional('rolePrefix', props.rolePrefix, ROLE_PREFIX),
  };
  checkRoom(VARIABLE, ofFunctions(settings));
  return settings;
}
