/** The state machine that tells how a push ended which could not tell it itself, and the rule that starts it. */
import { Aws, Duration } from 'aws-cdk-lib';
import { Rule } from 'aws-cdk-lib/aws-events';
import { SfnStateMachine } from 'aws-cdk-lib/aws-events-targets';
import { Role } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import { type Messages, NO_TOPIC } from './messages';
import { only } from './permission';
import * as permissions from './permissions';
import type { Settings } from './settings';
import type { Step } from './step';
import { VERSION } from './version';
import { Workflow } from './workflow';

/** Its push, and whom it tells. */
export interface TellEndProps {
  readonly deployImage: StateMachine;
  readonly conclude: Step;
  readonly settings: Settings;
  /** `undefined`: nobody wants messages. */
  readonly told: Messages | undefined;
  readonly encryptionKey?: IKey;
}

/** The error that an execution of deploy-image ends with after it has told its end. */
const TOLD = 'Deploy.ServicesFailed';

/**
 * Makes both. EventBridge tells of every end of an execution, and tries for a day to start the state machine. An end that
 * starts none by then is told to nobody. That is no dead letter: the execution itself is red for all to see.
 * https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
 */
export function tellEnds(scope: Construct, { deployImage, conclude, settings, told, ...key }: TellEndProps): Workflow {
  const workflow = new Workflow(scope, 'TellEnd', {
    definition: 'tell-end',
    steps: { conclude },
    substitutions: { partition: Aws.PARTITION, version: VERSION, topic: told?.topic.topicArn ?? NO_TOPIC },
    permissions: [
      permissions.tell(),
      permissions.readExecutions({ name: deployImage.stateMachineName }),
      ...(told === undefined ? [] : permissions.sendMessage(told)),
    ],
    settings,
    ...key,
  });
  const role = new Role(scope, 'TellEndRole', {
    assumedBy: only('events', 'rule/*'),
    description: 'ecr-deploy, the rule that starts tell-end',
  });
  new Rule(scope, 'Ended', {
    description: 'Starts tell-end for each execution of deploy-image that ended without telling it',
    eventPattern: {
      source: ['aws.states'],
      detailType: ['Step Functions Execution Status Change'],
      detail: {
        stateMachineArn: [deployImage.stateMachineArn],
        ...ends(key.encryptionKey),
      },
    },
    targets: [
      new SfnStateMachine(workflow.stateMachine, { role, maxEventAge: Duration.hours(24), retryAttempts: 185 }),
    ],
  });
  return workflow;
}

/**
 * The members by which an end is one to be told. Of an execution whose data are encrypted by a key of the customer's, the
 * event does not tell the error: the state machine reads it then.
 * https://docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html
 */
function ends(key: IKey | undefined): Readonly<Record<string, unknown>> {
  return key === undefined
    ? {
        $or: [
          { status: ['ABORTED', 'TIMED_OUT'] },
          { status: ['FAILED'], error: [{ 'anything-but': [TOLD] }] },
          { status: ['FAILED'], error: [{ exists: false }] },
        ],
      }
    : { status: ['ABORTED', 'TIMED_OUT', 'FAILED'] };
}
