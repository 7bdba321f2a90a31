import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { App, Duration, RemovalPolicy, NestedStack, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { builtFunctions } from '../app/functions';
import { REPOSITORY_ROOT } from '../app/repository-root';
import { Base, ImageReference, Rollback, Trigger } from '../lib/choices';
import { EcrDeploy } from '../lib/ecr-deploy';
import type { EcrDeployProps } from '../lib/settings';
import { assertGolden } from './golden';
import { type Json, REQUIRED, STEPS, Synthesized, WITHOUT_BUNDLING, WORKFLOWS } from './synthesized';

const functionOf = (synthesized: Synthesized, construct: string): Json =>
  synthesized.properties(`EcrDeploy/${construct}/Function`);
const pattern = (settings: Partial<EcrDeployProps>): Json =>
  new Synthesized(settings).properties('EcrDeploy/Push').EventPattern;

/** Artifacts that people push besides images, by the type that ECR tells. */
const ARTIFACTS = [
  'application/vnd.buildkit.cacheconfig.v0',
  'application/vnd.cncf.helm.config.v1+json',
  'application/vnd.cncf.notary.signature',
  'application/vnd.dev.cosign.artifact.sig.v1+json',
  'application/vnd.dev.sigstore.bundle.v0.3+json',
];

const DEFAULT = new Synthesized();
const GIVEN = new Synthesized({
  clusters: ['production', 'staging'],
  repositories: ['web', 'team/worker'],
  deployLatest: true,
  imageReference: ImageReference.DIGEST,
  scanFamilies: false,
  rolloutTimeout: Duration.minutes(5),
  pollInterval: Duration.seconds(10),
  architecture: Architecture.X86_64,
});
const KEY = 'arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f';
const TAG_LATEST = new Synthesized({ tagLatest: true });
const STAGES = new Synthesized({
  stages: [
    { name: 'previews', clusters: ['preview'], tags: ['pr-*'] },
    { name: 'staging', clusters: ['staging'], tags: ['main-*', 'semver:*'] },
    { name: 'asked', optIn: true, tags: ['*'] },
    {
      name: 'production',
      clusters: ['production'],
      services: ['web-*'],
      families: ['shop-*'],
      repositories: ['team/*'],
      tags: ['semver:>=1.0.0', '!*-dirty'],
      allowLower: true,
      after: 'staging',
      soak: Duration.minutes(15),
      rolloutTimeout: Duration.hours(1),
      imageReference: ImageReference.DIGEST,
      rollback: Rollback.NONE,
      tagOnSuccess: 'released',
      base: Base.NEWEST,
    },
  ],
});

test('there is one function for each of the seven steps, and no other', () => {
  const functions = DEFAULT.ofType('AWS::Lambda::Function').map(({ path }) => path);

  assert.deepEqual(
    functions,
    Object.values(STEPS).map((construct) => `EcrDeploy/${construct}/Function`),
  );
});

test('the program of the functions serves the handler of each of them, and no other', () => {
  const program = readFileSync(join(REPOSITORY_ROOT, 'functions', 'bootstrap', 'src', 'main.rs'), 'utf8');
  const served = [...program.matchAll(/^ *"([a-z-]+)" => /gm)].map(([, handler]) => handler);
  const handlers = DEFAULT.ofType('AWS::Lambda::Function').map(({ properties }) => properties.Handler as string);

  assert.deepEqual(served.sort(), handlers.sort());
});

for (const [step, construct] of Object.entries(STEPS)) {
  test(`${construct}: a native function with the name of its step as handler, traced, logging JSON into its own group`, () => {
    const synthesized = DEFAULT;
    const { Runtime, Handler, TracingConfig, LoggingConfig, Role } = functionOf(synthesized, construct);

    assert.deepEqual(
      { Runtime, Handler, TracingConfig },
      { Runtime: 'provided.al2023', Handler: step, TracingConfig: { Mode: 'Active' } },
    );
    assert.equal(LoggingConfig.LogFormat, 'JSON');
    assert.equal(synthesized.text(LoggingConfig.LogGroup), `\${EcrDeploy/${construct}/Logs}`);
    assert.equal(synthesized.text(Role), `\${EcrDeploy/${construct}/Role.Arn}`);
  });

  test(`${construct}: gets every setting that the functions know, as one JSON document that they can read`, () => {
    for (const [name, synthesized] of Object.entries({
      default: DEFAULT,
      given: GIVEN,
      'tag-latest': TAG_LATEST,
      stages: STAGES,
    })) {
      const { Variables } = functionOf(synthesized, construct).Environment;

      assert.deepEqual(Object.keys(Variables), ['SETTINGS']);
      // functions/ecr-deploy/src/function/config.rs reads these files.
      assertGolden(`settings-${name}.json`, `${JSON.stringify(JSON.parse(Variables.SETTINGS), undefined, 2)}\n`);
    }
  });

  test(`${construct}: is built for the processor that is set`, () => {
    assert.deepEqual(functionOf(DEFAULT, construct).Architectures, ['arm64']);
    assert.deepEqual(functionOf(GIVEN, construct).Architectures, ['x86_64']);
  });
}

for (const [maxConcurrency, groups, atOnce] of [
  [undefined, '10', '40'],
  [1, '1', '1'],
  [40, '1', '40'],
  [41, '2', '21'],
  [100, '3', '34'],
  [1600, '40', '40'],
] as const) {
  test(`a concurrency of ${maxConcurrency ?? 'the default'} is ${groups} groups of ${atOnce}, none above forty`, () => {
    const synthesized = new Synthesized(maxConcurrency === undefined ? {} : { maxConcurrency });
    const substitutions: Json = synthesized.properties('EcrDeploy/DeployImage/StateMachine').DefinitionSubstitutions;

    assert.deepEqual([substitutions.groups, substitutions.atOnce], [groups, atOnce]);
  });
}

const HERE = { Ref: 'AWS::AccountId' };

test('trigger putImage: the pushes that CloudTrail records, without those that were refused', () => {
  assert.deepEqual(pattern({ trigger: Trigger.PUT_IMAGE }), {
    source: ['aws.ecr'],
    account: [HERE],
    'detail-type': ['AWS API Call via CloudTrail'],
    detail: {
      eventSource: ['ecr.amazonaws.com'],
      eventName: ['PutImage'],
      errorCode: [{ exists: false }],
      requestParameters: { imageTag: [{ 'anything-but': ['latest'] }] },
    },
  });
});

test('trigger putImage with repositories: only pushes to these', () => {
  assert.deepEqual(pattern({ trigger: Trigger.PUT_IMAGE, repositories: ['web', 'team/worker'] }), {
    source: ['aws.ecr'],
    account: [HERE],
    'detail-type': ['AWS API Call via CloudTrail'],
    detail: {
      eventSource: ['ecr.amazonaws.com'],
      eventName: ['PutImage'],
      errorCode: [{ exists: false }],
      requestParameters: { imageTag: [{ 'anything-but': ['latest'] }], repositoryName: ['web', 'team/worker'] },
    },
  });
});

test('trigger imageAction, the default, needs no trail: the tagged pushes that ECR itself reports as successful', () => {
  const expected = {
    source: ['aws.ecr'],
    account: [HERE],
    'detail-type': ['ECR Image Action'],
    detail: {
      'action-type': ['PUSH'],
      result: ['SUCCESS'],
      'image-tag': [{ 'anything-but': ['', 'latest'] }],
      'artifact-media-type': [{ exists: false }, { 'anything-but': ARTIFACTS }],
    },
  };

  assert.deepEqual(pattern({}), expected);
  assert.deepEqual(pattern({ trigger: Trigger.IMAGE_ACTION }), expected);
});

test('trigger imageAction: an image starts a deployment, whatever ECR calls it, and a cache or a chart does not', () => {
  const images = ['application/vnd.docker.container.image.v1+json', 'application/vnd.oci.image.config.v1+json'];

  assert.deepEqual(
    ARTIFACTS.filter((artifact) => images.includes(artifact) || artifact.includes('index')),
    [],
  );
});

test('repositories that do not fit into one pattern are shared by several rules, each short enough', () => {
  const repositories = Array.from({ length: 85 }, (_, place) => `team/a-repository-of-30-letters${place + 10}`);
  for (const trigger of [Trigger.PUT_IMAGE, Trigger.IMAGE_ACTION]) {
    const rules = new Synthesized({ repositories, trigger })
      .ofType('AWS::Events::Rule')
      .filter(({ path }) => !['EcrDeploy/Ended', 'EcrDeploy/Swept'].includes(path));
    const patterns: Json[] = rules.map(({ properties }) => properties.EventPattern);
    const named = patterns.flatMap(({ detail }) =>
      trigger === Trigger.PUT_IMAGE ? detail.requestParameters.repositoryName : detail['repository-name'],
    );

    assert.ok(rules.length > 1);
    assert.deepEqual(named.sort(), [...repositories].sort());
    for (const eventPattern of patterns) {
      assert.ok(JSON.stringify(eventPattern).length <= 2048, JSON.stringify(eventPattern));
    }
  }
});

for (const trigger of [Trigger.IMAGE_ACTION, Trigger.PUT_IMAGE]) {
  test(`trigger ${trigger}: an event of another account counts only when the settings name that account`, () => {
    assert.deepEqual(pattern({ trigger }).account, [HERE]);
    assert.deepEqual(pattern({ trigger, accounts: ['210987654321'] }).account, [HERE, '210987654321']);
  });
}

for (const trigger of [Trigger.PUT_IMAGE, Trigger.IMAGE_ACTION]) {
  test(`trigger ${trigger}: more accounts than the pattern of a rule has room for are refused`, () => {
    const accountsOf = (count: number) => Array.from({ length: count }, (_, place) => String(210987654321 + place));
    // The policies of the roles have room for fewer accounts where the name of a repository is long.
    for (const [length, count] of [
      [20, 80],
      [256, 20],
    ] as const) {
      const repositories = ['a'.repeat(length)];
      const [rule] = new Synthesized({ trigger, repositories, accounts: accountsOf(count) }).ofType(
        'AWS::Events::Rule',
      );
      assert.ok(JSON.stringify(rule?.properties.EventPattern).length <= 2048);
    }
    assert.throws(() => new Synthesized({ trigger, accounts: accountsOf(140) }), {
      name: 'SettingError',
      message:
        /^ecr-deploy: setting "accounts" is "140 ids": the pattern of a rule would have 2\d{3} characters, and EventBridge has room for 2048; name fewer accounts, only those that push\.$/,
    });
  });
}

test('what no stage takes starts nothing where the pattern of a rule can tell; where it cannot, every tag does', () => {
  const tags = (settings: Partial<EcrDeployProps>) => {
    const { detail } = pattern({ trigger: Trigger.PUT_IMAGE, ...settings });
    assert.deepEqual(
      detail.requestParameters.repositoryName,
      undefined,
      'a service may say itself which stage it is in',
    );
    return [
      detail.requestParameters.imageTag,
      pattern({ trigger: Trigger.IMAGE_ACTION, ...settings }).detail['image-tag'],
    ];
  };
  const release = { name: 'release', tags: ['semver:*'], repositories: ['shop/*'] };

  assert.deepEqual(tags({ stages: [release] }), Array(2).fill([{ wildcard: '*.*.*' }]));
  const preview = { name: 'preview', tags: ['pr-*'], optIn: true };
  assert.deepEqual(tags({ stages: [preview, release] }), Array(2).fill([{ prefix: 'pr-' }, { wildcard: '*.*.*' }]));
  const all = [[{ exists: true }], [{ 'anything-but': [''] }]];
  assert.deepEqual(tags({ stages: [release, { name: 'rest', tags: ['regex:.*[0-9]'] }] }), all);
  assert.deepEqual(tags({ deployLatest: true }), all);
});

test('trigger imageAction with repositories: only pushes to these', () => {
  assert.deepEqual(pattern({ trigger: Trigger.IMAGE_ACTION, repositories: ['web'] }).detail, {
    'action-type': ['PUSH'],
    result: ['SUCCESS'],
    'image-tag': [{ 'anything-but': ['', 'latest'] }],
    'artifact-media-type': [{ exists: false }, { 'anything-but': ARTIFACTS }],
    'repository-name': ['web'],
  });
});

test('the stack says in one sentence which tags move which services', () => {
  const says = (synthesized: Synthesized) => synthesized.template.toJSON()['Outputs'].WhatIsDeployed.Value;

  assert.equal(says(DEFAULT), 'Which tags move the services of which stage: all: *, !latest');
  assert.equal(
    says(STAGES),
    'Which tags move the services of which stage: previews: pr-*; staging: main-*, semver:*; asked: *; ' +
      'production: semver:>=1.0.0, !*-dirty',
  );
});

test('the rule starts push with the whole event, attempts for a day, and then keeps the event in the queue', () => {
  const synthesized = DEFAULT;
  const rule = synthesized.properties('EcrDeploy/Push');
  const [target, ...others] = rule.Targets;
  const { Arn, RoleArn, DeadLetterConfig, RetryPolicy, ...rest } = target;

  assert.equal(rule.State, 'ENABLED');
  assert.deepEqual(others, []);
  // Neither Input nor InputPath nor InputTransformer.
  assert.deepEqual(Object.keys(rest), ['Id']);
  assert.equal(synthesized.text(Arn), '${EcrDeploy/PushMachine/StateMachine}');
  assert.equal(synthesized.text(RoleArn), '${EcrDeploy/PushRole.Arn}');
  assert.equal(synthesized.text(DeadLetterConfig.Arn), '${EcrDeploy/DeadLetterQueue.Arn}');
  assert.deepEqual(RetryPolicy, { MaximumEventAgeInSeconds: 86_400, MaximumRetryAttempts: 185 });
});

test('the dead-letter queue is encrypted and keeps an event as long as SQS can', () => {
  assert.deepEqual(DEFAULT.properties('EcrDeploy/DeadLetterQueue'), {
    SqsManagedSseEnabled: true,
    MessageRetentionPeriod: 1_209_600,
  });
});

test('each log group is kept as long as logRetention says, three months by default', () => {
  const retentions = (settings: Partial<EcrDeployProps>) =>
    new Synthesized(settings).ofType('AWS::Logs::LogGroup').map(({ properties }) => properties.RetentionInDays);

  assert.deepEqual(retentions({}), Array(12).fill(90));
  assert.deepEqual(retentions({ logRetention: RetentionDays.ONE_WEEK }), Array(12).fill(7));
  assert.deepEqual(retentions({ logRetention: RetentionDays.INFINITE }), Array(12).fill(undefined));
});

test('the stack tells where the state machines, the functions, their logs and the dead-letter queue are', () => {
  const synthesized = DEFAULT;
  const outputs = Object.entries<Json>(synthesized.template.toJSON()['Outputs'])
    .filter(([name]) => name !== 'WhatIsDeployed')
    .map(([name, output]) => [name, synthesized.text(output.Value)]);
  const steps = Object.values(STEPS).flatMap((construct) => [
    [`${construct}Function`, `\${EcrDeploy/${construct}/Function}`],
    [`${construct}Logs`, `\${EcrDeploy/${construct}/Logs}`],
  ]);

  assert.deepEqual(Object.fromEntries(outputs), {
    PushArn: '${EcrDeploy/PushMachine/StateMachine}',
    PushLogs: '${EcrDeploy/PushMachine/Logs}',
    DeployImageArn: '${EcrDeploy/DeployImage/StateMachine}',
    DeployServiceArn: '${EcrDeploy/DeployService/StateMachine}',
    HoldParameter: '/ecr-deploy/ecr-deploy/hold',
    ReadersPolicyArn: '${EcrDeploy/Access/Readers}',
    OperatorsPolicyArn: '${EcrDeploy/Access/Operators}',
    DeployImageLogs: '${EcrDeploy/DeployImage/Logs}',
    DeployServiceLogs: '${EcrDeploy/DeployService/Logs}',
    TellEndLogs: '${EcrDeploy/TellEnd/Logs}',
    SweepArn: '${EcrDeploy/Sweep/StateMachine}',
    SweepLogs: '${EcrDeploy/Sweep/Logs}',
    DeadLetterQueueUrl: '${EcrDeploy/DeadLetterQueue}',
    ...Object.fromEntries(steps),
  });
});

test('a stack that somebody makes with the construct has each output that the pages and the command name, whatever the construct is called', () => {
  const app = new App({ context: WITHOUT_BUNDLING });
  const stack = new Stack(app, 'of-ones-own');
  const binaries = builtFunctions(stack, Architecture.ARM_64);
  new EcrDeploy(stack, 'Deployments', { ...REQUIRED, binaries, notificationTopic: true });
  const outputs = Object.keys(Template.fromStack(stack).toJSON()['Outputs'] as object);

  const files = ['docs/operations.md', 'docs/cli.md', 'docs/limits.md', 'cli/src/error.rs', 'cli/src/aws.rs'];
  const texts = files.map((file) => readFileSync(join(REPOSITORY_ROOT, file), 'utf8')).join('\n');
  const named = [...texts.matchAll(/\$\(output (\w+)\)|\b(\w+PolicyArn)\b|[Oo]utput `(\w+)`/g)].map(([, ...groups]) =>
    groups.join(''),
  );
  assert.ok(new Set(named).size >= 7, String(named));
  assert.deepEqual(
    named.filter((name) => !outputs.includes(name)),
    [],
  );
  assert.deepEqual(
    outputs.sort(),
    Object.keys(new Synthesized({ notificationTopic: true }).template.toJSON()['Outputs'] as object).sort(),
  );
});

test('the parameter that holds everything is read by its name, and is no resource that a deployment could write', () => {
  for (const [settings, name] of [
    [{}, '/ecr-deploy/ecr-deploy/hold'],
    [{ holdParameter: '/teams/web/hold' }, '/teams/web/hold'],
  ] as const) {
    const synthesized = new Synthesized(settings);
    const { hold } = synthesized.properties('EcrDeploy/DeployImage/StateMachine').DefinitionSubstitutions;
    assert.equal(hold, name);
    assert.equal(synthesized.stack.ecrDeploy.holdParameter, name);
    const written = synthesized.ofType('AWS::SSM::Parameter').map(({ properties }) => properties.Name as string);
    assert.deepEqual(written, ['/ecr-deploy/ecr-deploy/installation']);
  }
});

test('a parameter tells the command where the state machines are, and the settings as the functions have them', () => {
  const { Value } = DEFAULT.properties('EcrDeploy/Installation');
  const { settings, ...installation } = JSON.parse(DEFAULT.text(Value)) as Record<string, unknown>;
  const { SETTINGS } = DEFAULT.properties('EcrDeploy/Conclude/Function').Environment.Variables;

  assert.deepEqual(settings, JSON.parse(SETTINGS as string));
  assert.deepEqual(installation, {
    push: '${EcrDeploy/PushMachine/StateMachine}',
    deployImage: '${EcrDeploy/DeployImage/StateMachine}',
    deployService: '${EcrDeploy/DeployService/StateMachine}',
    sweep: '${EcrDeploy/Sweep/StateMachine}',
    holdParameter: '/ecr-deploy/ecr-deploy/hold',
    deadLetterQueueUrl: '${EcrDeploy/DeadLetterQueue}',
    trigger: Trigger.IMAGE_ACTION,
    passRoles: ['arn:aws:iam::123456789012:role/app-*'],
  });
});

test('the parameter has room for the roles, or is without them', () => {
  const told = (count: number): unknown => {
    const passRoles = Array.from({ length: count }, (_, at) => `arn:aws:iam::123456789012:role/service-${at}`);
    const { Value } = new Synthesized({ passRoles }).properties('EcrDeploy/Installation');
    return JSON.parse(DEFAULT.text(Value)).passRoles?.length;
  };
  assert.equal(told(20), 20);
  assert.equal(told(40), undefined);
});

test('the functions, their roles and all log groups are reachable from the construct', () => {
  const { ecrDeploy } = DEFAULT.stack;
  const steps = Object.values(ecrDeploy.steps);
  const reachable = [
    ...steps.flatMap(({ function: lambda, role, logGroup }) => [lambda, role, logGroup]),
    ...Object.values(ecrDeploy.logs),
  ].map(({ node }) => node.path.replace('ecr-deploy/', ''));
  const made = DEFAULT.resources
    .filter(({ type }) => ['AWS::Lambda::Function', 'AWS::Logs::LogGroup'].includes(type))
    .map(({ path }) => path);

  assert.deepEqual(
    made.filter((path) => !reachable.includes(path)),
    [],
  );
  assert.equal(new Set(reachable).size, 7 * 3 + 5);
});

test('logs and queue go with the stack, or stay when removalPolicy says so, but not those of a deployment rolled back', () => {
  const policies = (settings: Partial<EcrDeployProps>) =>
    Object.values<Json>(new Synthesized(settings).template.toJSON()['Resources'])
      .filter(({ Type }) => ['AWS::Logs::LogGroup', 'AWS::SQS::Queue'].includes(Type))
      .map(({ DeletionPolicy }) => DeletionPolicy);

  assert.deepEqual(policies({}), Array(13).fill('Delete'));
  assert.deepEqual(policies({ removalPolicy: RemovalPolicy.RETAIN }), Array(13).fill('RetainExceptOnCreate'));
});

test('with a key of the customer, logs, queue and executions are encrypted by it, and the state machines may use it', () => {
  const synthesized = new Synthesized({ encryptionKey: KEY });

  for (const { path, properties } of synthesized.ofType('AWS::Logs::LogGroup')) {
    assert.equal(properties.KmsKeyId, KEY, path);
  }
  assert.equal(synthesized.properties('EcrDeploy/DeadLetterQueue').KmsMasterKeyId, KEY);
  for (const machine of Object.values(WORKFLOWS)) {
    const { EncryptionConfiguration } = synthesized.properties(`EcrDeploy/${machine}/StateMachine`);
    assert.deepEqual(EncryptionConfiguration, { KmsKeyId: KEY, Type: 'CUSTOMER_MANAGED_KMS_KEY' });
    const using = synthesized
      .properties(`EcrDeploy/${machine}/Role/DefaultPolicy`)
      .PolicyDocument.Statement.filter(({ Action }: Json) => JSON.stringify(Action).includes('kms:'));
    assert.deepEqual(
      using.map(({ Sid, Resource, Condition }: Json) => [
        Sid,
        Resource,
        ...Object.values<Json>(Condition)
          .flatMap((keys) => Object.values<Json>(keys))
          .map((arn) => synthesized.text(arn)),
      ]),
      [
        ['EncryptExecutions', KEY, 'arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:*'],
        ['EncryptLogs', KEY, 'arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:*'],
      ],
    );
  }
});

test('a key that the CDK made gets the policy by which logs and dead letters can be encrypted', () => {
  const stack = new Stack(new App({ context: WITHOUT_BUNDLING }), 'with-key');
  const binaries = builtFunctions(stack, Architecture.ARM_64);
  new EcrDeploy(stack, 'EcrDeploy', { ...REQUIRED, binaries, encryptionKey: new Key(stack, 'Key') });
  const [key] = Object.values<Json>(Template.fromStack(stack).findResources('AWS::KMS::Key'));

  assert.deepEqual(
    key.Properties.KeyPolicy.Statement.map(({ Sid }: Json) => Sid).filter((sid: unknown) => sid !== undefined),
    ['EncryptLogs', 'FillDeadLetterQueue', 'DeliverLogs'],
  );
  // As the CDK gives it: AWS documents no condition that this call would meet.
  assert.deepEqual(key.Properties.KeyPolicy.Statement.at(-1), {
    Sid: 'DeliverLogs',
    Action: 'kms:Decrypt*',
    Effect: 'Allow',
    Principal: { Service: 'delivery.logs.amazonaws.com' },
    Resource: '*',
  });
});

test('a nested stack, whose name CloudFormation makes, can hold an installation', () => {
  const nested = new NestedStack(new Stack(new App({ context: WITHOUT_BUNDLING }), 'outer'), 'Inner');
  new EcrDeploy(nested, 'EcrDeploy', { ...REQUIRED, binaries: builtFunctions(nested, Architecture.ARM_64) });
  const [parameter] = Object.values<Json>(Template.fromStack(nested).findResources('AWS::SSM::Parameter'));

  assert.deepEqual(parameter.Properties.Name, {
    'Fn::Join': ['', ['/ecr-deploy/', { Ref: 'AWS::StackName' }, '/installation']],
  });
});

test('one stack holds one installation, as two would have the same names', () => {
  const app = new App({ context: WITHOUT_BUNDLING });
  const stacks = [new Stack(app, 'first'), new Stack(app, 'second')] as const;
  const props = { ...REQUIRED, binaries: builtFunctions(stacks[0], Architecture.ARM_64) };
  for (const stack of stacks) {
    new EcrDeploy(stack, 'EcrDeploy', props);
    assert.throws(() => new EcrDeploy(stack, 'Two', props), {
      name: 'SettingError',
      message:
        `ecr-deploy: setting "id" is "Two": the stack ${stack.node.id} holds an installation already, ` +
        `${stack.node.path}/EcrDeploy, and one stack holds one; put this one into a second stack.`,
    });
  }
});

test('every role has the boundary, the path and the prefix that the settings give, and a name of its own', () => {
  const boundary = 'arn:aws:iam::123456789012:policy/boundary';
  const named = { permissionsBoundary: boundary, rolePath: '/teams/web/', rolePrefix: 'app-ecr-deploy-' };
  // A stack does not know its region before it is deployed, unless it is told: the names of roles are those of an account.
  const props = [{}, { stackName: 'another' }, { env: { region: 'ap-southeast-1' } }, { env: { region: 'eu-west-1' } }];
  const roles = props
    .map((each) => new Synthesized(named, each))
    .flatMap((synthesized) =>
      synthesized.ofType('AWS::IAM::Role').map(({ properties }) => {
        const RoleName = synthesized.text(properties.RoleName);
        assert.match(RoleName, /-(\$\{AWS::Region\}|ap-southeast-1|eu-west-1)$/);
        return { ...properties, RoleName: RoleName.replace('${AWS::Region}', 'longest-region1') };
      }),
    );

  assert.equal(roles.length, 60);
  for (const { PermissionsBoundary, Path, RoleName } of roles) {
    assert.deepEqual({ PermissionsBoundary, Path }, { PermissionsBoundary: boundary, Path: '/teams/web/' });
    assert.match(RoleName, /^app-ecr-deploy-[\w-]+$/);
    assert.ok(RoleName.length <= 64, RoleName);
  }
  assert.equal(new Set(roles.map(({ RoleName }) => RoleName)).size, 60);
});

test('without these settings CloudFormation names the roles', () => {
  for (const { path, properties } of DEFAULT.ofType('AWS::IAM::Role')) {
    const { PermissionsBoundary, Path, RoleName } = properties;
    assert.deepEqual([PermissionsBoundary, Path, RoleName], [undefined, undefined, undefined], path);
  }
});

test('two stacks have no name in common: no output is exported, and what has a fixed name has that of its stack', () => {
  const fixed = (stackName: string) => {
    const synthesized = new Synthesized({}, { stackName });
    const names = synthesized.resources.flatMap(({ properties }) =>
      Object.entries<Json>(properties)
        .filter(([name, value]) => /^(\w*Name)$/.test(name) && name !== 'PolicyName' && typeof value === 'string')
        .map(([, value]) => value as string),
    );
    const exported = Object.values<Json>(synthesized.template.toJSON()['Outputs']).filter(({ Export }) => Export);
    assert.deepEqual(exported, []);
    return names;
  };
  const [one, other] = [fixed('ecr-deploy'), fixed('ecr-deploy-staging')];

  assert.equal(one.length, 14);
  assert.deepEqual(
    one.filter((name) => other.includes(name)),
    [],
  );
});

for (const name of ['*', '**', '?*', '*?', '*/*', '??*']) {
  const everything = `arn:aws:iam::123456789012:role/${name}`;
  test(`a warning tells what passRoles ${everything} allows`, () => {
    const warnings = warningsOf(new Synthesized({ passRoles: [everything] }));

    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? '', /who may push an image may then run it with any role/);
  });
}

test('no warning for passRoles that name some roles', () => {
  assert.deepEqual(warningsOf(DEFAULT), []);
  assert.deepEqual(warningsOf(new Synthesized({ passRoles: ['arn:aws:iam::123456789012:role/apps/*'] })), []);
});

function warningsOf(synthesized: Synthesized): string[] {
  return Annotations.fromStack(synthesized.stack)
    .findWarning('*', Match.anyValue())
    .map(({ entry }) => JSON.stringify(entry.data));
}

test('the logical ids of what holds state or is referred to from outside stay as they are', () => {
  const lasting = ['AWS::StepFunctions::StateMachine', 'AWS::SQS::Queue', 'AWS::Events::Rule'];
  const ids = Object.entries<Json>(DEFAULT.template.toJSON()['Resources'])
    .filter(([, resource]) => lasting.includes(resource.Type))
    .map(([id]) => id);

  assert.deepEqual(ids.sort(), [
    'EcrDeployDeadLetterQueue71B4E345',
    'EcrDeployDeployImageStateMachineED77FE80',
    'EcrDeployDeployServiceStateMachineFE58749A',
    'EcrDeployEnded53072B23',
    'EcrDeployPush18CCE5A5',
    'EcrDeployPushMachineStateMachineE43FD1CD',
    'EcrDeploySweepStateMachine8584D686',
    'EcrDeploySwept85E6743E',
    'EcrDeployTellEndStateMachineC3530369',
  ]);
});
