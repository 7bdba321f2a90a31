/** A CDK app with ecr-deploy in a stack of its own, beside a stack that makes what services need. */
import { App, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { Alarm, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import { EcrDeploy } from 'ecr-deploy/dist/lib/ecr-deploy';

/** Stands for the stacks with your clusters and services. */
class Services extends Stack {
  readonly taskRole: Role;

  constructor(scope: Construct, id: string, props?: StackProps) {
    super(scope, id, props);
    this.taskRole = new Role(this, 'TaskRole', { assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com') });
  }
}

/** ecr-deploy, and an alarm on pushes that failed. */
class Deployments extends Stack {
  constructor(scope: Construct, id: string, services: Services, props?: StackProps) {
    super(scope, id, props);
    const ecrDeploy = new EcrDeploy(this, 'EcrDeploy', {
      // Roles of the app, and by their ARNs those that it does not make.
      passRoles: [services.taskRole, `arn:aws:iam::${this.account}:role/ecsTaskExecutionRole`],
      clusters: ['staging', 'production'],
      stages: [
        { name: 'previews', services: ['preview-*'], tags: ['pr-*'] },
        { name: 'staging', clusters: ['staging'], tags: ['semver:>=1.0.0'], imageReference: 'digest' },
        {
          name: 'production',
          clusters: ['production'],
          tags: ['semver:>=1.0.0'],
          after: 'staging',
          soak: Duration.minutes(15),
          rolloutTimeout: Duration.hours(1),
          imageReference: 'digest',
        },
      ],
    });
    // One execution of deploy-image for each push: give the alarm an action to hear of it.
    new Alarm(this, 'PushFailed', {
      alarmDescription: 'A push to ECR did not reach every service, or was rolled back',
      metric: ecrDeploy.deployImage.metricFailed({ period: Duration.minutes(1) }),
      threshold: 1,
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
    new Alarm(this, 'EventLost', {
      alarmDescription: 'The event of a push could not start an execution',
      metric: ecrDeploy.deadLetterQueue.metricApproximateNumberOfMessagesVisible({ period: Duration.minutes(1) }),
      threshold: 1,
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
  }
}

const app = new App();
new Deployments(app, 'deployments', new Services(app, 'services'));
