/** The CloudFormation template of a release holds what the construct makes. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { App, Duration } from 'aws-cdk-lib';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { parse } from 'yaml';
import { EcrDeployStack } from '../app/ecr-deploy-stack';
import { REPOSITORY_ROOT } from '../app/repository-root';
import { checkSettings, type EcrDeployProps } from '../lib/settings';
import { checkStages, type Stage } from '../lib/stages';
import { merged } from '../package/merge';
import { PARAMETERS } from '../package/parameters';
import { template } from '../package/template';
import { unversioned } from '../package/unversioned';
import { type Json, Synthesized, WITHOUT_BUNDLING } from './synthesized';

const TEMPLATE: Json = template('arm64');
const DEFAULTS = Object.fromEntries(Object.entries<Json>(PARAMETERS).map(([name, { Default }]) => [name, Default]));
const ROLES = ['arn:aws:iam::123456789012:role/app-*', 'arn:aws:iam::123456789012:role/other'];
/** A regex, so that the pattern of the rule lets every tag through. */
const STAGES = [{ name: 'staging', tags: ['regex:v.+'], tagOnSuccess: 'live' }];

const CHOICES: readonly [name: string, parameters: Readonly<Record<string, string>>, props: Partial<EcrDeployProps>][] =
  [
    ['the defaults', {}, {}],
    ['one cluster', { Cluster: 'production' }, { clusters: ['production'] }],
    ['TagLatest', { TagLatest: 'true' }, { tagLatest: true }],
    ['DeployLatest', { DeployLatest: 'true' }, { deployLatest: true }],
    ['stages', { Stages: JSON.stringify(STAGES) }, { stages: STAGES }],
    [
      'one cluster, stages and TagLatest',
      { Cluster: 'production', Stages: JSON.stringify(STAGES), TagLatest: 'true' },
      { clusters: ['production'], stages: STAGES, tagLatest: true },
    ],
  ];

for (const [name, parameters, props] of CHOICES) {
  test(`with ${name}, the template has the resources that the construct makes with these settings`, () => {
    const given = { ...DEFAULTS, PassRoles: ROLES, ...parameters };
    const { Resources: resources } = evaluated({ Resources: TEMPLATE.Resources }, given);

    const app = new App({ context: WITHOUT_BUNDLING });
    const stack = new EcrDeployStack(app, 'ecr-deploy', { passRoles: ROLES, ...props });
    const expected = evaluated(unversioned(app.synth().getStackByName(stack.stackName).template.Resources), {});

    assert.deepEqual(Object.keys(resources).sort(), Object.keys(expected).sort());
    for (const [id, resource] of Object.entries<Json>(expected)) {
      // Where the name of the stack is a parameter, it is no part of a hash, keeps its hyphens, and is in no id of a statement.
      const named = (part: Json): Json =>
        JSON.parse(
          JSON.stringify(part)
            .replaceAll(/(states\/)[\w-]+(-EcrDeploy-\w+-)[0-9A-F]{8}/g, '$1$2')
            .replaceAll(/("AllowEventRule)(?:ecrdeploy)?(EcrDeployPush)[0-9A-F]{8}/g, '$1$2'),
        );
      const { Type, Properties, DependsOn } = resource;
      const { Code: code, ...properties } = Properties;
      const { Code: zip, ...others } = resources[id].Properties;
      assert.equal(resources[id].Type, Type);
      assert.deepEqual(named(others), named(properties), id);
      assert.deepEqual(resources[id].DependsOn, DependsOn);
      assert.equal(typeof zip, code === undefined ? 'undefined' : 'string', id);
    }
  });
}

test('the longest parameters have room in the environment of each function', () => {
  const { Stages: { MaxLength: most } = {} }: Json = PARAMETERS;
  const longest = { ...DEFAULTS, PassRoles: ROLES, Cluster: 'c'.repeat(255), Stages: `[${' '.repeat(most - 2)}]` };
  const { Resources: resources } = evaluated({ Resources: TEMPLATE.Resources }, longest);
  const functions = Object.values<Json>(resources).filter(({ Type }) => Type === 'AWS::Lambda::Function');
  assert.ok(functions.length >= 6);
  for (const { Properties } of functions) {
    const variables = Object.entries<string>(Properties.Environment.Variables).flat();
    assert.ok(Buffer.byteLength(variables.join('')) <= 4096, variables.join(''));
  }
});

test('the functions of each template are for its processor', () => {
  for (const architecture of [Architecture.ARM_64, Architecture.X86_64]) {
    const { Resources }: Json = template(architecture.name);
    const functions = Object.values<Json>(Resources).filter(({ Type }) => Type === 'AWS::Lambda::Function');
    assert.ok(functions.length >= 6);
    for (const { Properties } of functions) {
      assert.deepEqual(Properties.Architectures, [architecture.name]);
      assert.equal(Properties.Code, `./${architecture.name}/bootstrap.zip`);
    }
  }
});

test('the state machines name the functions, so that a changed parameter reaches the executions', () => {
  const types = Object.values<Json>(TEMPLATE.Resources).map(({ Type }) => Type);
  assert.ok(!types.includes('AWS::Lambda::Version'));
  let functions = 0;
  for (const { Type, Properties } of Object.values<Json>(TEMPLATE.Resources)) {
    const substitutions = Type === 'AWS::StepFunctions::StateMachine' ? Properties.DefinitionSubstitutions : {};
    for (const value of Object.values<Json>(substitutions)) {
      const [id, attribute] = value['Fn::GetAtt'] ?? [];
      if (TEMPLATE.Resources[id]?.Type === 'AWS::Lambda::Function') {
        assert.equal(attribute, 'Arn');
        functions += 1;
      }
    }
  }
  assert.ok(functions >= 9, `${functions}`);
  const invoked = JSON.stringify(TEMPLATE).match(/"lambda:InvokeFunction"[^{]*"Resource":\[?\{"Fn::GetAtt"/g);
  const all = JSON.stringify(TEMPLATE).match(/"lambda:InvokeFunction"/g);
  assert.ok(all !== null && all.length >= 4);
  assert.equal(invoked?.length, all.length);
});

test('nothing of what stands for a parameter is left in the template', () => {
  assert.doesNotMatch(
    JSON.stringify(TEMPLATE),
    /Parameter(PassRoles|Cluster|StackName)|cdk-hnb659fds-assets|aws:cdk:path/,
  );
});

test('PassRoles takes the ARNs of roles that the construct takes without a warning, and nothing else', () => {
  const { Type, AllowedPattern, Default }: Json = PARAMETERS['PassRoles'];
  assert.deepEqual([Type, Default], ['CommaDelimitedList', undefined]);
  const allowed = new RegExp(AllowedPattern as string);
  const isTaken = (arn: string) => {
    try {
      return checkSettings({ passRoles: [arn] }).passRoleArns.length === 1;
    } catch {
      return false;
    }
  };
  const partitions = ['aws', 'aws-cn', 'aws-us-gov', 'aws-iso-b'];
  for (const role of ['app', 'app-*', '*-app', 'teams/*', 'teams/app-?', 'a+b=c.@_-', '??']) {
    for (const arn of partitions.map((partition) => `arn:${partition}:iam::123456789012:role/${role}`)) {
      assert.deepEqual([allowed.test(arn), isTaken(arn)], [true, true], arn);
    }
  }
  // The construct takes these with a warning, which a template cannot give.
  for (const role of ['*', '**', '?*', '*?', '*/*', '??*']) {
    for (const arn of partitions.map((partition) => `arn:${partition}:iam::123456789012:role/${role}`)) {
      assert.deepEqual([allowed.test(arn), isTaken(arn)], [false, true], arn);
    }
  }
  const [account, users] = ['arn:aws:iam::123456789012', 'arn:aws:iam::123456789012:user/app'];
  for (const other of [
    '*',
    '',
    'app',
    account,
    users,
    `${account}:role/`,
    'arn:aws:iam::*:role/app',
    `x${account}:role/a`,
  ]) {
    assert.deepEqual([allowed.test(other), isTaken(other)], [false, false], other);
  }
});

test('the published templates tell cfn-lint to ignore E3601, and no stack of the CDK does', () => {
  for (const { name } of [Architecture.ARM_64, Architecture.X86_64]) {
    const { Metadata }: Json = template(name);
    assert.deepEqual(Metadata['cfn-lint'], { config: { ignore_checks: ['E3601'] } });
  }
  assert.doesNotMatch(JSON.stringify(new Synthesized().template.toJSON()), /cfn-lint/);
});

test('parts that differ are put under a condition as deep as they differ', () => {
  const statement = (Sid: string, Resource: string) => ({ Sid, Effect: 'Allow', Resource });
  assert.deepEqual(merged('C', { a: 1, b: { c: [1, 2] } }, { a: 1, b: { c: [1, 3] } }), {
    a: 1,
    b: { c: [1, { 'Fn::If': ['C', 2, 3] }] },
  });
  assert.deepEqual(merged('C', { a: 1, b: 2 }, { a: 1 }), { a: 1, b: { 'Fn::If': ['C', 2, { Ref: 'AWS::NoValue' }] } });
  assert.deepEqual(merged('C', { Ref: 'A' }, { Ref: 'B' }), { 'Fn::If': ['C', { Ref: 'A' }, { Ref: 'B' }] });
  assert.deepEqual(merged('C', [1], [1, 2]), { 'Fn::If': ['C', [1], [1, 2]] });
  assert.deepEqual(merged('C', [statement('A', 'x'), statement('B', 'x')], [statement('B', 'y')]), [
    { 'Fn::If': ['C', statement('A', 'x'), { Ref: 'AWS::NoValue' }] },
    { Sid: 'B', Effect: 'Allow', Resource: { 'Fn::If': ['C', 'x', 'y'] } },
  ]);
});

test('the examples of SAM and of Terraform give parameters that the template has, and stages that the construct takes', () => {
  const read = (...path: string[]) => readFileSync(join(REPOSITORY_ROOT, 'examples', ...path), 'utf8');
  const sam: Json = parse(read('sam', 'template.yaml'), {
    customTags: [{ tag: '!Sub', resolve: (text: string) => text }],
  });
  const bySam = sam.Resources.EcrDeploy.Properties.Parameters;
  const [, body = ''] = /^ {2}parameters = \{\n([^]*?)^ {2}\}$/m.exec(read('terraform', 'install.tf')) ?? [];
  const [, encoded = ''] = /Stages = jsonencode\(([^]*)\)$/m.exec(body) ?? [];
  const byTerraform = [...body.matchAll(/^ {4}(\w+) =/gm)].map(([, name = '']) => name);
  for (const [names, text] of [
    [Object.keys(bySam), bySam.Stages],
    [byTerraform, encoded],
  ] as const) {
    assert.ok(names.includes('PassRoles') && names.includes('Stages'), names.join());
    assert.deepEqual(
      names.filter((name) => !(name in PARAMETERS)),
      [],
    );
    const stages = (JSON.parse(text) as Json[]).map(({ soakSeconds, ...stage }): Stage => ({
      ...stage,
      ...(soakSeconds && { soak: Duration.seconds(soakSeconds) }),
    }));
    assert.equal(checkStages(stages, { clusters: [], repositories: [], tagLatest: false }).length, 2);
  }
});

/** A template as CloudFormation makes it of parameters: conditions and joins worked out, as far as all is known. */
function evaluated(part: Json, parameters: Readonly<Record<string, Json>>): Json {
  const inner = (it: Json): Json => evaluated(it, parameters);
  if (typeof part !== 'object' || part === null) {
    return part;
  }
  if (Array.isArray(part)) {
    return part.map(inner).filter((item) => item !== undefined);
  }
  if ('Ref' in part) {
    const known: Record<string, Json> = { ...parameters, 'AWS::NoValue': undefined, 'AWS::StackName': 'ecr-deploy' };
    return part.Ref in known ? known[part.Ref] : part;
  }
  if ('Fn::If' in part) {
    const [condition, yes, no] = part['Fn::If'];
    return inner(holds(TEMPLATE.Conditions[condition], parameters) ? yes : no);
  }
  if ('Fn::Join' in part) {
    const [delimiter, given] = part['Fn::Join'];
    const pieces: Json[] = inner(given);
    if (pieces.every((piece) => typeof piece === 'string')) {
      return pieces.join(delimiter);
    }
    const joined = pieces.flatMap((piece) => (delimiter === '' ? (piece['Fn::Join']?.[1] ?? [piece]) : [piece]));
    const whole = joined.reduce<Json[]>((all, piece) => {
      const last = all.at(-1);
      const isText = delimiter === '' && typeof piece === 'string' && typeof last === 'string';
      return isText ? [...all.slice(0, -1), last + piece] : [...all, piece];
    }, []);
    return { 'Fn::Join': [delimiter, whole.filter((piece) => piece !== '')] };
  }
  const members = Object.entries<Json>(part).map(([name, value]) => [name, inner(value)] as const);
  return Object.fromEntries(members.filter(([, value]) => value !== undefined));
}

/** True if a condition holds. */
function holds(condition: Json, parameters: Readonly<Record<string, Json>>): boolean {
  const inner = (it: Json) => holds('Condition' in it ? TEMPLATE.Conditions[it.Condition] : it, parameters);
  const [[name, of]] = Object.entries<Json>(condition) as [[string, Json]];
  switch (name) {
    case 'Fn::Equals':
      return evaluated(of[0], parameters) === of[1];
    case 'Fn::Not':
      return !inner(of[0]);
    case 'Fn::Or':
      return of.some(inner);
    default:
      throw new Error(`the condition ${name} is not known`);
  }
}
