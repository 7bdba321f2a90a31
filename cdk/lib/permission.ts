/**
 * A permission is one statement of a role's policy, with the reason why its resources hold a `*`.
 */
import { Aws, Stack, Validations } from 'aws-cdk-lib';
import { type IPrincipal, PolicyStatement, type Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import { EVERY_ROLE } from './patterns';

/** One statement that allows `actions` on `resources`. */
export interface Permission {
  /** The purpose of the statement; the `Sid` in the policy. */
  readonly sid: string;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Why the resources hold a `*`, for those that do. */
  readonly wildcard?: string;
}

/**
 * Adds the permissions to the role, and tells cdk-nag why their resources hold a `*`. `madeByCdk` are those that the CDK
 * adds by itself. cdk-nag keeps one reason for each resource of a role, so it gets one that names all the calls.
 */
export function grant(role: Role, permissions: readonly Permission[], madeByCdk: readonly Permission[] = []): void {
  for (const permission of permissions) {
    role.addToPolicy(statement(permission));
  }
  acknowledgeWildcards(role, [...permissions, ...madeByCdk]);
}

/** Tells cdk-nag why the resources of the permissions that a role or a policy has hold a `*`. */
export function acknowledgeWildcards(holder: Construct, permissions: readonly Permission[]): void {
  const reasons = new Map<string, string[]>();
  for (const { actions, resources, wildcard } of permissions) {
    for (const resource of wildcard === undefined
      ? []
      : resources.map((arn) => flattened(Stack.of(holder).resolve(arn)))) {
      if (resource.includes('*')) {
        reasons.set(resource, [...(reasons.get(resource) ?? []), `${actions.join(', ')}: ${wildcard ?? ''}`]);
      }
    }
  }
  for (const [resource, given] of reasons) {
    Validations.of(holder).acknowledge({ id: `AwsSolutions-IAM5[Resource::${resource}]`, reason: given.join(' ') });
  }
}

/**
 * A service of AWS that may take on a role, but only on behalf of a resource of this account and region: not for somebody
 * else who makes it do so. https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
 */
export function only(service: 'events' | 'lambda' | 'states', resource: string): IPrincipal {
  return new ServicePrincipal(`${service}.amazonaws.com`, {
    conditions: {
      StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID },
      ArnLike: { 'aws:SourceArn': arn(service, resource) },
    },
  });
}

/** True if an ARN stands for every role of an account, or for each whose name is long enough. */
export function isEveryRole(roleArn: string): boolean {
  return EVERY_ROLE.test(roleArn);
}

/** The permission that the CDK gives every function and state machine that sends traces. */
export const WRITE_TRACES: Permission = {
  sid: 'WriteTraces',
  actions: ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'],
  resources: ['*'],
  wildcard: 'A trace is no resource that a policy could name.',
};

/** The permission that the CDK gives every state machine that sends traces, beyond {@link WRITE_TRACES}. */
export const SAMPLE_TRACES: Permission = {
  sid: 'SampleTraces',
  actions: ['xray:GetSamplingRules', 'xray:GetSamplingTargets'],
  resources: ['*'],
  wildcard: 'Sampling rules are read all at once.',
};

/**
 * The permission that the CDK gives every state machine that logs.
 * https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
 */
export const DELIVER_LOGS: Permission = {
  sid: 'DeliverLogs',
  actions: [
    ...['logs:CreateLogDelivery', 'logs:GetLogDelivery', 'logs:UpdateLogDelivery', 'logs:DeleteLogDelivery'],
    ...['logs:ListLogDeliveries', 'logs:PutResourcePolicy', 'logs:DescribeResourcePolicies', 'logs:DescribeLogGroups'],
  ],
  resources: ['*'],
  wildcard: 'Step Functions sets up the delivery of its logs, and these calls have no resource.',
};

/** The permission as a statement of a policy. */
export function statement({ sid, actions, resources, conditions }: Permission): PolicyStatement {
  return new PolicyStatement({
    sid,
    actions: [...actions],
    resources: [...resources],
    ...(conditions === undefined ? {} : { conditions }),
  });
}

/** The ARN of a resource in the account and region of the stack, or in those that are named. */
export function arn(
  service: string,
  resource: string,
  { region = Aws.REGION, account = Aws.ACCOUNT_ID }: { readonly region?: string; readonly account?: string } = {},
): string {
  return `arn:${Aws.PARTITION}:${service}:${region}:${account}:${resource}`;
}

/** A resolved ARN as cdk-nag spells it: `<Ref>` and `<Resource.Attribute>` in place of references. */
function flattened(resolved: unknown): string {
  if (typeof resolved === 'string') {
    return resolved;
  }
  const { Ref, 'Fn::GetAtt': attribute, 'Fn::Join': joined } = resolved as Reference;
  if (joined !== undefined) {
    return joined[1].map(flattened).join(joined[0]);
  }
  return `<${Ref ?? attribute?.join('.')}>`;
}

interface Reference {
  readonly Ref?: string;
  readonly 'Fn::GetAtt'?: readonly [string, string];
  readonly 'Fn::Join'?: readonly [string, readonly unknown[]];
}
