/** The package: the construct, its settings, and its resources. */
export { Base, ImageReference, Rollback, SweepAction, Trigger } from './choices';
export { EcrDeploy } from './ecr-deploy';
export { CommandPolicies, StateMachineLogs, StepResources, Steps } from './resources';
export { EcrDeployProps } from './settings';
export { Stage } from './stages';
export { Sweep } from './sweep-settings';
