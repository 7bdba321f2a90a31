/**
 * The outputs of the stack, which the pages and the command name: where the state machines, the logs, the policies and the
 * dead-letter queue are. They are the construct's own, so an app of one's own has them too, whatever it calls the construct.
 */
import { CfnOutput } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import type { EcrDeploy } from './ecr-deploy';
import type { StateMachineLogs, StepResources } from './resources';

/** The outputs of the stack that holds `ecrDeploy`. A stack holds one, so each has its name and nothing beside it. */
export class Outputs extends Construct {
  constructor(ecrDeploy: EcrDeploy) {
    super(ecrDeploy, 'Outputs');
    for (const [name, value, description] of [...parts(ecrDeploy), ...logs(ecrDeploy.logs)]) {
      this.output(name, value, description);
    }
    if (ecrDeploy.topic !== undefined) {
      this.output('TopicArn', ecrDeploy.topic.topicArn, 'The topic that gets a message for each push');
    }
    for (const [step, { function: lambda, logGroup }] of Object.entries<StepResources>({ ...ecrDeploy.steps })) {
      const name = upper(step);
      this.output(`${name}Function`, lambda.functionName, `The function of the step ${name}`);
      this.output(`${name}Logs`, logGroup.logGroupName, `The log group of the step ${name}`);
    }
  }

  private output(name: string, value: string, description: string): void {
    new CfnOutput(this, name, { description, value }).overrideLogicalId(name);
  }
}

type Output = readonly [name: string, value: string, description: string];

function parts({ push, deployImage, deployService, sweep, access, ...ecrDeploy }: EcrDeploy): Output[] {
  return [
    ['PushArn', push.stateMachineArn, 'The state machine that starts an execution of deploy-image for each push'],
    ['DeployImageArn', deployImage.stateMachineArn, 'The state machine with one execution for each push'],
    ['WhatIsDeployed', ecrDeploy.whatIsDeployed, 'Which pushes move which services'],
    ['HoldParameter', ecrDeploy.holdParameter, 'The SSM parameter that keeps everything as it is, while it is there'],
    [
      'DeployServiceArn',
      deployService.stateMachineArn,
      'The state machine with one execution for each service of a push',
    ],
    ['SweepArn', sweep.stateMachineArn, 'The state machine that finds the pushes which services have missed'],
    [
      'DeadLetterQueueUrl',
      ecrDeploy.deadLetterQueue.queueUrl,
      'The queue of the events that could not start an execution',
    ],
    [
      'ReadersPolicyArn',
      access.readers.managedPolicyArn,
      'The managed policy for people who read with the command ecr-deploy',
    ],
    [
      'OperatorsPolicyArn',
      access.operators.managedPolicyArn,
      'The managed policy, beside the one for readers, for people who act with the command ecr-deploy',
    ],
  ];
}

function logs(groups: StateMachineLogs): Output[] {
  return (['push', 'deployImage', 'deployService', 'tellEnd', 'sweep'] as const).map((machine) => {
    const name = machine.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return [`${upper(machine)}Logs`, groups[machine].logGroupName, `The log group of the state machine ${name}`];
  });
}

function upper(name: string): string {
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}
