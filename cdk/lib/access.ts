/**
 * Who may use the command `ecr-deploy`: a managed policy for whoever reads, and one beside it for whoever acts. They are for
 * people, and no role of the stack has one.
 */
import { Aws } from 'aws-cdk-lib';
import { ManagedPolicy } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import { acknowledgeWildcards, arn, type Permission, statement } from './permission';
import type { CommandPolicies } from './resources';

/** A state machine, as far as a policy names it. */
interface Machine {
  readonly stateMachineArn: string;
  readonly stateMachineName: string;
}

/** The resources that the policies name. */
export interface AccessProps {
  readonly push: Machine;
  readonly deployImage: Machine;
  readonly deployService: Machine;
  readonly sweep: Machine;
  readonly installationParameter: string;
  readonly holdParameter: string;
  /** The key by which the data of the executions are encrypted, where it is the customer's. */
  readonly encryptionKey?: IKey;
}

/** The two managed policies. */
export class Access extends Construct implements CommandPolicies {
  readonly readers: ManagedPolicy;
  readonly operators: ManagedPolicy;

  constructor(scope: Construct, id: string, props: AccessProps) {
    super(scope, id);
    this.readers = this.policy('Readers', 'reads what is deployed, and what came of pushes', readers(props));
    this.operators = this.policy(
      'Operators',
      'starts, redrives and holds; beside the policy for readers',
      operators(props),
    );
  }

  private policy(id: string, description: string, permissions: readonly Permission[]): ManagedPolicy {
    const policy = new ManagedPolicy(this, id, {
      description: `ecr-deploy, the command: ${description}`,
      statements: permissions.map(statement),
    });
    acknowledgeWildcards(policy, permissions);
    return policy;
  }
}

/** history, why, status and doctor. Nothing is limited to some clusters or repositories: it is all reads. */
function readers({ deployImage, deployService, ...props }: AccessProps): Permission[] {
  return [
    {
      sid: 'ReadInstallation',
      actions: ['ssm:GetParameters'],
      // The second says whether everything is on hold.
      resources: [props.installationParameter, props.holdParameter].map(parameter),
    },
    {
      sid: 'ReadBootstrap',
      // The version of the CDK's bootstrap stack, which doctor tells of.
      actions: ['ssm:GetParameters'],
      resources: [parameter('/cdk-bootstrap/hnb659fds/version')],
    },
    {
      sid: 'ListExecutions',
      actions: ['states:ListExecutions'],
      resources: [deployImage.stateMachineArn, deployService.stateMachineArn],
    },
    {
      sid: 'ReadExecutions',
      actions: ['states:DescribeExecution', 'states:GetExecutionHistory'],
      resources: [deployImage, deployService].map(executions),
      wildcard: 'An execution gets its name when it starts.',
    },
    ...decrypt(props.encryptionKey, [deployImage, deployService]),
    {
      sid: 'ListServices',
      actions: ['ecs:ListClusters', 'ecs:ListServices', 'ecs:DescribeTaskDefinition'],
      resources: ['*'],
      wildcard: 'These calls have no resource.',
    },
    {
      sid: 'DescribeServices',
      actions: ['ecs:DescribeServices'],
      resources: [arn('ecs', 'service/*')],
      wildcard: 'Services are found while it runs.',
    },
    {
      sid: 'ReadHooks',
      // They tell whether a rollout waits at a lifecycle hook for a person.
      actions: ['ecs:ListServiceDeployments', 'ecs:DescribeServiceDeployments'],
      resources: [arn('ecs', 'service/*'), arn('ecs', 'service-deployment/*')],
      wildcard: 'Services are found while it runs.',
    },
    {
      sid: 'ReadGoodRevisions',
      // The last good revision, to which a service can be taken back.
      actions: ['ecs:DescribeServiceRevisions'],
      resources: [arn('ecs', 'service/*'), arn('ecs', 'service-revision/*')],
      wildcard: 'Services are found while it runs.',
    },
    {
      sid: 'DescribeImages',
      // The images that a service runs, those that are newer, and one that somebody names; whether tags can be pushed over.
      actions: ['ecr:DescribeImages', 'ecr:DescribeRepositories'],
      resources: [arn('ecr', 'repository/*')],
      wildcard: 'Repositories are found while it runs.',
    },
    ...surroundings(),
  ];
}

/** The rest of the account, of which doctor tells what a push depends on. */
function surroundings(): Permission[] {
  return [
    {
      sid: 'ListSchedules',
      // Schedules and rules that run a certain revision, which no push moves.
      actions: ['scheduler:ListSchedules', 'events:ListRuleNamesByTarget'],
      resources: ['*'],
      wildcard: 'These calls have no resource.',
    },
    {
      sid: 'ReadSchedules',
      actions: ['scheduler:GetSchedule'],
      resources: [arn('scheduler', 'schedule/*')],
      wildcard: 'Schedules are found while it runs.',
    },
    {
      sid: 'ReadRules',
      actions: ['events:ListTargetsByRule'],
      resources: [arn('events', 'rule/*')],
      wildcard: 'Rules are found while it runs.',
    },
    {
      sid: 'ListTrails',
      // With the trigger putImage no push arrives without a trail.
      actions: ['cloudtrail:DescribeTrails'],
      resources: ['*'],
      wildcard: 'This call has no resource.',
    },
    {
      sid: 'ReadTrails',
      // A trail of several regions is in the first of them, and one of an organization in the account that manages it.
      actions: ['cloudtrail:GetTrailStatus', 'cloudtrail:GetEventSelectors'],
      resources: [`arn:${Aws.PARTITION}:cloudtrail:*:*:trail/*`],
      wildcard: 'Trails are found while it runs, and may be in another region or account.',
    },
    {
      sid: 'ReadQuotas',
      // Functions at once and state transitions: a push waits for them.
      actions: ['servicequotas:ListServiceQuotas'],
      resources: ['*'],
      wildcard: 'This call has no resource.',
    },
  ];
}

/** plan, deploy, retry, sweep, hold, unhold, rollback, continue and cancel. */
function operators({
  push,
  deployImage,
  deployService,
  sweep,
  holdParameter,
  encryptionKey,
}: AccessProps): Permission[] {
  return [
    {
      sid: 'StartPush',
      // deploy-image is started alone to ask for a plan. Whoever may start it may deploy.
      actions: ['states:StartExecution'],
      resources: [push.stateMachineArn, deployImage.stateMachineArn],
    },
    {
      sid: 'StartRollback',
      // deploy-service is started alone to take a service back.
      actions: ['states:StartExecution'],
      resources: [deployService.stateMachineArn],
    },
    {
      sid: 'Sweep',
      actions: ['states:StartExecution'],
      resources: [sweep.stateMachineArn],
    },
    {
      sid: 'FindPush',
      // The output of the first names the execution that has the push, that of the second what was missed.
      actions: ['states:DescribeExecution'],
      resources: [push, sweep].map(executions),
      wildcard: 'An execution gets its name when it starts.',
    },
    ...decrypt(encryptionKey, [push, sweep]),
    {
      sid: 'RetryPush',
      actions: ['states:RedriveExecution'],
      resources: [executions(deployImage)],
      wildcard: 'An execution gets its name when it starts.',
    },
    {
      sid: 'HoldService',
      // The tag of a service that holds it, and no other tag.
      actions: ['ecs:TagResource', 'ecs:UntagResource'],
      resources: [arn('ecs', 'service/*')],
      conditions: { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['ecr-deploy:hold'] } },
      wildcard: 'Services are found while it runs.',
    },
    {
      sid: 'AnswerHook',
      // It continues a rollout that waits, or takes it back. It begins none.
      actions: ['ecs:ContinueServiceDeployment'],
      resources: [arn('ecs', 'service/*'), arn('ecs', 'service-deployment/*')],
      wildcard: 'Services are found while it runs.',
    },
    {
      sid: 'HoldEverything',
      actions: ['ssm:PutParameter', 'ssm:DeleteParameter'],
      resources: [parameter(holdParameter)],
    },
  ];
}

/**
 * The key of the executions of some state machines: Step Functions decrypts what it answers in the name of who asks.
 * https://docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html
 */
function decrypt(key: IKey | undefined, machines: readonly Machine[]): Permission[] {
  // An execution may be of a version, whose number comes behind the ARN.
  const arns = machines.flatMap(({ stateMachineArn }) => [stateMachineArn, `${stateMachineArn}:*`]);
  return key === undefined
    ? []
    : [
        {
          sid: 'DecryptExecutions',
          actions: ['kms:Decrypt'],
          resources: [key.keyArn],
          conditions: { ArnLike: { 'kms:EncryptionContext:aws:states:stateMachineArn': arns } },
        },
      ];
}

function executions({ stateMachineName }: Machine): string {
  return arn('states', `execution:${stateMachineName}:*`);
}

function parameter(name: string): string {
  return arn('ssm', `parameter${name}`);
}
