/**
 * The construct of ecr-deploy: for a push to ECR the state machine push starts deploy-image, which moves every ECS service
 * that runs the image's repository to it, each by an execution of deploy-service.
 */
import { Annotations, Aws, Duration, Stack, Validations } from 'aws-cdk-lib';
import { type EventPattern, Match, Rule } from 'aws-cdk-lib/aws-events';
import { SfnStateMachine } from 'aws-cdk-lib/aws-events-targets';
import { Policy, Role } from 'aws-cdk-lib/aws-iam';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { Access } from './access';
import { Alarms } from './alarms';
import { Trigger } from './choices';
import { Dashboard } from './dashboard';
import { usableKey } from './encryption-key';
import { ofFunctions } from './function-settings';
import { checkAlone, installationParameter, tellInstallation, withRoom } from './installation';
import { messages, NO_TOPIC } from './messages';
import { Outputs } from './outputs';
import { isEveryRole, only, statement } from './permission';
import * as permissions from './permissions';
import { checkPolicySizes, keepPoliciesWhole } from './policy-size';
import { saveQuery } from './query-of-push';
import type { CommandPolicies, StateMachineLogs, Steps } from './resources';
import { nameRoles } from './roles';
import { SettingError } from './setting';
import { inOneLine } from './stages';
import { checkSettings, type EcrDeployProps, type Settings } from './settings';
import { Step } from './step';
import { stepOfSweep, sweep } from './sweep';
import { tagFilter } from './tag-filter';
import { tellEnds } from './tell-end';
import { VERSION } from './version';
import { Workflow } from './workflow';

/**
 * Deploys what is pushed to ECR, in this account and region. A setting that cannot be used is an error, which names the setting,
 * its value and the fix. The outputs of the stack, such as `DeployImageArn`, tell where everything is.
 */
export class EcrDeploy extends Construct {
  /** Runs once for each event that EventBridge delivers, and starts {@link deployImage} for it, unless it came before. */
  readonly push: StateMachine;
  /** Runs once for each push. Its input is the event that EventBridge delivered. */
  readonly deployImage: StateMachine;
  /** Runs once for each service that a push is deployed to, started by {@link deployImage}. */
  readonly deployService: StateMachine;
  /** The events that could not start an execution. */
  readonly deadLetterQueue: Queue;
  /** The steps, each with its function, its role and its log group. */
  readonly steps: Steps;
  /** Which tags move the services of which stage, in one line. */
  readonly whatIsDeployed: string;

  /** The name of the SSM parameter that keeps everything as it is, while it is there. The construct does not make it. */
  readonly holdParameter: string;

  /** The managed policies for people who use the command `ecr-deploy`. */
  readonly access: CommandPolicies;

  /** Runs once for each push that could not tell its own end: it was stopped, or a step failed that nothing follows. */
  readonly tellEnd: StateMachine;
  /** Finds the pushes that services have missed, and starts {@link push} for them or tells of them. */
  readonly sweep: StateMachine;
  /** The topic that gets a message for each push, where the settings name one. */
  readonly topic: ITopic | undefined;

  /** The log groups of the state machines. */
  readonly logs: StateMachineLogs;

  /**
   * Makes all resources of an installation.
   *
   * @param scope the stack or the construct that holds it
   * @param id its name there
   * @param props its settings
   */
  // eslint-disable-next-line max-lines-per-function -- a table: one resource after the other
  constructor(scope: Construct, id: string, props: EcrDeployProps) {
    super(scope, id);
    const settings = checkSettings(props);
    checkAlone(this);
    this.whatIsDeployed = inOneLine(settings.stages);
    // Not a resource: with any change of one, be it a tag of the stack, CloudFormation would write the template's value again.
    this.holdParameter = settings.holdParameter ?? `/ecr-deploy/${Stack.of(this).stackName}/hold`;
    keepPoliciesWhole(this);
    for (const role of settings.passRoleArns.filter(isEveryRole)) {
      Annotations.of(this).addWarningV2(
        'ecr-deploy:passRoles',
        `passRoles holds ${role}: who may push an image may then run it with any role of the account that ECS tasks can ` +
          'have. Name the roles of the task definitions that are deployed, such as arn:aws:iam::123456789012:role/app-*.',
      );
    }
    const key = usableKey(this, settings);

    const findTaskDefinitions = new Step(this, 'FindTaskDefinitions', {
      package: 'find-task-definitions',
      description: 'Finds the task definitions in use that run the pushed image, and their services',
      settings,
      ...key,
      permissions: permissions.findTaskDefinitions(settings),
      // For its share of the processor, which Lambda gives by memory: it alone reads the whole account. It needs 17 MB for
      // 10,000 services.
      memorySize: 256,
      timeout: Duration.minutes(15),
    });
    const registerRevision = new Step(this, 'RegisterRevision', {
      package: 'register-revision',
      description: 'Registers a revision of a task definition that runs the pushed image',
      settings,
      ...key,
      permissions: permissions.registerRevision(settings),
    });
    const updateService = new Step(this, 'UpdateService', {
      package: 'update-service',
      description: 'Starts the rollout of a revision on a service, or says why not',
      settings,
      ...key,
      permissions: permissions.updateService(settings),
    });
    const checkStability = new Step(this, 'CheckStability', {
      package: 'check-stability',
      description: 'Reads a rollout once: stable, in progress, failed or superseded',
      settings,
      ...key,
      permissions: permissions.checkStability(settings),
    });
    const rollBack = new Step(this, 'RollBack', {
      package: 'roll-back',
      description: 'Takes a service back to its last good revision',
      settings,
      ...key,
      permissions: permissions.rollBack(settings),
    });
    const conclude = new Step(this, 'Conclude', {
      package: 'conclude',
      description: 'Ends an execution: succeeds, or fails with the services and their reasons',
      settings,
      ...key,
      permissions: [],
    });
    const findMissedPushes = stepOfSweep(this, settings, key);
    const steps = {
      findTaskDefinitions,
      registerRevision,
      updateService,
      checkStability,
      rollBack,
      conclude,
      findMissedPushes,
    };
    this.steps = steps;

    const told = messages(this, settings, key.encryptionKey);
    this.topic = told?.topic;
    const deployService = new Workflow(this, 'DeployService', {
      definition: 'deploy-service',
      steps: { registerRevision, updateService, checkStability, rollBack, conclude },
      substitutions: { partition: Aws.PARTITION, version: VERSION },
      permissions: [permissions.tell(), ...(settings.writesParameters ? permissions.writeParameters(settings) : [])],
      settings,
      ...key,
    });
    this.deployService = deployService.stateMachine;

    const child = { arn: this.deployService.stateMachineArn, name: this.deployService.stateMachineName };
    const versionOfChild = deployService.publish();
    const deployImage = new Workflow(this, 'DeployImage', {
      definition: 'deploy-image',
      steps: { findTaskDefinitions, registerRevision, checkStability, conclude },
      substitutions: {
        partition: Aws.PARTITION,
        version: VERSION,
        deployService: versionOfChild.attrArn,
        hold: this.holdParameter,
        topic: told?.topic.topicArn ?? NO_TOPIC,
        ...atOnce(settings.maxConcurrency),
      },
      permissions: [
        permissions.readHold(this.holdParameter),
        permissions.tell(),
        ...(told === undefined ? [] : permissions.sendMessage(told)),
        ...permissions.runExecution(child),
        ...(permissions.tagsImages(settings) ? permissions.tagOnSuccess(settings) : []),
      ],
      settings,
      ...key,
    });
    this.deployImage = deployImage.stateMachine;

    const push = new Workflow(this, 'PushMachine', {
      definition: 'push',
      steps: {},
      substitutions: { partition: Aws.PARTITION, deployImage: this.deployImage.stateMachineArn },
      // It may start deploy-image, and nothing else: what it starts it does not follow.
      permissions: [permissions.startExecution({ arn: this.deployImage.stateMachineArn })],
      settings,
      ...key,
    });
    this.push = push.stateMachine;

    // Policies of their own: the functions come after the policies in their roles, and the state machines after the functions.
    new Policy(this, 'CountServices', {
      roles: [updateService.role, checkStability.role, rollBack.role],
      statements: [statement(permissions.countExecutions(this.deployService))],
    });
    new Policy(this, 'CountPushes', {
      roles: [findTaskDefinitions.role, findMissedPushes.role],
      statements: [statement(permissions.countExecutions(this.deployImage))],
    });

    this.deadLetterQueue = new Queue(this, 'DeadLetterQueue', {
      ...('encryptionKey' in key
        ? { encryption: QueueEncryption.KMS, encryptionMasterKey: key.encryptionKey }
        : { encryption: QueueEncryption.SQS_MANAGED }),
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
      removalPolicy: settings.removalPolicy,
    });
    Validations.of(this.deadLetterQueue).acknowledge({
      id: 'AwsSolutions-SQS3',
      reason: 'It is itself the dead-letter queue, of the rule Push.',
    });

    const role = new Role(this, 'PushRole', {
      assumedBy: only('events', 'rule/*'),
      description: 'ecr-deploy, the rules that start push',
    });
    // The first rule keeps the name that it has in stacks of today.
    for (const [place, eventPattern] of pushPatterns(settings).entries()) {
      new Rule(this, place === 0 ? 'Push' : `Push${place + 1}`, {
        description: 'Starts push for each image that is pushed to ECR',
        eventPattern,
        targets: [
          // No input: the execution gets the whole event. A late delivery is safe, as a newer push is never overridden.
          new SfnStateMachine(this.push, {
            role,
            deadLetterQueue: this.deadLetterQueue,
            maxEventAge: Duration.hours(24),
            retryAttempts: 185,
          }),
        ],
      });
    }

    const tellEnd = tellEnds(this, { conclude, settings, deployImage: this.deployImage, told, ...key });
    this.tellEnd = tellEnd.stateMachine;
    const swept = sweep(this, {
      findMissedPushes,
      push: this.push,
      deployImage: this.deployImage,
      holdParameter: this.holdParameter,
      settings,
      ...key,
    });
    this.sweep = swept.stateMachine;
    const logs = {
      push: push.logGroup,
      deployImage: deployImage.logGroup,
      deployService: deployService.logGroup,
      tellEnd: tellEnd.logGroup,
      sweep: swept.logGroup,
    };
    this.logs = logs;

    saveQuery(this, [...Object.values(logs), ...Object.values(steps).map(({ logGroup }) => logGroup)]);
    const alarms = settings.alarms ? new Alarms(this, 'Alarms', this).alarms : [];
    if (settings.dashboard) {
      new Dashboard(this, 'Dashboard', {
        deployImage: this.deployImage,
        deployService: this.deployService,
        conclude,
        alarms,
      });
    }

    tellInstallation(this, {
      push: this.push.stateMachineArn,
      deployImage: this.deployImage.stateMachineArn,
      deployService: this.deployService.stateMachineArn,
      sweep: this.sweep.stateMachineArn,
      holdParameter: this.holdParameter,
      deadLetterQueueUrl: this.deadLetterQueue.queueUrl,
      trigger: settings.trigger,
      ...withRoom(settings.passRoleArns),
      settings: ofFunctions(settings),
    });
    this.access = new Access(this, 'Access', {
      push: this.push,
      deployImage: this.deployImage,
      deployService: this.deployService,
      sweep: this.sweep,
      installationParameter: installationParameter(this),
      holdParameter: this.holdParameter,
      ...key,
    });
    new Outputs(this);

    checkPolicySizes(this, settings);
    nameRoles(this, settings);
  }
}

/** The most iterations of an inline Map at once: https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html */
const MAP_AT_ONCE = 40;

/** How many groups are worked on at once, and how many of each, so that it is `maxConcurrency` together, or hardly more. */
function atOnce(maxConcurrency: number): { groups: string; atOnce: string } {
  const groups = Math.ceil(maxConcurrency / MAP_AT_ONCE);
  return { groups: String(groups), atOnce: String(Math.ceil(maxConcurrency / groups)) };
}

/** The most characters of an event pattern: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html */
const LONGEST_PATTERN = 2048;

/** The patterns of the rules: one, or several that share the named repositories where one would be too long. */
function pushPatterns(settings: Settings): EventPattern[] {
  const groups: string[][] = [[]];
  for (const repository of settings.repositories) {
    const last = groups[groups.length - 1] ?? [];
    if (last.length > 0 && length(pushPattern(settings, [...last, repository])) > LONGEST_PATTERN) {
      groups.push([repository]);
    } else {
      last.push(repository);
    }
  }
  const patterns = groups.map((repositories) => pushPattern(settings, repositories));
  const longest = Math.max(...patterns.map(length));
  if (longest > LONGEST_PATTERN) {
    throw new SettingError(
      'accounts',
      `${settings.accounts.length} ids`,
      `the pattern of a rule would have ${longest} characters, and EventBridge has room for ${LONGEST_PATTERN}; ` +
        'name fewer accounts, only those that push.',
    );
  }
  return patterns;
}

/** The characters of a pattern. An account or a region that is known only when it is deployed is shorter than its token. */
function length(pattern: EventPattern): number {
  return JSON.stringify(pattern).length;
}

/** The configs of what is pushed besides images. An image has one of two others, so this never keeps an image out. */
const ARTIFACTS = [
  'application/vnd.buildkit.cacheconfig.v0',
  'application/vnd.cncf.helm.config.v1+json',
  'application/vnd.cncf.notary.signature',
  'application/vnd.dev.cosign.artifact.sig.v1+json',
  'application/vnd.dev.sigstore.bundle.v0.3+json',
];

/**
 * The events that are pushes, to `repositories` or, if there are none, to any. It keeps out what is certainly no image, and
 * what certainly no stage takes; what a pattern cannot tell, find-task-definitions tells from an image.
 * https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html
 */
function pushPattern({ trigger, accounts, stages }: Settings, repositories: readonly string[]): EventPattern {
  // An account that may put events on this bus could put any: its own are delivered with its own id.
  const account = [Aws.ACCOUNT_ID, ...accounts];
  const tags = tagFilter(stages, trigger);
  const named = repositories.length === 0 ? undefined : [...repositories];
  switch (trigger) {
    case Trigger.PUT_IMAGE:
      return {
        source: ['aws.ecr'],
        account,
        detailType: ['AWS API Call via CloudTrail'],
        detail: {
          eventSource: ['ecr.amazonaws.com'],
          eventName: ['PutImage'],
          // A refused push is recorded too, with its error.
          errorCode: Match.doesNotExist(),
          requestParameters: {
            // An untagged push is one of the parts of an image that gets its tag by a push of its own.
            imageTag: tags === undefined ? Match.exists() : [...tags],
            ...(named && { repositoryName: named }),
          },
        },
      };
    case Trigger.IMAGE_ACTION:
      return {
        source: ['aws.ecr'],
        account,
        detailType: ['ECR Image Action'],
        detail: {
          'action-type': ['PUSH'],
          result: ['SUCCESS'],
          // An untagged push is one of the parts of an image that gets its tag by a push of its own.
          'image-tag': tags === undefined ? Match.anythingBut('') : [...tags],
          'artifact-media-type': [{ exists: false }, { 'anything-but': ARTIFACTS }],
          ...(named && { 'repository-name': named }),
        },
      };
  }
}
