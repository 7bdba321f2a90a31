/** The promises of ecr-deploy about itself, as far as its template can show them, whatever the settings are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RemovalPolicy } from 'aws-cdk-lib';
import { Trigger } from '../lib/choices';
import { type Json, Synthesized } from './synthesized';

const STACKS: readonly Synthesized[] = [
  new Synthesized(),
  new Synthesized({
    clusters: ['production'],
    repositories: ['web'],
    accounts: ['210987654321'],
    tagLatest: true,
    trigger: Trigger.PUT_IMAGE,
    removalPolicy: RemovalPolicy.RETAIN,
    encryptionKey: 'arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f',
    permissionsBoundary: 'arn:aws:iam::123456789012:policy/boundary',
    rolePath: '/teams/',
    rolePrefix: 'app-',
  }),
];

test('a role is trusted only on behalf of resources of this account', () => {
  for (const synthesized of STACKS) {
    const roles = synthesized.ofType('AWS::IAM::Role');
    const kinds: Readonly<Record<string, string>> = {
      'lambda.amazonaws.com': ':lambda:${AWS::Region}:${AWS::AccountId}:function:*',
      'states.amazonaws.com': ':states:${AWS::Region}:${AWS::AccountId}:stateMachine:*',
      'events.amazonaws.com': ':events:${AWS::Region}:${AWS::AccountId}:rule/*',
    };

    assert.equal(roles.length, 15);
    for (const { path, properties } of roles) {
      for (const { Effect, Action, Principal, Condition, ...rest } of properties.AssumeRolePolicyDocument.Statement) {
        assert.deepEqual([Effect, Action, rest], ['Allow', 'sts:AssumeRole', {}], path);
        assert.deepEqual(Object.keys(Principal), ['Service'], path);
        assert.deepEqual(Object.keys(Condition), ['StringEquals', 'ArnLike'], path);
        assert.deepEqual(Condition.StringEquals, { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } }, path);
        assert.deepEqual(Object.keys(Condition.ArnLike), ['aws:SourceArn'], path);
        assert.equal(
          synthesized.text(Condition.ArnLike['aws:SourceArn']),
          `arn:\${AWS::Partition}${kinds[Principal.Service as string] ?? ' of no kind that is known'}`,
          path,
        );
      }
    }
  }
});

test('the template holds no credentials and refers to none', () => {
  for (const synthesized of STACKS) {
    const template = synthesized.template.toJSON();
    const types = synthesized.resources.map(({ type }) => type);
    const environments = synthesized
      .ofType('AWS::Lambda::Function')
      .flatMap(({ properties }) => Object.entries<Json>(properties.Environment.Variables));

    assert.deepEqual(
      types.filter((type) => /AccessKey|Secret|AWS::IAM::User/.test(type)),
      [],
    );
    assert.doesNotMatch(
      JSON.stringify(template),
      /AKIA|ASIA|BEGIN [A-Z ]*PRIVATE KEY|\{\{resolve:(secretsmanager|ssm-secure)/,
    );
    for (const [variable, value] of environments) {
      assert.doesNotMatch(variable, /KEY|SECRET|TOKEN|PASSWORD|CREDENTIAL/i);
      assert.doesNotMatch(String(value), /[A-Za-z0-9/+=]{40}/, variable);
    }
    assert.ok(environments.length > 0);
  }
});
