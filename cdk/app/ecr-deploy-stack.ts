import { Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { EcrDeploy } from '../lib/ecr-deploy';
import { settingsOf } from '../lib/props';
import { checkSettings, type EcrDeployProps } from '../lib/settings';
import { builtFunctions } from './functions';

/** The stack's properties: the settings of ecr-deploy, and those that every stack takes. */
export type EcrDeployStackProps = Omit<StackProps, 'permissionsBoundary'> & EcrDeployProps;

/** The stack that holds ecr-deploy. */
export class EcrDeployStack extends Stack {
  readonly ecrDeploy: EcrDeploy;

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
  }
}
