import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { EcrDeploy } from '../lib/ecr-deploy';
import { settingsOf } from '../lib/props';
import type { StepResources } from '../lib/resources';
import { checkSettings, type EcrDeployProps } from '../lib/settings';
import { builtFunctions } from './functions';

/** The stack's properties: the settings of ecr-deploy, and those that every stack takes. */
export type EcrDeployStackProps = Omit<StackProps, 'permissionsBoundary'> & EcrDeployProps;

/** The stack that holds ecr-deploy. Its outputs tell where the state machines, the logs and the dead-letter queue are. */
export class EcrDeployStack extends Stack {
  readonly ecrDeploy: EcrDeploy;

  // eslint-disable-next-line max-lines-per-function -- a table: one output after the other
  constructor(scope: Construct, id: string, props: EcrDeployStackProps) {
    // The boundary is the construct's own: it is that of every role that is made, whatever a stack would do with it.
    const { permissionsBoundary, ...stackProps } = props;
    super(scope, id, stackProps);
    const settings = {
      ...settingsOf(stackProps),
      ...(permissionsBoundary !== undefined && { permissionsBoundary }),
    };
    this.ecrDeploy = new EcrDeploy(this, 'EcrDeploy', {
      ...settings,
      // Settings that cannot be used are found before minutes are spent on a build.
      binaries: props.binaries ?? builtFunctions(this, checkSettings(settings).architecture),
    });

    new CfnOutput(this, 'PushArn', {
      description: 'The state machine that starts an execution of deploy-image for each push',
      value: this.ecrDeploy.push.stateMachineArn,
    });
    new CfnOutput(this, 'DeployImageArn', {
      description: 'The state machine with one execution for each push',
      value: this.ecrDeploy.deployImage.stateMachineArn,
    });
    new CfnOutput(this, 'WhatIsDeployed', {
      description: 'Which pushes move which services',
      value: this.ecrDeploy.whatIsDeployed,
    });
    new CfnOutput(this, 'HoldParameter', {
      description: 'The SSM parameter that keeps everything as it is, while it is there',
      value: this.ecrDeploy.holdParameter,
    });
    new CfnOutput(this, 'DeployServiceArn', {
      description: 'The state machine with one execution for each service of a push',
      value: this.ecrDeploy.deployService.stateMachineArn,
    });
    new CfnOutput(this, 'DeadLetterQueueUrl', {
      description: 'The queue of the events that could not start an execution',
      value: this.ecrDeploy.deadLetterQueue.queueUrl,
    });
    new CfnOutput(this, 'ReadersPolicyArn', {
      description: 'The managed policy for people who read with the command ecr-deploy',
      value: this.ecrDeploy.access.readers.managedPolicyArn,
    });
    new CfnOutput(this, 'OperatorsPolicyArn', {
      description: 'The managed policy, beside the one for readers, for people who act with the command ecr-deploy',
      value: this.ecrDeploy.access.operators.managedPolicyArn,
    });
    new CfnOutput(this, 'PushLogs', {
      description: 'The log group of the state machine push',
      value: this.ecrDeploy.logs.push.logGroupName,
    });
    new CfnOutput(this, 'DeployImageLogs', {
      description: 'The log group of the state machine deploy-image',
      value: this.ecrDeploy.logs.deployImage.logGroupName,
    });
    new CfnOutput(this, 'DeployServiceLogs', {
      description: 'The log group of the state machine deploy-service',
      value: this.ecrDeploy.logs.deployService.logGroupName,
    });
    new CfnOutput(this, 'TellEndLogs', {
      description: 'The log group of the state machine tell-end',
      value: this.ecrDeploy.logs.tellEnd.logGroupName,
    });
    new CfnOutput(this, 'SweepArn', {
      description: 'The state machine that finds the pushes which services have missed',
      value: this.ecrDeploy.sweep.stateMachineArn,
    });
    new CfnOutput(this, 'SweepLogs', {
      description: 'The log group of the state machine sweep',
      value: this.ecrDeploy.logs.sweep.logGroupName,
    });
    if (this.ecrDeploy.topic !== undefined) {
      new CfnOutput(this, 'TopicArn', {
        description: 'The topic that gets a message for each push',
        value: this.ecrDeploy.topic.topicArn,
      });
    }
    for (const [step, { function: lambda, logGroup }] of Object.entries<StepResources>({ ...this.ecrDeploy.steps })) {
      const name = `${step.charAt(0).toUpperCase()}${step.slice(1)}`;
      new CfnOutput(this, `${name}Function`, {
        description: `The function of the step ${name}`,
        value: lambda.functionName,
      });
      new CfnOutput(this, `${name}Logs`, {
        description: `The log group of the step ${name}`,
        value: logGroup.logGroupName,
      });
    }
  }
}
