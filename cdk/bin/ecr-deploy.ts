#!/usr/bin/env node
/** The CDK app: one stack, its settings from `ecr-deploy.json`, checked by cdk-nag at every synth. */
import { Annotations, App, Stack, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { EcrDeployStack } from '../app/ecr-deploy-stack';
import { readSettings, SETTINGS_FILE } from '../app/settings-file';
import { SettingError } from '../lib/setting';

const app = new App();
try {
  const settings = readSettings(app.node);
  if (settings === undefined) {
    // `cdk bootstrap` is the first command, and it synthesizes the app. This stack lets it pass and cannot be deployed. It has
    // a name of its own, so that it never stands for one that is there.
    Annotations.of(new Stack(app, 'ecr-deploy-without-settings')).addError(
      `There is no ${SETTINGS_FILE} yet. Copy ecr-deploy.example.json to ${SETTINGS_FILE}, name your roles in it, and run the command again.`,
    );
  } else {
    new EcrDeployStack(app, settings.stackName, {
      description: 'Deploys images that are pushed to ECR to the ECS services that run them',
      ...settings.props,
    });
  }
} catch (error) {
  if (!(error instanceof SettingError)) {
    throw error;
  }
  // The message says it all; a stack trace would bury it.
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
