/** A CDK app with ecr-deploy in a stack of its own, beside a stack that makes what services need. */
import { App, Duration, RemovalPolicy, Stack, type StackProps } from "aws-cdk-lib";
import { ContainerImage, FargateTaskDefinition } from "aws-cdk-lib/aws-ecs";
import { ManagedPolicy, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { StringParameter } from "aws-cdk-lib/aws-ssm";
import type { Construct } from "constructs";
import { EcrDeploy, ImageReference } from "ecr-deploy";

/** Stands for the stacks with your clusters and services. */
class Services extends Stack {
  readonly taskRole: Role;
  readonly executionRole: Role;

  constructor(scope: Construct, id: string, props?: StackProps) {
    super(scope, id, props);
    const assumedBy = new ServicePrincipal("ecs-tasks.amazonaws.com");
    this.taskRole = new Role(this, "TaskRole", { assumedBy });
    // Fargate pulls an image of ECR by this role. The CDK makes none for an image that it knows by a text alone.
    this.executionRole = new Role(this, "ExecutionRole", {
      assumedBy,
      managedPolicies: [ManagedPolicy.fromAwsManagedPolicyName("service-role/AmazonECSTaskExecutionRolePolicy")],
    });
    const { taskRole, executionRole } = this;
    const web = new FargateTaskDefinition(this, "Web", { family: "web", taskRole, executionRole });
    // The image that ecr-deploy has deployed last: a deployment of this stack keeps it. CloudFormation reads it, so write the
    // first one by hand before: aws ssm put-parameter --name … --type String --value <registry>/shop/web:v1
    const image = StringParameter.valueForStringParameter(this, "/ecr-deploy/production/web/app/image");
    web.addContainer("app", { image: ContainerImage.fromRegistry(image) });
    // ecr-deploy may have to go back to a revision that a later deployment replaces.
    web.applyRemovalPolicy(RemovalPolicy.RETAIN);
  }
}

/** ecr-deploy, with messages and alarms. */
class Deployments extends Stack {
  constructor(scope: Construct, id: string, services: Services, props?: StackProps) {
    super(scope, id, props);
    new EcrDeploy(this, "EcrDeploy", {
      // Roles of the app, and by their ARNs those that it does not make.
      passRoles: [services.taskRole, services.executionRole, `arn:aws:iam::${this.account}:role/app-*`],
      clusters: ["staging", "production"],
      parameters: true,
      // A topic with one message for each push, and alarms that tell it too: subscribe to it who shall hear of them.
      notificationTopic: true,
      stages: [
        { name: "previews", services: ["preview-*"], tags: ["pr-*"] },
        { name: "staging", clusters: ["staging"], tags: ["semver:>=1.0.0"], imageReference: ImageReference.DIGEST },
        {
          name: "production",
          clusters: ["production"],
          tags: ["semver:>=1.0.0"],
          after: "staging",
          soak: Duration.minutes(15),
          rolloutTimeout: Duration.hours(1),
          imageReference: ImageReference.DIGEST,
        },
      ],
    });
  }
}

const app = new App();
new Deployments(app, "deployments", new Services(app, "services"));
