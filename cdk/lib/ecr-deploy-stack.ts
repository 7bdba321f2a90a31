import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { EcrDeploy, type EcrDeployProps } from './ecr-deploy';

/** The stack that holds ecr-deploy, and tells where its state machines and its dead-letter queue are. */
export class EcrDeployStack extends Stack {
  readonly ecrDeploy: EcrDeploy;

  constructor(scope: Construct, id: string, props: StackProps & EcrDeployProps) {
    super(scope, id, props);
    this.ecrDeploy = new EcrDeploy(this, 'EcrDeploy', props);

    new CfnOutput(this, 'DeployImageArn', {
      description: 'The state machine with one execution for each push',
      value: this.ecrDeploy.deployImage.stateMachineArn,
    });
    new CfnOutput(this, 'WhatIsDeployed', {
      description: 'Which pushes move which services',
      value:
        'Every tag that is pushed goes to every service that runs its repository, pr-123 and dev too; ' +
        'only latest needs the setting deployLatest.',
    });
    new CfnOutput(this, 'DeployServiceArn', {
      description: 'The state machine with one execution for each service of a push',
      value: this.ecrDeploy.deployService.stateMachineArn,
    });
    new CfnOutput(this, 'DeadLetterQueueUrl', {
      description: 'The queue of the events that could not start an execution',
      value: this.ecrDeploy.deadLetterQueue.queueUrl,
    });
  }
}
