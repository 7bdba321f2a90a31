/**
 * The inline policies of a role have room for 10,240 characters together, and four settings are lists that grow them.
 * A list that is too long is refused at synth: the CDK would move statements to managed policies, and no role has one.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
 */
import { Stack } from 'aws-cdk-lib';
import { CfnPolicy } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import { SettingError } from './setting';
import type { Settings } from './settings';

const LONGEST_POLICIES = 10_240;

/** The most characters of what is known when it is deployed. */
const REFERENCES: Readonly<Record<string, number>> = { 'AWS::Partition': 10, 'AWS::Region': 15, 'AWS::AccountId': 12 };
/** Other references are ARNs. The longest is that of a log group, whose name CloudFormation makes from the stack's name. */
const arnLength = (stackName: string) => Math.max(150, 115 + stackName.length);

/** The CDK's own limit counts 150 characters for each ARN, and would split policies that fit. {@link checkPolicySizes} measures. */
export function keepPoliciesWhole(construct: Construct): void {
  construct.node.setContext('@aws-cdk/aws-iam.arnSizeEstimate', 0);
}

/**
 * Measures the policies of every role within the construct, once all of them have their statements.
 *
 * @throws SettingError with the list that makes the policies of a role too long
 */
export function checkPolicySizes(construct: Construct, settings: Settings): void {
  const { accounts, clusters, repositories, passRoleArns } = settings;
  const lists = {
    clusters: [clusters, 'name fewer clusters, leave the setting out for every cluster, or install a second stack.'],
    repositories: [
      repositories,
      'name fewer repositories, leave the setting out for every repository, or install a second stack.',
    ],
    // Each repository is in a policy once for each account.
    accounts: [accounts, 'name fewer accounts, leave repositories out, or install a second stack.'],
    passRoles: [
      passRoleArns,
      'name fewer roles, or many by one *, such as arn:aws:iam::123456789012:role/app-*, or install a second stack.',
    ],
  } as const;

  const roles = new Map<string, Record<ReturnType<typeof grownBy>, number>>();
  for (const policy of construct.node.findAll().filter((node) => node instanceof CfnPolicy)) {
    const { document, names } = Stack.of(construct).resolve({
      document: policy.policyDocument as unknown,
      names: policy.roles,
    }) as { document: { Statement: readonly Statement[] }; names: readonly unknown[] };
    for (const name of names.map((role) => JSON.stringify(role))) {
      const sizes = roles.get(name) ?? { clusters: 0, repositories: 0, passRoles: 0 };
      roles.set(name, sizes);
      for (const statement of document.Statement) {
        sizes[grownBy(statement)] += JSON.stringify(
          written(statement, arnLength(Stack.of(construct).stackName)),
        ).length;
      }
    }
  }

  for (const sizes of roles.values()) {
    const size = sizes.clusters + sizes.repositories + sizes.passRoles;
    if (size > LONGEST_POLICIES) {
      // The part that no list grows is less than a quarter of the room, so the largest part is that of a list.
      const largest = (['clusters', 'repositories', 'passRoles'] as const).reduce((most, other) =>
        sizes[other] > sizes[most] ? other : most,
      );
      const setting = largest === 'repositories' && accounts.length > repositories.length ? 'accounts' : largest;
      const [given, fix] = lists[setting];
      throw new SettingError(
        setting,
        `${given.length} names of ${given.join(',').length} characters together`,
        `the policies of one role would have ${size} characters, and IAM has room for ${LONGEST_POLICIES}; ${fix}`,
      );
    }
  }
}

interface Statement {
  readonly Action: string | readonly string[];
}

/** The list whose names a statement holds, if it holds any. */
function grownBy({ Action }: Statement): 'clusters' | 'repositories' | 'passRoles' {
  const [action = ''] = [Action].flat();
  return action === 'iam:PassRole' ? 'passRoles' : action.startsWith('ecr:') ? 'repositories' : 'clusters';
}

/** A resolved part of a policy with a text as long as its value in place of each reference. */
function written(part: unknown, arn: number): unknown {
  if (typeof part !== 'object' || part === null) {
    return part;
  }
  if (Array.isArray(part)) {
    return part.map((item) => written(item, arn));
  }
  const [[name, value] = ['', undefined], ...others] = Object.entries(part) as [string, unknown][];
  if (name === 'Fn::Join' && others.length === 0) {
    const [separator, parts] = value as [string, unknown[]];
    return parts.map((item) => written(item, arn)).join(separator);
  }
  if (name === 'Ref' || name.startsWith('Fn::')) {
    return '-'.repeat(REFERENCES[String(value)] ?? arn);
  }
  return Object.fromEntries(Object.entries(part).map(([key, inner]) => [key, written(inner, arn)]));
}
