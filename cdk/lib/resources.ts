/** The resources of an installation, as an app finds them at the construct. */
import type { ManagedPolicy, Role } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';

/** A step: one Lambda function with its role and its log group. */
export interface StepResources {
  /** The function. */
  readonly function: LambdaFunction;
  /** The role of the function, which no other step has. */
  readonly role: Role;
  /** The log group of the function. */
  readonly logGroup: LogGroup;
}

/** The steps, by their names in the state machines. */
export interface Steps {
  /** Finds the task definitions in use that run the pushed image, and their services. */
  readonly findTaskDefinitions: StepResources;
  /** Registers a revision of a task definition that runs the pushed image. */
  readonly registerRevision: StepResources;
  /** Starts the rollout of a revision on a service, or says why not. */
  readonly updateService: StepResources;
  /** Reads a rollout once. */
  readonly checkStability: StepResources;
  /** Takes a service back to its last good revision. */
  readonly rollBack: StepResources;
  /** Ends an execution. */
  readonly conclude: StepResources;
  /** Finds the services that run an older image than one that their stage takes. */
  readonly findMissedPushes: StepResources;
}

/** The log groups of the state machines. */
export interface StateMachineLogs {
  /** Of the state machine that starts an execution for each push. */
  readonly push: LogGroup;
  /** Of the state machine with one execution for each push. */
  readonly deployImage: LogGroup;
  /** Of the state machine with one execution for each service of a push. */
  readonly deployService: LogGroup;
  /** Of the state machine that tells the end of a push that could not tell it. */
  readonly tellEnd: LogGroup;
  /** Of the state machine that finds missed pushes. */
  readonly sweep: LogGroup;
}

/** The managed policies for people who use the command `ecr-deploy`. */
export interface CommandPolicies {
  /** Enough for every command that changes nothing and starts nothing. */
  readonly readers: ManagedPolicy;
  /** Beside the one for readers: for the commands that start, redrive and hold. */
  readonly operators: ManagedPolicy;
}
