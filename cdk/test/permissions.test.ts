import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Role } from 'aws-cdk-lib/aws-iam';
import type { EcrDeployProps } from '../lib/settings';
import { REPOSITORY_ROOT } from '../app/repository-root';
import { assertGolden } from './golden';
import { type Json, REQUIRED, STEPS, Synthesized } from './synthesized';

const DEFAULT = new Synthesized();

/** The managed policies, which are for people. */
const PEOPLE = ['EcrDeploy/Access/Operators', 'EcrDeploy/Access/Readers'];

test('every IAM statement, with the settings that narrow nothing', () => {
  assertGolden('permissions-default.txt', everyStatement(DEFAULT));
});

test('every IAM statement, where every stage is opt-in', () => {
  const stages = ['staging', 'production'].map((name) => ({ name, optIn: true, tags: ['*'] }));
  assertGolden('permissions-opt-in.txt', everyStatement(new Synthesized({ stages })));
});

test('every IAM statement, with the settings that narrow them and with tagLatest', () => {
  const narrow = new Synthesized({
    passRoles: ['arn:aws:iam::123456789012:role/web-task', 'arn:aws:iam::123456789012:role/web-execution'],
    clusters: ['production', 'staging'],
    repositories: ['web', 'team/worker'],
    scanFamilies: false,
    tagLatest: true,
  });
  assertGolden('permissions-narrow.txt', everyStatement(narrow));
});

test('docs/operations.md has the statements for those of its commands that the policies for people do not cover', () => {
  const page = readFileSync(join(REPOSITORY_ROOT, 'docs', 'operations.md'), 'utf8');
  const [, document = ''] = /```json operators\n(.*?)```/s.exec(page) ?? [];
  const added: Json[] = JSON.parse(document).Statement;
  const typed = [...page.matchAll(/```sh operate\n(.*?)```/gs)].map(([, block = '']) => block).join('\n');
  const commands = [...typed.matchAll(/\baws ([a-z]+) ([a-z-]+)/g)].map(([, service = '', call = '']) => {
    const action = call.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
    return `${service === 'stepfunctions' ? 'states' : service}:${action}`;
  });
  const covered = PEOPLE.flatMap((policy) => DEFAULT.properties(policy).PolicyDocument.Statement as Json[]);
  const actions = (statements: Json[]) => new Set(statements.flatMap(({ Action }) => Action as string | string[]));
  const missing = [...new Set(commands)].filter((action) => !actions(covered).has(action));

  assert.ok(missing.includes('states:StopExecution') && missing.includes('sqs:DeleteMessage'));
  assert.deepEqual(
    missing.filter((action) => !actions(added).has(action)),
    [],
  );
  // The policy covers executions of deploy-image alone: the page redrives others, too.
  assert.ok(actions(added).has('states:RedriveExecution'));
  const redrives = covered.filter(({ Action }) => [Action].flat().includes('states:RedriveExecution'));
  assert.equal(redrives.length, 1);
  assert.match(DEFAULT.text(redrives[0].Resource), /EcrDeploy\/DeployImage/);
  // Each statement stands in the table that says what it is for.
  for (const { Sid } of added) {
    assert.match(page, new RegExp(`^\\| .*\`${Sid}\``, 'm'));
  }
  const names = DEFAULT.ofType('AWS::StepFunctions::StateMachine').map(({ path }) => path);
  assert.ok(names.length === 5 && names.every((name) => name.startsWith('EcrDeploy')), names.join());
});

test('each function and each state machine has a role of its own', () => {
  const synthesized = DEFAULT;
  const functions = synthesized.ofType('AWS::Lambda::Function').map(({ properties }) => properties.Role);
  const machines = synthesized.ofType('AWS::StepFunctions::StateMachine').map(({ properties }) => properties.RoleArn);
  const roles = [...functions, ...machines].map((role) => synthesized.text(role));

  assert.equal(roles.length, 12);
  assert.equal(new Set(roles).size, 12);
});

test('the managed policies are those for people, and fit into what IAM has room for', () => {
  const encrypted = new Synthesized({
    encryptionKey: 'arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f',
  });
  const policies = DEFAULT.ofType('AWS::IAM::ManagedPolicy');
  assert.deepEqual(policies.map(({ path }) => path).sort(), PEOPLE);
  for (const { path, properties } of [...policies, ...encrypted.ofType('AWS::IAM::ManagedPolicy')]) {
    assert.equal(properties.Roles, undefined, path);
    assert.doesNotMatch(JSON.stringify(properties.PolicyDocument.Statement.map(({ Action }: Json) => Action)), /\*/);
    const written = JSON.stringify(properties.PolicyDocument, (_, value: Json) =>
      value?.['Fn::Join'] ? DEFAULT.text(value) : (value as unknown),
    );
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    assert.ok(written.length < 6144, `${path}: ${written.length}`);
  }
});

test('with a key, who may read the executions of a state machine may decrypt them, and those of no other', () => {
  const encryptionKey = 'arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f';
  const synthesized = new Synthesized({ encryptionKey });
  const decrypting = synthesized.ofType('AWS::IAM::ManagedPolicy').map(({ path, properties }) => {
    const [statement, ...others] = properties.PolicyDocument.Statement.filter(
      ({ Sid }: Json) => Sid === 'DecryptExecutions',
    );
    assert.deepEqual([others, statement.Action, statement.Resource], [[], 'kms:Decrypt', encryptionKey]);
    const arns: Json[] = statement.Condition.ArnLike['kms:EncryptionContext:aws:states:stateMachineArn'];
    return [path.replace(/^.*\//, ''), arns.map((arn) => synthesized.text(arn))];
  });
  const machines = (...names: string[]) =>
    names.map((name) => `\${EcrDeploy/${name}/StateMachine}`).flatMap((arn) => [arn, `${arn}:*`]);

  assert.deepEqual(Object.fromEntries(decrypting), {
    Readers: machines('DeployImage', 'DeployService'),
    Operators: machines('PushMachine', 'Sweep'),
  });
  assert.doesNotMatch(JSON.stringify(DEFAULT.ofType('AWS::IAM::ManagedPolicy')), /kms:/);
});

test('who has the policy for readers may change nothing', () => {
  const [readers] = DEFAULT.ofType('AWS::IAM::ManagedPolicy').filter(({ path }) => path.endsWith('Readers'));
  const actions = readers?.properties.PolicyDocument.Statement.flatMap(({ Action }: Json) =>
    [Action].flat(),
  ) as string[];
  assert.ok(actions.length > 5);
  assert.deepEqual(
    actions.filter((action) => !/:(Get|List|Describe)/.test(action)),
    [],
  );
});

test('no role has a managed policy, no statement a wildcard for an action', () => {
  const synthesized = DEFAULT;
  for (const role of synthesized.ofType('AWS::IAM::Role')) {
    assert.equal(role.properties.ManagedPolicyArns, undefined, role.path);
  }
  for (const policy of synthesized.ofType('AWS::IAM::Policy')) {
    for (const statement of policy.properties.PolicyDocument.Statement) {
      assert.doesNotMatch(JSON.stringify(statement.Action), /\*/, policy.path);
    }
  }
});

const numbered = (count: number, name: (place: number) => string) => Array.from({ length: count }, (_, at) => name(at));
const clustersOf = (count: number) => numbered(count, (at) => `production-${at + 100}`);
const repositoriesOf = (count: number) => numbered(count, (at) => `r${at + 100}`);
const rolesOf = (count: number) => numbered(count, (at) => `arn:aws:iam::123456789012:role/app-${at + 100}-task`);

/** A list that grows the policies, and how many of its names IAM has room for. */
const LONGEST: readonly [setting: string, most: number, settings: (count: number) => Partial<EcrDeployProps>][] = [
  ['clusters', 12, (count) => ({ clusters: clustersOf(count) })],
  ['repositories', 119, (count) => ({ repositories: repositoriesOf(count), tagLatest: true })],
  ['passRoles', 176, (count) => ({ passRoles: rolesOf(count) })],
];

for (const [setting, most, settings] of LONGEST) {
  test(`as many ${setting} as IAM has room for: no role has a managed policy; one more is refused`, () => {
    const synthesized = new Synthesized(settings(most));

    assert.deepEqual(
      synthesized
        .ofType('AWS::IAM::ManagedPolicy')
        .map(({ path }) => path)
        .sort(),
      PEOPLE,
    );
    for (const role of synthesized.ofType('AWS::IAM::Role')) {
      assert.equal(role.properties.ManagedPolicyArns, undefined, role.path);
    }
    assert.ok(longestPolicies(synthesized) <= 10_240);
    assert.ok(longestPolicies(synthesized) > 9_000, 'the limit refuses what fits');
    assert.throws(() => new Synthesized(settings(most + 1)), {
      name: 'SettingError',
      message: new RegExp(
        `^ecr-deploy: setting "${setting}" is "${most + 1} names of \\d+ characters together": ` +
          'the policies of one role would have \\d+ characters, and IAM has room for 10240; name fewer .*second stack\\.$',
      ),
    });
  });
}

test('the list that takes the most room is the one that is refused', () => {
  const refused = (settings: Partial<EcrDeployProps>, setting: string) => {
    assert.throws(() => new Synthesized(settings), { name: 'SettingError', setting });
  };
  refused({ clusters: clustersOf(4), repositories: repositoriesOf(110) }, 'repositories');
  refused({ clusters: clustersOf(12), repositories: repositoriesOf(30) }, 'clusters');
  refused({ clusters: clustersOf(3), passRoles: rolesOf(150) }, 'passRoles');
});

/** The characters of the largest role's policies, in a region and an account with names of the usual lengths. */
function longestPolicies(synthesized: Synthesized): number {
  const sizes = new Map<string, number>();
  for (const { properties } of synthesized.ofType('AWS::IAM::Policy')) {
    const written = JSON.stringify(properties.PolicyDocument.Statement, (_, value: Json) =>
      value?.['Fn::Join'] ? synthesized.text(value) : (value as unknown),
    )
      .replaceAll('${AWS::Partition}', 'aws-us-gov')
      .replaceAll('${AWS::Region}', 'ap-southeast-2')
      .replaceAll('${AWS::AccountId}', '123456789012');
    for (const role of properties.Roles) {
      sizes.set(synthesized.text(role), (sizes.get(synthesized.text(role)) ?? 0) + written.length);
    }
  }
  return Math.max(...sizes.values());
}

test('no role may both register a revision and start one', () => {
  const mayAll = (...wanted: string[]) => {
    const actions = new Map<string, Set<string>>();
    for (const { path, statement } of statements(new Synthesized({ tagLatest: true }))) {
      const role = actions.get(path) ?? new Set();
      actions.set(path, role);
      [statement.Action].flat().forEach((action: string) => role.add(action));
    }
    return [...actions].filter(([, role]) => wanted.every((action) => role.has(action))).map(([path]) => path);
  };
  const starting = ['ecs:UpdateService', 'ecs:RunTask', 'ecs:StartTask', 'ecs:CreateService', 'ecs:CreateTaskSet'];

  assert.deepEqual(mayAll('ecs:RegisterTaskDefinition'), ['EcrDeploy/RegisterRevision/Role/DefaultPolicy']);
  assert.deepEqual(mayAll('ecs:UpdateService').length, 2);
  for (const start of starting) {
    assert.deepEqual(mayAll('ecs:RegisterTaskDefinition', start), [], start);
  }
});

test('no role may deregister or delete anything', () => {
  const actions = statements(new Synthesized({ tagLatest: true })).flatMap(({ statement }) =>
    [statement.Action].flat(),
  );
  const taking = actions.filter((action: string) => /:(Deregister|Delete)/.test(action));

  // Step Functions needs these to write logs at all: https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
  assert.deepEqual([...new Set(taking)], ['logs:DeleteLogDelivery']);
});

test('every ARN is made for the partition, region and account that the stack is deployed to', () => {
  const written = everyStatement(new Synthesized({}, { env: { account: '210987654321', region: 'cn-north-1' } }));
  const foreign = written.split('\n').filter((line) => /arn:aws:|:us-|:eu-/.test(line));

  assert.deepEqual(
    [...new Set(foreign)],
    ['  on arn:aws:iam::123456789012:role/app-*'],
    'the roles that the setting passRoles names, as it names them',
  );
});

test('who registers a revision or moves a service to one may pass its roles: those given, and only to ECS tasks', () => {
  const allowed = (...actions: string[]) =>
    statements(DEFAULT).filter(({ statement }) => [statement.Action].flat().some((action) => actions.includes(action)));
  const paths = (found: { path: string }[]) => [...new Set(found.map(({ path }) => path))].sort();
  const passing = allowed('iam:PassRole');

  assert.deepEqual(paths(passing), paths(allowed('ecs:RegisterTaskDefinition', 'ecs:UpdateService')));
  assert.equal(passing.length, paths(passing).length);
  for (const { statement } of passing) {
    assert.deepEqual([statement.Resource].flat(), REQUIRED.passRoles);
    assert.deepEqual(statement.Condition, {
      StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' },
    });
  }
});

test('a role of another construct can be given to passRoles as it is', () => {
  const other = new Synthesized();
  const role = Role.fromRoleArn(other.stack, 'Given', 'arn:aws:iam::123456789012:role/given');
  const synthesized = new Synthesized({ passRoles: [role] });
  const passing = statements(synthesized).filter(({ statement }) => statement.Action === 'iam:PassRole');

  assert.equal(passing.length, 3);
  for (const { statement } of passing) {
    assert.equal(statement.Resource, 'arn:aws:iam::123456789012:role/given');
  }
});

test('the steps may count the executions with which they share what ECS grants, and list no others', () => {
  const counting = DEFAULT.ofType('AWS::IAM::Policy')
    .filter(({ properties }) =>
      properties.PolicyDocument.Statement.some(({ Action }: Json) => [Action].flat().includes('states:ListExecutions')),
    )
    .map(({ properties }) => ({
      roles: properties.Roles.map((role: Json) => DEFAULT.text(role)),
      resources: properties.PolicyDocument.Statement.map(({ Resource }: Json) => DEFAULT.text(Resource)),
    }));
  const role = (step: string) => `\${EcrDeploy/${step}/Role}`;
  const machine = (name: string) => `\${EcrDeploy/${name}/StateMachine}`;

  assert.deepEqual(counting, [
    { roles: ['UpdateService', 'CheckStability', 'RollBack'].map(role), resources: [machine('DeployService')] },
    { roles: ['FindTaskDefinitions', 'FindMissedPushes'].map(role), resources: [machine('DeployImage')] },
  ]);
});

test('the rules may start push, tell-end and sweep, sweep push, push deploy-image, and deploy-image deploy-service', () => {
  const starting = statements(DEFAULT)
    .filter(({ statement }) => [statement.Action].flat().includes('states:StartExecution'))
    .map(({ path, statement }) => [path, DEFAULT.text(statement.Resource)]);

  assert.deepEqual(Object.fromEntries(starting), {
    'EcrDeploy/TellEndRole/DefaultPolicy': '${EcrDeploy/TellEnd/StateMachine}',
    'EcrDeploy/PushRole/DefaultPolicy': '${EcrDeploy/PushMachine/StateMachine}',
    'EcrDeploy/SweepRole/DefaultPolicy': '${EcrDeploy/Sweep/StateMachine}',
    'EcrDeploy/Sweep/Role/DefaultPolicy': '${EcrDeploy/PushMachine/StateMachine}',
    'EcrDeploy/PushMachine/Role/DefaultPolicy': '${EcrDeploy/DeployImage/StateMachine}',
    'EcrDeploy/DeployImage/Role/DefaultPolicy': '${EcrDeploy/DeployService/StateMachine}',
  });
});

test('where every stage is opt-in, only services whose own tag names one may be changed', () => {
  const changing = (stages: EcrDeployProps['stages'], clusters?: string[]) =>
    statements(new Synthesized({ ...(stages && { stages }), ...(clusters && { clusters }) }))
      .filter(({ statement }) => /ecs:(Update|StopService)/.test(JSON.stringify(statement.Action)))
      .flatMap(({ path, statement }) =>
        [statement.Resource]
          .flat()
          .map((resource) => [
            path.replace(/^EcrDeploy\/(\w+)\/.*$/, '$1'),
            statement.Action,
            DEFAULT.text(resource).replace(/^.*:/, ''),
            statement.Condition?.StringEquals?.['aws:ResourceTag/ecr-deploy:stage'],
          ]),
      );
  const all = (tag: string[] | undefined, of = '') => [
    ['UpdateService', 'ecs:UpdateService', `service${of}/*`, tag],
    ['RollBack', 'ecs:StopServiceDeployment', `service${of}/*`, tag],
    // AWS knows no tags of it; the call needs the service, too.
    ['RollBack', 'ecs:StopServiceDeployment', `service-deployment${of}/*`, undefined],
    ['RollBack', 'ecs:UpdateService', `service${of}/*`, tag],
  ];
  const optIn = (name: string) => ({ name, optIn: true, tags: ['*'] });

  assert.deepEqual(changing([optIn('staging'), optIn('production')]), all(['staging', 'production']));
  assert.deepEqual(changing([optIn('staging')], ['shop']), all(['staging'], '/shop'));
  assert.deepEqual(changing([optIn('staging'), { name: 'all', tags: ['*'] }]), all(undefined));
  assert.deepEqual(changing(undefined), all(undefined));
});

test('only the state machines deploy-image and sweep may read a parameter, and only the one that holds everything', () => {
  const reading = (holdParameter?: string) =>
    statements(new Synthesized(holdParameter === undefined ? {} : { holdParameter }))
      .filter(({ statement }) => JSON.stringify(statement.Action).includes('ssm:'))
      .map(({ path, statement }) => [path, statement.Action, DEFAULT.text(statement.Resource)]);
  const parameter = (name: string) => 'arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter' + name;
  const roles = ['DeployImage', 'Sweep'].map((machine) => `EcrDeploy/${machine}/Role/DefaultPolicy`);
  const all = (name: string) => roles.map((role) => [role, 'ssm:GetParameters', parameter(name)]);

  assert.deepEqual(reading(), all('/ecr-deploy/ecr-deploy/hold'));
  assert.deepEqual(reading('/teams/hold'), all('/teams/hold'));
});

test('only the state machine deploy-image may write to ECR, and only with tagLatest or a tagOnSuccess', () => {
  const writers = (settings: Partial<EcrDeployProps>) =>
    statements(new Synthesized(settings))
      .filter(({ statement }) => [statement.Action].flat().includes('ecr:PutImage'))
      .map(({ path }) => path);

  const tags = ['v*'];
  assert.deepEqual(writers({}), []);
  assert.deepEqual(writers({ stages: [{ name: 'all', tags }] }), []);
  const tagging = ['EcrDeploy/DeployImage/Role/DefaultPolicy'];
  assert.deepEqual(writers({ tagLatest: true }), tagging);
  assert.deepEqual(writers({ stages: [{ name: 'all', tags, tagOnSuccess: 'stable' }] }), tagging);
});

test('images are read in this account and in those of accounts, for pushes of any region, and tagged only here', () => {
  const settings = {
    accounts: ['111122223333', '210987654321'],
    repositories: ['web', 'team/worker'],
    tagLatest: true,
  };
  const ofEcr = statements(new Synthesized(settings))
    .filter(({ statement }) => JSON.stringify(statement.Action).includes('ecr:'))
    .map(({ path, statement }) => [
      path.replace(/^EcrDeploy\/(\w+)\/.*$/, '$1'),
      [statement.Resource].flat().map((resource: Json) => DEFAULT.text(resource)),
    ]);
  const read = (region: string) =>
    ['${AWS::AccountId}', ...settings.accounts].flatMap((account) =>
      settings.repositories.map((name) => `arn:\${AWS::Partition}:ecr:${region}:${account}:repository/${name}`),
    );
  const here = read('${AWS::Region}');

  assert.deepEqual(Object.fromEntries(ofEcr), {
    FindTaskDefinitions: read('*'),
    CheckStability: read('*'),
    FindMissedPushes: read('*'),
    // These ask if an image is there to move or to go back to, and no other region can be asked that.
    UpdateService: here,
    RollBack: here,
    DeployImage: here.slice(0, settings.repositories.length),
  });
});

test('accounts that make the policies too long are refused by that name', () => {
  const accounts = numbered(70, (at) => String(210987654321 + at));
  assert.throws(() => new Synthesized({ accounts, repositories: repositoriesOf(3) }), {
    name: 'SettingError',
    setting: 'accounts',
  });
});

test('conclude, which calls nothing, may only write its logs and traces', () => {
  const actions = statements(DEFAULT)
    .filter(({ path }) => path.startsWith(`EcrDeploy/${STEPS['conclude']}/`))
    .flatMap(({ statement }) => statement.Action);

  assert.deepEqual(actions.sort(), [
    'logs:CreateLogStream',
    'logs:PutLogEvents',
    'xray:PutTelemetryRecords',
    'xray:PutTraceSegments',
  ]);
});

for (const [step, construct] of Object.entries(STEPS)) {
  test(`${step} is allowed the ECS calls that its code makes, no more and no fewer`, () => {
    const allowed = statements(DEFAULT)
      .filter(({ path }) => path.startsWith(`EcrDeploy/${construct}/`))
      .flatMap(({ statement }) => statement.Action)
      .filter((action: string) => action.startsWith('ecs:') && action !== 'ecs:TagResource');

    assert.deepEqual([...new Set(allowed)].sort(), callsOf(step));
  });
}

/** The calls that a step's code makes by way of `ecr_deploy::aws::ecs`, read off the sources: `ecs:ListServices`, ... */
function callsOf(step: string): string[] {
  const methods = new Map(
    sources('functions', 'ecr-deploy', 'src', 'aws')
      .split(/\basync fn /)
      .slice(1)
      .map((method) => [/^\w+/.exec(method)?.[0] ?? '', method] as const),
  );
  const calls = new Set<string>();
  const visited = new Set<string>();
  const visit = (code: string, receiver: string) => {
    for (const [, method] of code.matchAll(new RegExp(`\\b${receiver}\\s*\\.(\\w+)\\(`, 'g'))) {
      const body = methods.get(method ?? '');
      if (method === undefined || body === undefined || visited.has(method)) {
        continue;
      }
      visited.add(method);
      for (const [, call] of body.matchAll(/\bself\s*\.client\s*\.(\w+)\(/g)) {
        calls.add(`ecs:${(call ?? '').replace(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase())}`);
      }
      visit(body, 'self');
    }
  };
  const code = sources('functions', step, 'src');
  visit(code, 'ecs');
  if (code.includes('read_services') && step !== 'find-task-definitions') {
    visit(source('functions', 'find-task-definitions', 'src', 'services.rs'), 'ecs');
  }
  if (code.includes('Mover')) {
    visit(source('functions', 'ecr-deploy', 'src', 'change', 'mover.rs'), 'ecs');
  }
  if (code.includes('Registration {')) {
    visit(source('functions', 'ecr-deploy', 'src', 'change', 'registration.rs'), 'ecs');
  }
  return [...calls].sort();
}

/** The Rust code of a folder, without its tests. */
function sources(...folder: string[]): string {
  const files = readdirSync(join(REPOSITORY_ROOT, ...folder), { encoding: 'utf8', recursive: true });
  const code = files.filter((file) => file.endsWith('.rs') && !file.endsWith('tests.rs'));
  return code.map((file) => source(...folder, file)).join('\n');
}

function source(...path: string[]): string {
  return readFileSync(join(REPOSITORY_ROOT, ...path), 'utf8');
}

/** The statements of all roles, not those of the queue. */
function statements(synthesized: Synthesized): { path: string; statement: Json }[] {
  return synthesized
    .ofType('AWS::IAM::Policy')
    .flatMap(({ path, properties }) =>
      properties.PolicyDocument.Statement.map((statement: Json) => ({ path, statement })),
    );
}

/** Every policy of the template (who may assume a role, what it may do, who may use the queue) for a person to read. */
function everyStatement(synthesized: Synthesized): string {
  const lines: string[] = [];
  for (const { path, type, properties } of synthesized.resources) {
    const document = properties.AssumeRolePolicyDocument ?? properties.PolicyDocument;
    if (document === undefined) {
      continue;
    }
    lines.push(`# ${path} (${type})`, '');
    for (const statement of document.Statement) {
      lines.push(...readable(synthesized, statement), '');
    }
  }
  return lines.join('\n');
}

function readable(synthesized: Synthesized, statement: Json): string[] {
  const { Sid, Effect, Principal, Action, Resource, Condition, ...rest } = statement;
  // A member that this does not know, such as NotAction, must not go unread.
  assert.deepEqual(rest, {});
  return [
    `${Effect} ${[Action].flat().join(', ')}${Sid === undefined ? '' : ` (${Sid})`}`,
    ...(Principal === undefined ? [] : [`  to ${JSON.stringify(Principal)}`]),
    ...(Resource === undefined ? [] : [Resource].flat().map((resource: Json) => `  on ${synthesized.text(resource)}`)),
    ...Object.entries<Json>(Condition ?? {}).flatMap(([operator, keys]) =>
      Object.entries(keys).map(([key, value]) => `  if ${operator} ${key} = ${synthesized.text(value)}`),
    ),
  ];
}
