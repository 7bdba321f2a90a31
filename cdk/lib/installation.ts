/**
 * The first thing that the command `ecr-deploy` reads: one SSM parameter, found by the name of the stack. It names all
 * resources, and the settings by which the functions decide. Who may read it needs no right to describe stacks.
 */
import { Stack } from 'aws-cdk-lib';
import { CfnParameter, ParameterTier, StringParameter } from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import { SettingError } from './setting';

/** The name of the parameter, in the stack of the construct. */
export function installationParameter(construct: Construct): string {
  return `/ecr-deploy/${Stack.of(construct).stackName}/installation`;
}

/** The contents of the parameter. `cli/src/installation.rs` reads them, and refuses a member that it does not know. */
export interface Installation {
  readonly push: string;
  readonly deployImage: string;
  readonly deployService: string;
  readonly sweep: string;
  readonly holdParameter: string;
  readonly deadLetterQueueUrl: string;
  readonly trigger: string;
  /** Omitted where they would not fit: the parameter takes 8,192 characters, and the settings may have 4,096 of them. */
  readonly passRoles?: readonly string[];
  /** Those of every function. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** So many characters of `passRoles` fit beside everything else. */
const ROOM_FOR_ROLES = 2500;
/** The ARN of a role of the app itself is known only when it is deployed: it is taken to have so many. */
const LENGTH_OF_ARN = 90;

/** The roles, as far as the parameter has room for them: all, or none. */
export function withRoom(passRoles: readonly string[]): Pick<Installation, 'passRoles'> {
  const lengths = passRoles.map(({ length }) => Math.max(length, LENGTH_OF_ARN));
  return lengths.reduce((sum, length) => sum + length, 0) > ROOM_FOR_ROLES ? {} : { passRoles };
}

/**
 * Refuses a second installation in a stack: the names of its log groups and of this parameter would be those of the first one.
 *
 * @throws SettingError for the second one
 */
export function checkAlone(construct: Construct): void {
  const { node, stackName } = Stack.of(construct);
  const parameters = node.findAll().filter((other) => other instanceof CfnParameter);
  const first = parameters.find(({ name }) => name === installationParameter(construct));
  if (first !== undefined) {
    throw new SettingError(
      'id',
      construct.node.id,
      `the stack ${stackName} holds an installation already, ` +
        `${first.node.path.replace(/\/[^/]+\/[^/]+$/, '')}, and one stack holds one; put this one into a second stack.`,
    );
  }
}

/** Makes the parameter. */
export function tellInstallation(construct: Construct, installation: Installation): void {
  new StringParameter(construct, 'Installation', {
    parameterName: installationParameter(construct),
    // Of a nested stack CloudFormation makes the name, so the CDK cannot see that it begins with a slash.
    simpleName: false,
    description: 'ecr-deploy: where its state machines are, and its settings, for the command of the same name',
    stringValue: Stack.of(construct).toJsonString(installation),
    // Free up to 4,096 characters; the settings alone may have nearly as many.
    tier: ParameterTier.INTELLIGENT_TIERING,
  });
}
