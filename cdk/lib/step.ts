/**
 * A step is one Lambda function of ecr-deploy, the package of the same name in `functions/`, with a role and a log group
 * of its own.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  Code,
  type FunctionOptions,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { RustFunction } from 'cargo-lambda-cdk';
import { Construct } from 'constructs';
import { acknowledgeWildcards, grant, type Permission } from './permissions';
import { REPOSITORY_ROOT } from './repository-root';
import { SettingError, type Settings } from './settings';

/** What makes one step different from another. */
export interface StepProps {
  /** The package of the function, which is also the name of its binary. */
  readonly package: string;
  /** What it does, in the words of an operator. */
  readonly description: string;
  readonly settings: Settings;
  readonly permissions: readonly Permission[];
  /** @default 128 */
  readonly memorySize?: number;
  /** @default Duration.minutes(5) */
  readonly timeout?: Duration;
}

/** One Lambda function with its role and its log group. */
export class Step extends Construct {
  readonly function: LambdaFunction;
  readonly role: Role;

  constructor(scope: Construct, id: string, props: StepProps) {
    super(scope, id);
    const { settings } = props;

    // Logs go with the stack: a group that stayed behind would be found by nobody under its generated name.
    const logGroup = new LogGroup(this, 'Logs', {
      retention: settings.logRetention,
      removalPolicy: RemovalPolicy.DESTROY,
    });

    this.role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: `ecr-deploy, ${props.package}: ${props.description}`,
    });
    // Written out because AWSLambdaBasicExecutionRole would allow every log group of the account.
    this.role.addToPolicy(
      new PolicyStatement({
        sid: 'WriteLogs',
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        resources: [logGroup.logGroupArn],
      }),
    );
    acknowledgeWildcards(this.role, ['*'], 'X-Ray has no resource for the traces that a function sends.');
    grant(this.role, props.permissions);

    const options: FunctionOptions = {
      description: props.description,
      architecture: settings.architecture === 'arm64' ? Architecture.ARM_64 : Architecture.X86_64,
      memorySize: props.memorySize ?? 128,
      timeout: props.timeout ?? Duration.minutes(5),
      tracing: Tracing.ACTIVE,
      loggingFormat: LoggingFormat.JSON,
      logGroup,
      role: this.role,
      environment: {
        CLUSTERS: settings.clusters.join(','),
        REPOSITORIES: settings.repositories.join(','),
        DEPLOY_LATEST: String(settings.deployLatest),
        TAG_LATEST: String(settings.tagLatest),
        IMAGE_REFERENCE: settings.imageReference,
        SCAN_FAMILIES: String(settings.scanFamilies),
        ROLLOUT_TIMEOUT_SECONDS: String(settings.rolloutTimeoutSeconds),
        POLL_INTERVAL_SECONDS: String(settings.pollIntervalSeconds),
      },
    };
    this.function =
      settings.binaries === undefined
        ? new RustFunction(this, 'Function', {
            ...options,
            manifestPath: join(REPOSITORY_ROOT, 'Cargo.toml'),
            binaryName: props.package,
            bundling: { profile: 'release', cargoLambdaFlags: ['--locked'] },
          })
        : new LambdaFunction(this, 'Function', {
            ...options,
            runtime: Runtime.PROVIDED_AL2023,
            handler: 'bootstrap',
            code: ready(settings.binaries, props.package),
          });
  }
}

/** A function that is built already. */
function ready(binaries: string, name: string): Code {
  if (!existsSync(join(binaries, name, 'bootstrap'))) {
    throw new SettingError('binaries', binaries, `it has no file ${name}/bootstrap.`);
  }
  return Code.fromAsset(join(binaries, name));
}
