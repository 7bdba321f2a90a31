/** The state machine that finds missed pushes, its step, and the rule that starts it again and again. */
import { Aws, Duration } from 'aws-cdk-lib';
import { Rule, RuleTargetInput, Schedule } from 'aws-cdk-lib/aws-events';
import { SfnStateMachine } from 'aws-cdk-lib/aws-events-targets';
import { Role } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import { only } from './permission';
import * as permissions from './permissions';
import type { Settings } from './settings';
import { Step } from './step';
import { VERSION } from './version';
import { Workflow } from './workflow';

/** The resources that it reads, and that it starts. */
export interface SweepProps {
  readonly findMissedPushes: Step;
  readonly push: StateMachine;
  readonly deployImage: StateMachine;
  readonly holdParameter: string;
  readonly settings: Settings;
  readonly encryptionKey?: IKey;
}

/** Makes its step. */
export function stepOfSweep(scope: Construct, settings: Settings, key: { readonly encryptionKey?: IKey }): Step {
  return new Step(scope, 'FindMissedPushes', {
    package: 'find-missed-pushes',
    description: 'Finds the services that run an older image than one that their stage takes',
    settings,
    ...key,
    permissions: permissions.findMissedPushes(settings),
    // As find-task-definitions. It reads more slowly, and when it is repeated it goes on where it was.
    memorySize: 256,
    timeout: Duration.minutes(15),
  });
}

/** Makes the state machine, and the rule where the settings want one. */
export function sweep(scope: Construct, props: SweepProps): Workflow {
  const { findMissedPushes, push, deployImage, holdParameter, settings, ...key } = props;
  const workflow = new Workflow(scope, 'Sweep', {
    definition: 'sweep',
    steps: { findMissedPushes },
    substitutions: {
      partition: Aws.PARTITION,
      version: VERSION,
      push: push.stateMachineArn,
      deployImage: deployImage.stateMachineArn,
      hold: holdParameter,
    },
    // It may start push, as the rule of the pushes may.
    permissions: [
      permissions.readHold(holdParameter),
      permissions.tell(),
      permissions.startExecution({ arn: push.stateMachineArn }),
    ],
    settings,
    ...key,
  });
  if (settings.sweepEvery !== undefined) {
    const role = new Role(scope, 'SweepRole', {
      assumedBy: only('events', 'rule/*'),
      description: 'ecr-deploy, the rule that starts sweep',
    });
    new Rule(scope, 'Swept', {
      description: 'Starts sweep again and again',
      schedule: Schedule.rate(settings.sweepEvery),
      // One that is late is none: the next one finds the same.
      targets: [
        new SfnStateMachine(workflow.stateMachine, {
          role,
          input: RuleTargetInput.fromObject({}),
          maxEventAge: Duration.minutes(1),
          retryAttempts: 3,
        }),
      ],
    });
  }
  return workflow;
}
