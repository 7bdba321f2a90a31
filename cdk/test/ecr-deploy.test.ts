import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Duration } from 'aws-cdk-lib';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { EcrDeployProps } from '../lib/ecr-deploy';
import { type Json, STEPS, Synthesized } from './synthesized';

const functionOf = (synthesized: Synthesized, construct: string): Json =>
  synthesized.properties(`EcrDeploy/${construct}/Function`);
const pattern = (settings: Partial<EcrDeployProps>): Json =>
  new Synthesized(settings).properties('EcrDeploy/Push').EventPattern;

/** What people push besides images, by the type that ECR tells. */
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
  imageReference: 'digest',
  scanFamilies: false,
  rolloutTimeout: Duration.minutes(5),
  pollInterval: Duration.seconds(10),
  architecture: 'x86_64',
});
const TAG_LATEST = new Synthesized({ tagLatest: true });

test('there is one function for each of the six steps, and no other', () => {
  const functions = DEFAULT.ofType('AWS::Lambda::Function').map(({ path }) => path);

  assert.deepEqual(
    functions,
    Object.values(STEPS).map((construct) => `EcrDeploy/${construct}/Function`),
  );
});

for (const construct of Object.values(STEPS)) {
  test(`${construct}: a native function, traced, logging JSON into its own group`, () => {
    const synthesized = DEFAULT;
    const { Runtime, Handler, TracingConfig, LoggingConfig, Role } = functionOf(synthesized, construct);

    assert.deepEqual(
      { Runtime, Handler, TracingConfig },
      { Runtime: 'provided.al2023', Handler: 'bootstrap', TracingConfig: { Mode: 'Active' } },
    );
    assert.equal(LoggingConfig.LogFormat, 'JSON');
    assert.equal(synthesized.text(LoggingConfig.LogGroup), `\${EcrDeploy/${construct}/Logs}`);
    assert.equal(synthesized.text(Role), `\${EcrDeploy/${construct}/Role.Arn}`);
  });

  test(`${construct}: gets every setting that the functions know, by default`, () => {
    assert.deepEqual(functionOf(DEFAULT, construct).Environment, {
      Variables: {
        CLUSTERS: '',
        REPOSITORIES: '',
        DEPLOY_LATEST: 'false',
        TAG_LATEST: 'false',
        IMAGE_REFERENCE: 'tag',
        SCAN_FAMILIES: 'true',
        ROLLOUT_TIMEOUT_SECONDS: '1800',
        POLL_INTERVAL_SECONDS: '15',
      },
    });
  });

  test(`${construct}: gets every setting that the functions know, as it was given`, () => {
    assert.deepEqual(functionOf(GIVEN, construct).Environment, {
      Variables: {
        CLUSTERS: 'production,staging',
        REPOSITORIES: 'web,team/worker',
        DEPLOY_LATEST: 'true',
        TAG_LATEST: 'false',
        IMAGE_REFERENCE: 'digest',
        SCAN_FAMILIES: 'false',
        ROLLOUT_TIMEOUT_SECONDS: '300',
        POLL_INTERVAL_SECONDS: '10',
      },
    });
    assert.equal(functionOf(TAG_LATEST, construct).Environment.Variables.TAG_LATEST, 'true');
  });

  test(`${construct}: is built for the processor that is set`, () => {
    assert.deepEqual(functionOf(DEFAULT, construct).Architectures, ['arm64']);
    assert.deepEqual(functionOf(GIVEN, construct).Architectures, ['x86_64']);
  });
}

test('binaries: functions that are ready are deployed as they are, and nothing else is another', () => {
  withBinaries(Object.keys(STEPS), (binaries) => {
    const given = new Synthesized({ binaries });
    for (const construct of Object.values(STEPS)) {
      const { Code: built, ...expected } = functionOf(DEFAULT, construct);
      const { Code: ready, ...others } = functionOf(given, construct);
      assert.deepEqual(others, expected);
      assert.notDeepEqual(ready, built);
    }
    const codes = given.ofType('AWS::Lambda::Function').map(({ properties }) => properties.Code.S3Key);
    assert.equal(new Set(codes).size, codes.length, 'each function is another one');
  });
});

test('binaries: a folder that lacks a function is refused, with the file that is missing', () => {
  const packages = Object.keys(STEPS).filter((name) => name !== 'roll-back');
  withBinaries(packages, (binaries) => {
    assert.throws(() => new Synthesized({ binaries }), {
      name: 'SettingError',
      message: `ecr-deploy: setting "binaries" is "${binaries}": it has no file roll-back/bootstrap.`,
    });
  });
});

function withBinaries(packages: readonly string[], check: (binaries: string) => void): void {
  const binaries = mkdtempSync(join(tmpdir(), 'ecr-deploy-'));
  try {
    for (const name of packages) {
      mkdirSync(join(binaries, name));
      writeFileSync(join(binaries, name, 'bootstrap'), name);
    }
    check(binaries);
  } finally {
    rmSync(binaries, { recursive: true });
  }
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

test('trigger putImage: the pushes that CloudTrail records, without those that were refused', () => {
  const expected = {
    source: ['aws.ecr'],
    'detail-type': ['AWS API Call via CloudTrail'],
    detail: {
      eventSource: ['ecr.amazonaws.com'],
      eventName: ['PutImage'],
      errorCode: [{ exists: false }],
      requestParameters: { imageTag: [{ exists: true }] },
    },
  };

  assert.deepEqual(pattern({}), expected);
  assert.deepEqual(pattern({ trigger: 'putImage' }), expected);
});

test('trigger putImage with repositories: only pushes to these', () => {
  assert.deepEqual(pattern({ repositories: ['web', 'team/worker'] }), {
    source: ['aws.ecr'],
    'detail-type': ['AWS API Call via CloudTrail'],
    detail: {
      eventSource: ['ecr.amazonaws.com'],
      eventName: ['PutImage'],
      errorCode: [{ exists: false }],
      requestParameters: { imageTag: [{ exists: true }], repositoryName: ['web', 'team/worker'] },
    },
  });
});

test('trigger imageAction: the tagged pushes that ECR itself reports as successful', () => {
  assert.deepEqual(pattern({ trigger: 'imageAction' }), {
    source: ['aws.ecr'],
    'detail-type': ['ECR Image Action'],
    detail: {
      'action-type': ['PUSH'],
      result: ['SUCCESS'],
      'image-tag': [{ 'anything-but': [''] }],
      'artifact-media-type': [{ exists: false }, { 'anything-but': ARTIFACTS }],
    },
  });
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
  for (const trigger of ['putImage', 'imageAction'] as const) {
    const rules = new Synthesized({ repositories, trigger }).ofType('AWS::Events::Rule');
    const patterns: Json[] = rules.map(({ properties }) => properties.EventPattern);
    const named = patterns.flatMap(({ detail }) =>
      trigger === 'putImage' ? detail.requestParameters.repositoryName : detail['repository-name'],
    );

    assert.ok(rules.length > 1);
    assert.deepEqual(named.sort(), [...repositories].sort());
    for (const eventPattern of patterns) {
      assert.ok(JSON.stringify(eventPattern).length <= 2048, JSON.stringify(eventPattern));
    }
  }
});

test('trigger imageAction with repositories: only pushes to these', () => {
  assert.deepEqual(pattern({ trigger: 'imageAction', repositories: ['web'] }).detail, {
    'action-type': ['PUSH'],
    result: ['SUCCESS'],
    'image-tag': [{ 'anything-but': [''] }],
    'artifact-media-type': [{ exists: false }, { 'anything-but': ARTIFACTS }],
    'repository-name': ['web'],
  });
});

test('the stack says in one sentence which pushes move which services', () => {
  const { Value } = DEFAULT.template.toJSON()['Outputs'].WhatIsDeployed;

  assert.equal(
    Value,
    'Every tag that is pushed goes to every service that runs its repository, pr-123 and dev too; ' +
      'only latest needs the setting deployLatest.',
  );
});

test('the rule starts deploy-image with the whole event, tries for a day, and then keeps the event in the queue', () => {
  const synthesized = DEFAULT;
  const rule = synthesized.properties('EcrDeploy/Push');
  const [target, ...others] = rule.Targets;
  const { Arn, RoleArn, DeadLetterConfig, RetryPolicy, ...rest } = target;

  assert.equal(rule.State, 'ENABLED');
  assert.deepEqual(others, []);
  // Neither Input nor InputPath nor InputTransformer.
  assert.deepEqual(Object.keys(rest), ['Id']);
  assert.equal(synthesized.text(Arn), '${EcrDeploy/DeployImage/StateMachine}');
  assert.equal(synthesized.text(RoleArn), '${EcrDeploy/DeployImage/StateMachine/EventsRole.Arn}');
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

  assert.deepEqual(retentions({}), Array(8).fill(90));
  assert.deepEqual(retentions({ logRetention: RetentionDays.ONE_WEEK }), Array(8).fill(7));
  assert.deepEqual(retentions({ logRetention: RetentionDays.INFINITE }), Array(8).fill(undefined));
});

test('the stack tells where the state machines and the dead-letter queue are', () => {
  const synthesized = DEFAULT;
  const outputs = Object.entries<Json>(synthesized.template.toJSON()['Outputs'])
    .filter(([name]) => name !== 'WhatIsDeployed')
    .map(([name, output]) => [name, synthesized.text(output.Value)]);

  assert.deepEqual(Object.fromEntries(outputs), {
    DeployImageArn: '${EcrDeploy/DeployImage/StateMachine}',
    DeployServiceArn: '${EcrDeploy/DeployService/StateMachine}',
    DeadLetterQueueUrl: '${EcrDeploy/DeadLetterQueue}',
  });
});

test('the logical ids of what holds state or is referred to from outside stay as they are', () => {
  const lasting = ['AWS::StepFunctions::StateMachine', 'AWS::SQS::Queue', 'AWS::Events::Rule'];
  const ids = Object.entries<Json>(DEFAULT.template.toJSON()['Resources'])
    .filter(([, resource]) => lasting.includes(resource.Type))
    .map(([id]) => id);

  assert.deepEqual(ids.sort(), [
    'EcrDeployDeadLetterQueue71B4E345',
    'EcrDeployDeployImageStateMachineED77FE80',
    'EcrDeployDeployServiceStateMachineFE58749A',
    'EcrDeployPush18CCE5A5',
  ]);
});
