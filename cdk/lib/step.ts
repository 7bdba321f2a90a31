/**
 * A step is one Lambda function of ecr-deploy, the package of the same name in `functions/`, with a role and a log group
 * of its own.
 */
import { Duration, Stack } from 'aws-cdk-lib';
import { PolicyStatement, Role } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Function as LambdaFunction, LoggingFormat, Runtime, Tracing, type Version } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { functionCode } from './binaries';
import { KEEP } from './checks';
import { environment } from './function-settings';
import { grant, only, type Permission, WRITE_TRACES } from './permission';
import type { StepResources } from './resources';
import type { Settings } from './settings';
import { VERSION } from './version';

/** The properties by which steps differ. */
export interface StepProps {
  /** The package of the function, and its handler: by that the program of all functions knows which one to serve. */
  readonly package: string;
  /** Its purpose, in the words of an operator. */
  readonly description: string;
  readonly settings: Settings;
  readonly encryptionKey?: IKey;
  readonly permissions: readonly Permission[];
  /** @default 128 */
  readonly memorySize?: number;
  /** @default Duration.minutes(5) */
  readonly timeout?: Duration;
}

/** One Lambda function with its role and its log group. */
export class Step extends Construct implements StepResources {
  readonly function: LambdaFunction;
  /**
   * The function as this deployment of the stack has it. The state machines name it, so that an execution under way, and
   * the redrive of an old one, meet the code and the settings they began with.
   * https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html
   */
  readonly version: Version;
  readonly role: Role;
  readonly logGroup: LogGroup;
  /** The package of the function. */
  readonly package: string;

  constructor(scope: Construct, id: string, props: StepProps) {
    super(scope, id);
    const { settings } = props;
    this.package = props.package;

    this.logGroup = new LogGroup(this, 'Logs', {
      logGroupName: `/ecr-deploy/${Stack.of(this).stackName}/${props.package}`,
      retention: settings.logRetention,
      removalPolicy: settings.removalPolicy,
      ...(props.encryptionKey && { encryptionKey: props.encryptionKey }),
    });

    this.role = new Role(this, 'Role', {
      // The function's name is made by CloudFormation, after the role.
      assumedBy: only('lambda', 'function:*'),
      description: `ecr-deploy, ${props.package}: ${props.description}`,
    });
    // Written out because AWSLambdaBasicExecutionRole would allow every log group of the account.
    this.role.addToPolicy(
      new PolicyStatement({
        sid: 'WriteLogs',
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        resources: [this.logGroup.logGroupArn],
      }),
    );
    grant(this.role, props.permissions, [WRITE_TRACES]);

    this.function = new LambdaFunction(this, 'Function', {
      runtime: Runtime.PROVIDED_AL2023,
      handler: props.package,
      code: functionCode(settings),
      description: `${props.description} (ecr-deploy ${VERSION})`,
      // An execution can be redriven for 14 days after its end. CloudFormation would delete the version at the next deployment.
      currentVersionOptions: { removalPolicy: KEEP },
      architecture: settings.architecture,
      memorySize: props.memorySize ?? 128,
      timeout: props.timeout ?? Duration.minutes(5),
      tracing: Tracing.ACTIVE,
      loggingFormat: LoggingFormat.JSON,
      logGroup: this.logGroup,
      role: this.role,
      environment: environment(this, settings),
    });
    this.version = this.function.currentVersion;
  }
}
