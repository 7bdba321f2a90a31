/** Who hears of a push: the topic, the ends that an execution cannot tell itself, the alarms, the dashboard, the saved query. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { builtFunctions } from '../app/functions';
import { EcrDeploy } from '../lib/ecr-deploy';
import { QUERY } from '../lib/query-of-push';
import { type Json, REQUIRED, STEPS, Synthesized, WITHOUT_BUNDLING } from './synthesized';

const TOPIC = 'arn:aws:sns:eu-west-1:123456789012:deployments';
const MACHINES = ['DeployImage', 'TellEnd'];
const DEFAULT = new Synthesized();
const NEW = new Synthesized({ notificationTopic: true });

const topicOf = (synthesized: Synthesized, machine: string) =>
  synthesized.text(synthesized.properties(`EcrDeploy/${machine}/StateMachine`).DefinitionSubstitutions.topic);
const statementsOf = (synthesized: Synthesized, machine: string): Json[] =>
  synthesized.properties(`EcrDeploy/${machine}/Role/DefaultPolicy`).PolicyDocument.Statement;
const sids = (synthesized: Synthesized, machine: string) => statementsOf(synthesized, machine).map(({ Sid }) => Sid);
const sendsMessages = (synthesized: Synthesized) =>
  JSON.parse(synthesized.properties('EcrDeploy/Conclude/Function').Environment.Variables.SETTINGS).sendsMessages;

test('without a topic nobody may publish, no message is made, and there is no alarm and no dashboard', () => {
  for (const synthesized of [DEFAULT, new Synthesized({ notificationTopic: false })]) {
    for (const machine of MACHINES) {
      assert.equal(topicOf(synthesized, machine), 'none');
      assert.ok(!sids(synthesized, machine).includes('SendMessage'), machine);
    }
    assert.equal(sendsMessages(synthesized), false);
    for (const type of ['AWS::SNS::Topic', 'AWS::KMS::Key', 'AWS::CloudWatch::Alarm', 'AWS::CloudWatch::Dashboard']) {
      assert.deepEqual(synthesized.ofType(type), [], type);
    }
  }
});

test('a new topic is encrypted by a key of its own, takes no plain connection, and alarms may use both', () => {
  const key = NEW.properties('EcrDeploy/TopicKey');
  assert.equal(key.EnableKeyRotation, true);
  assert.equal(NEW.text(NEW.properties('EcrDeploy/Topic').KmsMasterKeyId), '${EcrDeploy/TopicKey.Arn}');
  const [policy] = NEW.ofType('AWS::SNS::TopicPolicy');
  const statements: Json[] = policy?.properties.PolicyDocument.Statement;
  assert.deepEqual(
    statements.map(({ Sid, Effect, Action }) => [Sid, Effect, Action]),
    [
      ['AllowPublishThroughSSLOnly', 'Deny', 'sns:Publish'],
      ['AlarmsTell', 'Allow', 'sns:Publish'],
    ],
  );
  const ofAlarms = key.KeyPolicy.Statement.find(({ Sid }: Json) => Sid === 'AlarmsTellTopic');
  assert.deepEqual(ofAlarms.Principal, { Service: 'cloudwatch.amazonaws.com' });
  for (const machine of MACHINES) {
    assert.equal(topicOf(NEW, machine), '${EcrDeploy/Topic}');
    assert.ok(sids(NEW, machine).includes('EncryptMessage'), machine);
  }
  assert.equal(sendsMessages(NEW), true);
});

test('the key of the setting encryptionKey encrypts the topic too', () => {
  const encryptionKey = 'arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f';
  const synthesized = new Synthesized({ notificationTopic: true, encryptionKey });

  assert.deepEqual(synthesized.ofType('AWS::KMS::Key'), []);
  assert.equal(synthesized.text(synthesized.properties('EcrDeploy/Topic').KmsMasterKeyId), encryptionKey);
});

test('a topic of the user, or its ARN, may be published to, and nothing else', () => {
  const other = new Synthesized();
  for (const notificationTopic of [TOPIC, Topic.fromTopicArn(other.stack, 'Given', TOPIC)]) {
    const synthesized = new Synthesized({ notificationTopic });
    assert.deepEqual(synthesized.ofType('AWS::SNS::Topic'), []);
    for (const machine of MACHINES) {
      const send = statementsOf(synthesized, machine).find(({ Sid }) => Sid === 'SendMessage');
      assert.deepEqual([send.Action, send.Resource], ['sns:Publish', TOPIC]);
      assert.equal(topicOf(synthesized, machine), TOPIC);
    }
  }
});

test('a FIFO topic, and one of another region, are refused, since no message could be sent to them', () => {
  const other = new Synthesized();
  const fifo = [
    new Topic(other.stack, 'Fifo', { fifo: true }),
    Topic.fromTopicArn(other.stack, 'GivenFifo', `${TOPIC}.fifo`),
  ];
  for (const notificationTopic of fifo) {
    assert.throws(() => new Synthesized({ notificationTopic }), /"notificationTopic" is .*: it is a FIFO topic/);
  }
  const inRegion = (region: string) => () => new Synthesized({ notificationTopic: TOPIC }, { env: { region } });
  assert.throws(
    inRegion('eu-central-1'),
    /"notificationTopic" is ".*": the topic is in eu-west-1, .*; give one in eu-central-1\./,
  );
  assert.doesNotThrow(inRegion('eu-west-1'));
});

test('where a topic of the user tells its key, alarms and whoever sends messages may use it, and no other key', () => {
  const app = new App({ context: WITHOUT_BUNDLING });
  const stack = new Stack(app, 'with-topic');
  const masterKey = new Key(stack, 'Key');
  const binaries = builtFunctions(stack, Architecture.ARM_64);
  const notificationTopic = new Topic(stack, 'Topic', { masterKey });
  new EcrDeploy(stack, 'EcrDeploy', { ...REQUIRED, binaries, notificationTopic });
  const template = Template.fromStack(stack);
  const [[id, key] = ['', undefined], ...others] = Object.entries<Json>(template.findResources('AWS::KMS::Key'));

  assert.deepEqual(others, []);
  const sids: Json[] = key.Properties.KeyPolicy.Statement.map(({ Sid }: Json) => Sid);
  assert.ok(sids.includes('AlarmsTellTopic'), sids.join());
  const using = Object.values<Json>(template.findResources('AWS::IAM::Policy'))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement as Json[])
    .filter(({ Action }) => JSON.stringify(Action).includes('kms:'));
  assert.deepEqual(
    using.map(({ Sid, Resource }) => [Sid, Resource]),
    MACHINES.map(() => ['EncryptMessage', { 'Fn::GetAtt': [id, 'Arn'] }]),
  );
});

test('what is no topic is refused', () => {
  for (const notificationTopic of ['deployments', 'arn:aws:sqs:eu-west-1:123456789012:queue', `${TOPIC}.fifo`]) {
    assert.throws(() => new Synthesized({ notificationTopic }), { name: 'SettingError', setting: 'notificationTopic' });
  }
});

test('the ends of deploy-image that it cannot tell start tell-end', () => {
  const { EventPattern: pattern, Targets: targets } = DEFAULT.properties('EcrDeploy/Ended');

  assert.deepEqual(pattern.source, ['aws.states']);
  assert.deepEqual(pattern['detail-type'], ['Step Functions Execution Status Change']);
  assert.equal(DEFAULT.text(pattern.detail.stateMachineArn), '${EcrDeploy/DeployImage/StateMachine}');
  assert.deepEqual(pattern.detail.$or, [
    { status: ['ABORTED', 'TIMED_OUT'] },
    { status: ['FAILED'], error: [{ 'anything-but': ['Deploy.ServicesFailed'] }] },
    { status: ['FAILED'], error: [{ exists: false }] },
  ]);
  assert.equal(DEFAULT.text(targets[0].Arn), '${EcrDeploy/TellEnd/StateMachine}');
});

test('with a key, of which events tell no error, every bad end of deploy-image starts tell-end, which may read it', () => {
  const synthesized = new Synthesized({ encryptionKey: 'arn:aws:kms:eu-west-1:123456789012:key/1' });
  const { detail } = synthesized.properties('EcrDeploy/Ended').EventPattern;
  assert.deepEqual(detail.status, ['ABORTED', 'TIMED_OUT', 'FAILED']);
  assert.deepEqual(Object.keys(detail).sort(), ['stateMachineArn', 'status']);
  for (const each of [DEFAULT, synthesized]) {
    const reads = statementsOf(each, 'TellEnd').filter(({ Sid }) => Sid === 'ReadExecutions');
    assert.deepEqual(
      reads.map(({ Action, Resource }) => [Action, each.text(Resource).replace(/^.*:execution:/, '')]),
      [['states:DescribeExecution', '${EcrDeploy/DeployImage/StateMachine.Name}:*']],
    );
  }
  const decrypt = statementsOf(synthesized, 'TellEnd').find(({ Sid }) => Sid === 'EncryptExecutions');
  assert.ok(decrypt.Action.includes('kms:Decrypt'));
});

test('with a topic there are alarms, each of which tells it; each can be had without the other', () => {
  const names = (synthesized: Synthesized) =>
    synthesized.ofType('AWS::CloudWatch::Alarm').map(({ properties }) => properties.AlarmName);
  const perStep = Object.values(STEPS).flatMap((step) =>
    step === 'Conclude' ? [`${step}Throttles`] : [`${step}Errors`, `${step}Throttles`],
  );
  const all = ['PushFailed', 'PushNotStarted', 'EndNotTold', 'SweepFailed', 'EventLost', ...perStep].map(
    (name) => `ecr-deploy-${name}`,
  );

  assert.deepEqual(names(NEW).sort(), all.sort());
  for (const { properties } of NEW.ofType('AWS::CloudWatch::Alarm')) {
    assert.equal(NEW.text(properties.AlarmActions), '${EcrDeploy/Topic}');
    assert.equal(properties.TreatMissingData, 'notBreaching');
    assert.match(properties.AlarmDescription, /^ecr-deploy: /);
  }
  assert.deepEqual(names(new Synthesized({ notificationTopic: true, alarms: false })), []);
  const silent = new Synthesized({ alarms: true }).ofType('AWS::CloudWatch::Alarm');
  assert.equal(silent.length, all.length);
  assert.ok(silent.every(({ properties }) => properties.AlarmActions === undefined));
});

test('the dashboard shows the four delivery metrics, and each service by the log of conclude', () => {
  const synthesized = new Synthesized({ dashboard: true, alarms: true });
  const [dashboard] = synthesized.ofType('AWS::CloudWatch::Dashboard');
  const body = synthesized.text(dashboard?.properties.DashboardBody);
  for (const metric of ['ServicesDeployed', 'ServicesRolledBack', 'ServicesFailed', 'PushToStable', 'Restore']) {
    assert.ok(body.includes(`"${metric}"`), metric);
  }
  // In the order in which somebody reads who was called at night.
  const titles = ['Is anything wrong?', 'Services, in all', 'Went wrong last', 'Pushes, each hour', 'By service'];
  const places = titles.map((title) => body.indexOf(title));
  assert.ok(!places.includes(-1), places.join());
  assert.deepEqual(
    [...places].sort((a, b) => a - b),
    places,
  );
  // A count that nobody wrote is none.
  for (const metric of ['pushesfailed', 'servicesfailed', 'servicesrolledback']) {
    assert.ok(body.includes(`FILL(${metric}, 0)`), metric);
  }
  assert.ok(body.includes('${EcrDeploy/Conclude/Logs}'), body);
});

test('every log group has a name, and the saved query asks all of them', () => {
  const groups = DEFAULT.ofType('AWS::Logs::LogGroup');
  assert.equal(groups.length, 12);
  for (const { path, properties } of groups) {
    assert.equal(typeof properties.LogGroupName, 'string', path);
  }
  const [query] = DEFAULT.ofType('AWS::Logs::QueryDefinition');
  assert.equal(query?.properties.Name, 'ecr-deploy/everything of one push');
  assert.equal(query.properties.QueryString, QUERY);
  // As the names of executions hold a tag, which `x-name` and `x-expressions` make.
  assert.match(QUERY, /second place only its first 20 characters, with - for each dot/);
  const asked: string[] = query.properties.LogGroupNames.map((name: Json) => DEFAULT.text(name));
  assert.deepEqual(asked.sort(), groups.map(({ path }) => `\${${path}}`).sort());
});

test('only with the setting parameters, and only deploy-service, may write parameters: those of services in the clusters', () => {
  const writing = (settings: object) =>
    new Synthesized(settings)
      .ofType('AWS::IAM::Policy')
      .flatMap(({ path, properties }) => properties.PolicyDocument.Statement.map((it: Json) => [path, it]))
      .filter(([, { Action }]) => [Action].flat().includes('ssm:PutParameter'))
      .map(([path, { Resource }]) => [path, [Resource].flat().map((it: Json) => DEFAULT.text(it).replace(/^.*:/, ''))]);
  const path = 'EcrDeploy/DeployService/Role/DefaultPolicy';

  assert.deepEqual(writing({}), []);
  assert.deepEqual(writing({ parameters: true }), [[path, ['parameter/ecr-deploy/*/*/*/*']]]);
  assert.deepEqual(writing({ parameters: true, clusters: ['staging', 'production'] }), [
    [path, ['parameter/ecr-deploy/staging/*/*/*', 'parameter/ecr-deploy/production/*/*/*']],
  ]);
});
