import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { Trigger } from '../lib/choices';
import type { EcrDeployProps } from '../lib/settings';
import { Synthesized } from './synthesized';

const SETTINGS: readonly [name: string, settings: Partial<EcrDeployProps>][] = [
  ['the defaults', {}],
  ['clusters and repositories', { clusters: ['production', 'staging'], repositories: ['web'] }],
  ['tagLatest', { tagLatest: true }],
  ['the native event', { trigger: Trigger.IMAGE_ACTION }],
  ['roles without a wildcard', { passRoles: ['arn:aws:iam::123456789012:role/web'] }],
];

for (const [name, settings] of SETTINGS) {
  test(`cdk-nag finds nothing with ${name}`, () => {
    assert.deepEqual(findings(new Synthesized(settings)), []);
  });

  test(`each suppression says why, and suppresses something, with ${name}`, () => {
    const synthesized = new Synthesized(settings);
    const given = suppressions(synthesized);
    for (const { path, rule, reason } of given) {
      assert.match(reason, /\S+ .*\.$/, `${path} ${rule}`);
    }

    forgetSuppressions(synthesized);
    const found = new Set(findings(synthesized).map((finding) => finding.replace('/DefaultPolicy', '')));
    assert.deepEqual(new Set(given.map(({ path, rule }) => `${path}: ${rule}`)), found);
  });
}

/** The findings of the rules: `<path of the construct>: <rule>`. */
function findings(synthesized: Synthesized): string[] {
  return new AwsSolutionsChecks()
    .validateScope(synthesized.stack)
    .violations.flatMap(({ ruleName, violatingResources }) =>
      violatingResources.map(({ constructPath }) => `${constructPath?.replace(/\/Resource$/, '')}: ${ruleName}`),
    );
}

function suppressions(synthesized: Synthesized): { path: string; rule: string; reason: string }[] {
  return synthesized.stack.node.findAll().flatMap(({ node }) =>
    node.metadata
      .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
      .flatMap(({ data }) =>
        Object.entries<string>(data).map(([rule, reason]) => ({
          path: node.path,
          rule: rule.replace(/^annotation::/i, ''),
          reason,
        })),
      ),
  );
}

function forgetSuppressions(synthesized: Synthesized): void {
  for (const { node } of synthesized.stack.node.findAll()) {
    for (const entry of node.metadata) {
      if (entry.type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY) {
        Object.assign(entry, { data: {} });
      }
    }
  }
}

for (const [name, settings] of SETTINGS) {
  test(`a role has one reason for each resource with a star, and it names each call that the role may make there, with ${name}`, () => {
    const synthesized = new Synthesized(settings);
    const given = suppressions(synthesized);
    let calls = 0;
    for (const { path, properties } of synthesized.ofType('AWS::IAM::Policy')) {
      for (const { Action, Resource } of properties.PolicyDocument.Statement) {
        if (!JSON.stringify(Resource).includes('*')) {
          continue;
        }
        const role = `${synthesized.stack.node.path}/${path.replace(/\/DefaultPolicy$/, '')}`;
        const reasons = given.filter((it) => it.path === role).map(({ reason }) => reason);
        for (const action of [Action].flat() as string[]) {
          assert.ok(
            reasons.some((reason) => reason.includes(action)),
            `${role}: no reason names ${action}`,
          );
          calls += 1;
        }
      }
    }
    assert.ok(calls > 20);
  });
}
