/**
 * A workflow is one of the two state machines, written in `statemachine/<name>.asl.json`, with a role and a log group of
 * its own.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Names, RemovalPolicy } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { DefinitionBody, LogLevel, StateMachine, StateMachineType } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { acknowledgeWildcards, grant, type Permission } from './permissions';
import { patient } from './patience';
import { REPOSITORY_ROOT } from './repository-root';
import type { Step } from './step';

/** What makes one workflow different from the other. */
export interface WorkflowProps {
  /** The file in `statemachine/`, without its ending. */
  readonly definition: string;
  /** The steps it invokes, by the name of the placeholder that stands for each in the definition. */
  readonly steps: Readonly<Record<string, Step>>;
  /** What else the definition has placeholders for. */
  readonly substitutions: Readonly<Record<string, string>>;
  readonly permissions: readonly Permission[];
  readonly logRetention: RetentionDays;
  /** For how long a state tries again while nobody can answer. */
  readonly rolloutTimeoutSeconds: number;
}

/** One state machine with its role and its log group. */
export class Workflow extends Construct {
  readonly stateMachine: StateMachine;

  constructor(scope: Construct, id: string, props: WorkflowProps) {
    super(scope, id);

    // With this prefix the group needs no entry of its own in the account's resource policy for logs, which is limited:
    // https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
    const logGroup = new LogGroup(this, 'Logs', {
      logGroupName: `/aws/vendedlogs/states/${Names.uniqueResourceName(this, { separator: '-' })}`,
      retention: props.logRetention,
      // The name is fixed: a group that stayed behind would stand in the way of the next stack of this name.
      removalPolicy: RemovalPolicy.DESTROY,
    });

    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('states.amazonaws.com'),
      description: `ecr-deploy, the state machine ${props.definition}`,
    });
    const steps = Object.entries(props.steps);
    role.addToPolicy(
      new PolicyStatement({
        sid: 'InvokeSteps',
        actions: ['lambda:InvokeFunction'],
        resources: steps.map(([, step]) => step.function.functionArn),
      }),
    );
    grant(role, props.permissions);
    acknowledgeWildcards(role, ['*'], 'X-Ray and the delivery of logs have no resources that a policy could name.');

    this.stateMachine = new StateMachine(this, 'StateMachine', {
      // As a string: the template shows it, and so does a diff. A file would leave the template for an S3 asset.
      definitionBody: DefinitionBody.fromString(
        patient(
          readFileSync(join(REPOSITORY_ROOT, 'statemachine', `${props.definition}.asl.json`), 'utf8'),
          props.rolloutTimeoutSeconds,
        ),
      ),
      definitionSubstitutions: {
        ...props.substitutions,
        ...Object.fromEntries(steps.map(([placeholder, step]) => [placeholder, step.function.functionArn])),
      },
      stateMachineType: StateMachineType.STANDARD,
      role,
      tracingEnabled: true,
      logs: { destination: logGroup, level: LogLevel.ALL, includeExecutionData: true },
    });
  }
}
