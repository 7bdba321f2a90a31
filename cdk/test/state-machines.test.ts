import assert from 'node:assert/strict';
import { test } from 'node:test';
import validate from 'asl-validator';
import { readDefinition } from '../lib/assets';
import { type Json, Synthesized, WORKFLOWS } from './synthesized';

const PLACEHOLDER = /\$\{(\w+)\}/g;

const synthesized = new Synthesized();

for (const [file, construct] of Object.entries(WORKFLOWS)) {
  const written = readDefinition(file);
  const substitutions: Json = synthesized.properties(`EcrDeploy/${construct}/StateMachine`).DefinitionSubstitutions;

  test(`${file}: the template shows the definition as it is written`, () => {
    assert.equal(synthesized.definition(construct), written);
  });

  test(`${file}: every placeholder is substituted, and every substitution is used`, () => {
    const placeholders = new Set([...written.matchAll(PLACEHOLDER)].map(([, name]) => name));

    assert.deepEqual([...placeholders].sort(), Object.keys(substitutions).sort());
  });

  test(`${file}: asl-validator accepts it after the substitution`, () => {
    const result = validate(JSON.parse(substituted(written, substitutions)), { checkArn: true, checkPaths: true });

    assert.deepEqual(result.errors, []);
    assert.ok(result.isValid);
  });

  test(`${file}: asl-validator would find a state that is not there`, () => {
    const broken = JSON.parse(substituted(written, substitutions));
    broken.StartAt = 'No such state';

    assert.equal(validate(broken).isValid, false);
  });

  test(`${file}: each function's placeholder stands for the function of that name, and may be invoked`, () => {
    const invoked = Object.entries<Json>(substitutions)
      .map(([name, value]) => [name, synthesized.text(value)] as const)
      .filter(([, arn]) => arn.endsWith('/Function/CurrentVersion}'));

    // The launcher invokes none, and may not.
    assert.equal(invoked.length === 0, file === 'push');
    for (const [name, arn] of invoked) {
      assert.equal(arn, `\${EcrDeploy/${name.charAt(0).toUpperCase()}${name.slice(1)}/Function/CurrentVersion}`);
    }
    const policy = synthesized.properties(`EcrDeploy/${construct}/Role/DefaultPolicy`).PolicyDocument;
    const invoke = policy.Statement.find((statement: Json) => statement.Action === 'lambda:InvokeFunction');
    assert.deepEqual(
      [invoke?.Resource ?? []]
        .flat()
        .map((resource: Json) => synthesized.text(resource))
        .sort(),
      // Every version: the definition of an execution under way may name one before.
      invoked.map(([, arn]) => arn.replace('/CurrentVersion}', '.Arn}:*')).sort(),
    );
  });

  test(`${file}: a standard workflow, traced, with every event of its executions in its own log group`, () => {
    const machine = synthesized.properties(`EcrDeploy/${construct}/StateMachine`);

    assert.equal(machine.StateMachineType, 'STANDARD');
    assert.deepEqual(machine.TracingConfiguration, { Enabled: true });
    const { Destinations: destinations, ...logging } = machine.LoggingConfiguration;
    assert.deepEqual(logging, { IncludeExecutionData: true, Level: 'ALL' });
    assert.equal(
      synthesized.text(destinations[0].CloudWatchLogsLogGroup.LogGroupArn),
      `\${EcrDeploy/${construct}/Logs.Arn}`,
    );
    assert.match(
      synthesized.properties(`EcrDeploy/${construct}/Logs`).LogGroupName,
      /^\/aws\/vendedlogs\/states\/ecrdeploy-EcrDeploy-/,
    );
  });
}

test('push starts deploy-image, and deploy-image starts deploy-service', () => {
  const { deployImage } = synthesized.properties('EcrDeploy/PushMachine/StateMachine').DefinitionSubstitutions;
  const { deployService } = synthesized.properties('EcrDeploy/DeployImage/StateMachine').DefinitionSubstitutions;

  assert.equal(synthesized.text(deployImage), '${EcrDeploy/DeployImage/StateMachine}');
  assert.equal(synthesized.text(deployService), '${EcrDeploy/DeployService/Version.Arn}');
});

test('a deployment publishes versions of the functions and of deploy-service, and keeps those before', () => {
  for (const type of ['AWS::Lambda::Version', 'AWS::StepFunctions::StateMachineVersion']) {
    const versions = Object.values<Json>(synthesized.template.findResources(type));
    assert.equal(versions.length, type === 'AWS::Lambda::Version' ? 7 : 1);
    for (const version of versions) {
      // One that a deployment made which is rolled back goes: CloudFormation could not publish the same once more.
      assert.deepEqual([version.DeletionPolicy, version.UpdateReplacePolicy], ['RetainExceptOnCreate', 'Retain']);
    }
  }
});

/** The definition as CloudFormation hands it to Step Functions, with ARNs in place of what only a deployment knows. */
function substituted(definition: string, substitutions: Json): string {
  return definition.replace(PLACEHOLDER, (placeholder, name: string) => {
    const value: Json = substitutions[name];
    if (value === undefined) {
      return placeholder;
    }
    if (typeof value === 'string') {
      return value;
    }
    return name === 'partition' ? 'aws' : `arn:aws:lambda:eu-west-1:123456789012:function:${name}`;
  });
}
