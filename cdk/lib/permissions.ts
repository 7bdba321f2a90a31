/**
 * The permissions of each role. Each step gets the calls it makes and no others, on the narrowest
 * resource that AWS can check:
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html
 */
import { Aws } from 'aws-cdk-lib';
import { ANY_REGION, describeImages, readManifest } from './image-permissions';
import type { Messages } from './messages';
import { arn, type Permission } from './permission';
import type { Settings } from './settings';

export { tagOnSuccess, tagsImages } from './image-permissions';

/** find-task-definitions: what runs in the clusters, and what no service runs. */
export function findTaskDefinitions(settings: Settings): Permission[] {
  return [
    ...listServices(settings),
    describeServices(settings),
    readTaskDefinitions(settings.scanFamilies ? ['ecs:ListTaskDefinitionFamilies'] : []),
    // Where the event of a push does not tell whether it is an image.
    describeImages(settings, ANY_REGION),
  ];
}

/** find-missed-pushes: what runs and what was deployed there before, and the images that there are. */
export function findMissedPushes(settings: Settings): Permission[] {
  return [
    ...listServices(settings),
    ...readRollouts(settings, ['ecs:ListTaskDefinitions']),
    describeImages(settings, ANY_REGION),
  ];
}

/** register-revision: a copy of a task definition with another image, unless the family has that one already. */
export function registerRevision(settings: Settings): Permission[] {
  return [readTaskDefinitions(['ecs:ListTaskDefinitions']), ...registerTaskDefinition(), passRole(settings)];
}

/** update-service: starts a rollout, after a read of what runs. After a redrive the image may not be there any more. */
export function updateService(settings: Settings): Permission[] {
  return [
    ...readRollouts(settings),
    ...readTasks(settings),
    startRollout(settings),
    passRole(settings),
    describeImages(settings, Aws.REGION),
  ];
}

/** check-stability: one read of a rollout, at its tasks, and at which images the pushed one lists. */
export function checkStability(settings: Settings): Permission[] {
  return [...readRollouts(settings), readHooks(settings), ...readTasks(settings), readManifest(settings)];
}

/** roll-back: ends the rollout or starts one of the last good revision. register-revision registers for it. */
export function rollBack(settings: Settings): Permission[] {
  return [
    ...readRollouts(settings),
    ...readTasks(settings),
    ...stopRollout(settings),
    startRollout(settings),
    passRole(settings),
    describeImages(settings, Aws.REGION),
  ];
}

/** The state machine that reads whether everything is on hold, by a call of Step Functions itself. */
export function readHold(parameter: string): Permission {
  return { sid: 'ReadHold', actions: ['ssm:GetParameters'], resources: [arn('ssm', `parameter${parameter}`)] };
}

/** A state machine that tells others what comes of a push, by events that say who sends them. */
export function tell(): Permission {
  return {
    sid: 'Tell',
    actions: ['events:PutEvents'],
    resources: [arn('events', 'event-bus/default')],
    conditions: { StringEquals: { 'events:source': 'ecr-deploy' } },
  };
}

/**
 * A state machine that tells the image of each service by SSM parameters. Their names have four parts behind the first one:
 * it can write neither the parameter of the hold nor the one of the installation, which have fewer.
 */
export function writeParameters({ clusters }: Settings): Permission[] {
  const each = clusters.length === 0 ? ['*'] : clusters;
  const wildcard = 'Services are found while it runs; the configured clusters, if any, limit them.';
  return [
    {
      sid: 'ReadWriter',
      actions: ['ssm:GetParameters'],
      resources: each.map((cluster) => arn('ssm', `parameter/ecr-deploy/${cluster}/*/*/push`)),
      wildcard,
    },
    {
      sid: 'WriteParameters',
      actions: ['ssm:PutParameter'],
      resources: each.map((cluster) => arn('ssm', `parameter/ecr-deploy/${cluster}/*/*/*`)),
      wildcard,
    },
  ];
}

/** A state machine that sends people a message at the end of a push. SNS encrypts it in the name of who sends it. */
export function sendMessage({ topic, key }: Messages): Permission[] {
  const send = { sid: 'SendMessage', actions: ['sns:Publish'], resources: [topic.topicArn] };
  const encrypt = (keyArn: string) => ({
    sid: 'EncryptMessage',
    actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
    resources: [keyArn],
    conditions: { StringEquals: { 'kms:ViaService': `sns.${Aws.REGION}.amazonaws.com` } },
  });
  return [send, ...(key === undefined ? [] : [encrypt(key.keyArn)])];
}

/** A state machine that starts another one. */
export function startExecution(child: { readonly arn: string }): Permission {
  return { sid: 'StartExecution', actions: ['states:StartExecution'], resources: [child.arn] };
}

/**
 * A state machine that starts a version of another one and waits for it.
 * https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html
 */
export function runExecution(child: { readonly arn: string; readonly name: string }): Permission[] {
  return [
    // Step Functions asks for the ARN without the version, whichever version is started.
    // https://docs.aws.amazon.com/step-functions/latest/dg/auth-version-alias.html
    startExecution(child),
    {
      sid: 'FollowExecution',
      actions: ['states:DescribeExecution', 'states:StopExecution'],
      resources: [arn('states', `execution:${child.name}:*`)],
      wildcard: 'An execution gets its name when it starts.',
    },
    {
      sid: 'WaitForExecution',
      actions: ['events:PutTargets', 'events:PutRule', 'events:DescribeRule'],
      resources: [arn('events', 'rule/StepFunctionsGetEventsForStepFunctionsExecutionRule')],
    },
  ];
}

/** A state machine that reads how the executions of another one ended, where the event of an end does not tell it. */
export function readExecutions({ name }: { readonly name: string }): Permission {
  return {
    sid: 'ReadExecutions',
    actions: ['states:DescribeExecution'],
    resources: [arn('states', `execution:${name}:*`)],
    wildcard: 'An execution gets its name when it starts.',
  };
}

/**
 * How many executions run. Of deploy-service: how many services are waited for, for the steps that read one. Of
 * deploy-image: how many pushes search at the same time, for find-task-definitions; and which pushes came, for
 * find-missed-pushes.
 */
export function countExecutions({ stateMachineArn }: { readonly stateMachineArn: string }): Permission {
  return { sid: 'CountExecutions', actions: ['states:ListExecutions'], resources: [stateMachineArn] };
}

/**
 * A state machine whose data are encrypted by the customer's key, and which starts another one like it.
 * https://docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html
 */
export function useKey(keyArn: string): Permission[] {
  return [
    {
      sid: 'EncryptExecutions',
      actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
      resources: [keyArn],
      conditions: {
        ArnLike: { 'kms:EncryptionContext:aws:states:stateMachineArn': arn('states', 'stateMachine:*') },
      },
    },
    {
      sid: 'EncryptLogs',
      actions: ['kms:GenerateDataKey'],
      resources: [keyArn],
      // The star is part of the value.
      conditions: { StringEquals: { 'kms:EncryptionContext:SourceArn': arn('logs', '*') } },
    },
  ];
}

/** The tasks of a service. */
function readTasks(settings: Settings): Permission[] {
  return [
    {
      sid: 'ListTasks',
      actions: ['ecs:ListTasks'],
      resources: ['*'],
      ...inClusters(settings),
      wildcard:
        'ecs:ListTasks is checked against container instances, which Fargate tasks do not have; ' +
        'the condition limits it to the configured clusters, if any.',
    },
    {
      sid: 'DescribeTasks',
      actions: ['ecs:DescribeTasks'],
      resources: inEachCluster(settings, 'task'),
      wildcard: 'Tasks come and go; the configured clusters, if any, limit them.',
    },
  ];
}

/** The clusters and their services, by their names. */
function listServices(settings: Settings): Permission[] {
  const listClusters: Permission = {
    sid: 'ListClusters',
    actions: ['ecs:ListClusters'],
    resources: ['*'],
    wildcard: 'ecs:ListClusters has no resource.',
  };
  return [
    ...(settings.clusters.length === 0 ? [listClusters] : []),
    {
      sid: 'ListServices',
      actions: ['ecs:ListServices'],
      resources: ['*'],
      ...inClusters(settings),
      wildcard: 'ecs:ListServices has no resource; the condition limits it to the configured clusters, if any.',
    },
  ];
}

/** A service, its rollouts and the task definitions they are of. */
function readRollouts(settings: Settings, moreOfTaskDefinitions: readonly string[] = []): Permission[] {
  return [
    describeServices(settings),
    {
      sid: 'ListServiceDeployments',
      actions: ['ecs:ListServiceDeployments'],
      resources: inEachCluster(settings, 'service'),
      wildcard: 'Services are found while it runs; the configured clusters, if any, limit them.',
    },
    {
      sid: 'DescribeServiceRevisions',
      actions: ['ecs:DescribeServiceRevisions'],
      resources: [...inEachCluster(settings, 'service'), ...inEachCluster(settings, 'service-revision')],
      wildcard: 'Rollouts come and go; the configured clusters, if any, limit them.',
    },
    readTaskDefinitions(moreOfTaskDefinitions),
  ];
}

/** The lifecycle hooks that a rollout waits at. To continue it is up to somebody else. */
function readHooks(settings: Settings): Permission {
  return {
    sid: 'DescribeServiceDeployments',
    actions: ['ecs:DescribeServiceDeployments'],
    resources: [...inEachCluster(settings, 'service'), ...inEachCluster(settings, 'service-deployment')],
    wildcard: 'Rollouts come and go; the configured clusters, if any, limit them.',
  };
}

function startRollout(settings: Settings): Permission {
  return {
    sid: 'UpdateService',
    actions: ['ecs:UpdateService'],
    resources: inEachCluster(settings, 'service'),
    ...ofStages(settings),
    wildcard: 'Services are found while it runs; the configured clusters, if any, limit them.',
  };
}

/**
 * The end of a rollout. Where only services with a tag may be changed, the statement is two: AWS knows no tags of what belongs
 * to a service.
 */
function stopRollout(settings: Settings): Permission[] {
  const stop = {
    sid: 'StopServiceDeployment',
    actions: ['ecs:StopServiceDeployment'],
    wildcard: 'Rollouts come and go; the configured clusters, if any, limit them.',
  };
  const [services, deployments] = [inEachCluster(settings, 'service'), inEachCluster(settings, 'service-deployment')];
  const limits = ofStages(settings);
  return limits.conditions === undefined
    ? [{ ...stop, resources: [...services, ...deployments] }]
    : [
        { ...stop, resources: services, ...limits },
        { ...stop, sid: 'StopDeploymentOfService', resources: deployments },
      ];
}

/**
 * Where every stage is opt-in, nothing else is changed than services whose own tag names one. Where a stage selects by
 * names, its services need no tag, and nothing is limited.
 */
function ofStages({ stages }: Settings): Pick<Permission, 'conditions'> {
  return stages.every(({ optIn }) => optIn === true)
    ? { conditions: { StringEquals: { 'aws:ResourceTag/ecr-deploy:stage': stages.map(({ name }) => name) } } }
    : {};
}

/**
 * The roles of the revision that is registered, or that a service is moved to. AWS checks an UpdateService that names a
 * task definition for them, too; of its references only the one for programs says so:
 * https://servicereference.us-east-1.amazonaws.com/v1/ecs/ecs.json
 */
function passRole({ passRoleArns }: Settings): Permission {
  return {
    sid: 'PassRole',
    actions: ['iam:PassRole'],
    resources: passRoleArns,
    conditions: { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
    wildcard: 'Given so by the setting passRoles.',
  };
}

function describeServices(settings: Settings): Permission {
  return {
    sid: 'DescribeServices',
    actions: ['ecs:DescribeServices'],
    resources: inEachCluster(settings, 'service'),
    wildcard: 'Services are found while it runs; the configured clusters, if any, limit them.',
  };
}

function readTaskDefinitions(more: readonly string[] = []): Permission {
  return {
    sid: 'ReadTaskDefinitions',
    actions: ['ecs:DescribeTaskDefinition', ...more],
    resources: ['*'],
    wildcard: 'Reading task definitions has no resource.',
  };
}

/** A new revision. None is ever deregistered: that call has neither a resource nor a condition key. */
function registerTaskDefinition(): Permission[] {
  const anyRevision = [arn('ecs', 'task-definition/*:*')];
  const wildcard = 'Families are found while it runs, and a revision gets its number when it is registered.';
  return [
    {
      sid: 'RegisterTaskDefinition',
      actions: ['ecs:RegisterTaskDefinition'],
      resources: anyRevision,
      wildcard,
    },
    {
      sid: 'TagNewRevision',
      actions: ['ecs:TagResource'],
      resources: anyRevision,
      conditions: { StringEquals: { 'ecs:CreateAction': 'RegisterTaskDefinition' } },
      wildcard,
    },
  ];
}

/** The resources of one type in the configured clusters. Without clusters, those with short ARNs are included. */
function inEachCluster({ clusters }: Settings, type: 'service' | 'service-deployment' | 'service-revision' | 'task') {
  return clusters.length === 0
    ? [arn('ecs', `${type}/*`)]
    : clusters.map((cluster) => arn('ecs', `${type}/${cluster}/*`));
}

/** For actions that have no resource in a cluster. */
function inClusters({ clusters }: Settings): Pick<Permission, 'conditions'> {
  return clusters.length === 0
    ? {}
    : { conditions: { ArnEquals: { 'ecs:cluster': clusters.map((cluster) => arn('ecs', `cluster/${cluster}`)) } } };
}
