#!/usr/bin/env node
/** The CDK app: one stack, its settings from the context, checked by cdk-nag at every synth. */
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { settingsFromContext } from '../lib/context';
import { SettingError } from '../lib/ecr-deploy';
import { EcrDeployStack } from '../lib/ecr-deploy-stack';

const app = new App();
try {
  new EcrDeployStack(app, 'ecr-deploy', {
    description: 'Deploys images that are pushed to ECR to the ECS services that run them',
    ...settingsFromContext(app.node),
  });
} catch (error) {
  if (!(error instanceof SettingError)) {
    throw error;
  }
  // The message says it all; a stack trace would bury it.
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
