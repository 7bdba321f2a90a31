/**
 * A workflow is one of the state machines, written in `statemachine/<name>.asl.yaml`, with a role and a log group of its
 * own.
 */
import { Names } from 'aws-cdk-lib';
import { Role } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import {
  CfnStateMachine,
  CfnStateMachineVersion,
  DefinitionBody,
  LogLevel,
  StateMachine,
  StateMachineType,
} from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { readDefinition } from './assets';
import { KEEP } from './checks';
import { longestRollout, patient } from './patience';
import { DELIVER_LOGS, grant, only, type Permission, SAMPLE_TRACES, WRITE_TRACES } from './permission';
import { useKey } from './permissions';
import type { Settings } from './settings';
import type { Step } from './step';

/** The properties by which workflows differ. */
export interface WorkflowProps {
  /** The file in `statemachine/`, without its ending. */
  readonly definition: string;
  /** The steps it invokes, by the name of the placeholder that stands for each in the definition. */
  readonly steps: Readonly<Record<string, Step>>;
  /** The other placeholders of the definition. */
  readonly substitutions: Readonly<Record<string, string>>;
  readonly permissions: readonly Permission[];
  readonly settings: Settings;
  readonly encryptionKey?: IKey;
}

/** One state machine with its role and its log group. */
export class Workflow extends Construct {
  readonly stateMachine: StateMachine;
  readonly logGroup: LogGroup;

  constructor(scope: Construct, id: string, props: WorkflowProps) {
    super(scope, id);

    const key = props.encryptionKey;

    // With this prefix the group needs no entry of its own in the account's resource policy for logs, which is limited:
    // https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
    this.logGroup = new LogGroup(this, 'Logs', {
      logGroupName: `/aws/vendedlogs/states/${Names.uniqueResourceName(this, { separator: '-' })}`,
      retention: props.settings.logRetention,
      removalPolicy: props.settings.removalPolicy,
      ...(key && { encryptionKey: key }),
    });

    const role = new Role(this, 'Role', {
      // The state machine's name is made by CloudFormation, after the role.
      assumedBy: only('states', 'stateMachine:*'),
      description: `ecr-deploy, the state machine ${props.definition}`,
    });
    const steps = Object.entries(props.steps);
    const invokeSteps: Permission = {
      sid: 'InvokeSteps',
      actions: ['lambda:InvokeFunction'],
      resources: steps.map(([, step]) => `${step.function.functionArn}:*`),
      wildcard: 'An execution invokes the version of its definition, which may be an older one.',
    };
    grant(
      role,
      [
        ...(steps.length > 0 ? [invokeSteps] : []),
        ...props.permissions,
        ...(key === undefined ? [] : useKey(key.keyArn)),
      ],
      [WRITE_TRACES, SAMPLE_TRACES, DELIVER_LOGS],
    );

    this.stateMachine = new StateMachine(this, 'StateMachine', {
      // As a string: the template shows it, and so does a diff. A file would leave the template for an S3 asset.
      definitionBody: DefinitionBody.fromString(
        patient(readDefinition(props.definition), longestRollout(props.settings)),
      ),
      definitionSubstitutions: {
        ...props.substitutions,
        ...Object.fromEntries(steps.map(([placeholder, step]) => [placeholder, step.version.functionArn])),
      },
      stateMachineType: StateMachineType.STANDARD,
      role,
      tracingEnabled: true,
      logs: { destination: this.logGroup, level: LogLevel.ALL, includeExecutionData: true },
    });
    if (key !== undefined && CfnStateMachine.isCfnStateMachine(this.stateMachine.node.defaultChild)) {
      // The CDK's own encryptionConfiguration would allow the role the key for a state machine of no name.
      this.stateMachine.node.defaultChild.encryptionConfiguration = {
        type: 'CUSTOMER_MANAGED_KMS_KEY',
        kmsKeyId: key.keyArn,
      };
    }
  }

  /**
   * Publishes the state machine as this deployment of the stack has it, for another one that starts it: an execution under
   * way, and the redrive of an old one, starts the definition that it was made for.
   * https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-version.html
   */
  publish(): CfnStateMachineVersion {
    const version = new CfnStateMachineVersion(this, 'Version', {
      stateMachineArn: this.stateMachine.stateMachineArn,
      stateMachineRevisionId: this.stateMachine.stateMachineRevisionId,
    });
    // A version before is in use for as long as an execution can be redriven.
    version.applyRemovalPolicy(KEEP);
    return version;
  }
}
