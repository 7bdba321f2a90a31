/** The examples in examples/ are true to the construct. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { NOT_BUILT } from '../app/functions';
import { REPOSITORY_ROOT } from '../app/repository-root';
import { manifest } from '../package/manifest';
import { type Json, Synthesized, WITHOUT_BUNDLING } from './synthesized';

const EXAMPLES = join(REPOSITORY_ROOT, 'examples');
const CDK = join(REPOSITORY_ROOT, 'cdk');

test('the CDK app of the example compiles and synthesizes its stacks', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ecr-deploy-example-'));
  try {
    cpSync(join(EXAMPLES, 'cdk'), directory, { recursive: true });
    // As the package is installed, with what stands for the functions, and with its peers as those of the app.
    const installed = join(directory, 'node_modules', 'ecr-deploy');
    cpSync(join(CDK, 'dist', 'lib'), join(installed, 'lib'), { recursive: true });
    cpSync(join(CDK, 'dist', 'assets'), join(installed, 'assets'), { recursive: true });
    cpSync(NOT_BUILT, join(installed, 'assets'), { recursive: true });
    const own: unknown = JSON.parse(readFileSync(join(CDK, 'package.json'), 'utf8'));
    writeFileSync(join(installed, 'package.json'), JSON.stringify(manifest(own)));
    for (const name of ['aws-cdk-lib', 'constructs', '@types']) {
      symlinkSync(join(CDK, 'node_modules', name), join(directory, 'node_modules', name));
    }
    const run = (...words: string[]) =>
      spawnSync(process.execPath, words, {
        encoding: 'utf8',
        cwd: directory,
        env: {
          CDK_CONTEXT_JSON: JSON.stringify(WITHOUT_BUNDLING),
          CDK_OUTDIR: join(directory, 'cdk.out'),
          CDK_VALIDATION: 'false',
        },
      });
    const compiled = run(join(CDK, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.');
    assert.equal(compiled.status, 0, compiled.stdout);
    const app = run('dist/app.js');
    assert.equal(app.status, 0, app.stderr);
    const [template, services] = ['deployments', 'services'].map((stack): Json =>
      JSON.parse(readFileSync(join(directory, 'cdk.out', `${stack}.template.json`), 'utf8')),
    );
    const types = Object.values<Json>(template.Resources).map(({ Type }) => Type);
    for (const type of ['AWS::StepFunctions::StateMachine', 'AWS::Events::Rule', 'AWS::CloudWatch::Alarm']) {
      assert.ok(types.includes(type), type);
    }
    // Fargate needs both, and refuses an image of ECR without the second.
    const { TaskRoleArn, ExecutionRoleArn } = Object.values<Json>(services.Resources).find(
      ({ Type }) => Type === 'AWS::ECS::TaskDefinition',
    ).Properties;
    const passed = Object.values<Json>(template.Resources)
      .flatMap(({ Properties }) => Properties?.PolicyDocument?.Statement ?? [])
      .filter(({ Action }) => Action === 'iam:PassRole');
    assert.ok(passed.length > 0);
    for (const role of [TaskRoleArn, ExecutionRoleArn]) {
      const [id] = role['Fn::GetAtt'];
      for (const { Resource } of passed) {
        assert.ok(JSON.stringify(Resource).includes(`ExportsOutputFnGetAtt${id}Arn`), id);
      }
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('the CDK app of the example names the versions that the construct has', () => {
  const json = (file: string): Json => JSON.parse(readFileSync(file, 'utf8'));
  const [example, own] = [json(join(EXAMPLES, 'cdk', 'package.json')), json(join(CDK, 'package.json'))];
  for (const [name, version] of Object.entries<Json>({ ...example.dependencies, ...example.devDependencies })) {
    const tarball = `file:ecr-deploy-${own.version}.tgz`;
    assert.equal(version, name === own.name ? tarball : (own.dependencies[name] ?? own.devDependencies[name]), name);
  }
});

test('the rule of the application account forwards every event that the rule of the stack takes', () => {
  const template: Json = parse(readFileSync(join(EXAMPLES, 'forwarded-events', 'application-account.yaml'), 'utf8'));
  const forwarded = template.Resources.ForwardPushes.Properties.EventPattern;
  const [rule] = new Synthesized({ accounts: ['111122223333'] }).ofType('AWS::Events::Rule');
  const { EventPattern: taken } = rule?.properties ?? {};
  assert.ok(JSON.stringify(taken.account).includes('111122223333'));
  // A pattern with fewer members takes more events.
  for (const [member, values] of Object.entries<Json>(forwarded)) {
    if (member === 'detail') {
      for (const [name, value] of Object.entries(values)) {
        assert.deepEqual(value, taken.detail[name], name);
      }
    } else {
      assert.deepEqual(values, taken[member], member);
    }
  }
});

test('the repositories of the application account let the roles of ecr-deploy read what they have to', () => {
  const template: Json = parse(readFileSync(join(EXAMPLES, 'forwarded-events', 'application-account.yaml'), 'utf8'));
  const policy = template.Resources.Repository.Properties.RepositoryPolicyText;
  const granted: string[] = policy.Statement.flatMap(({ Action }: Json) => Action);
  const needed = new Synthesized()
    .ofType('AWS::IAM::Policy')
    .flatMap(({ properties }) => properties.PolicyDocument.Statement)
    .flatMap(({ Action }) => Action as string | string[])
    .filter((action) => action.startsWith('ecr:'));
  assert.ok(needed.length > 0);
  assert.deepEqual(
    needed.filter((action) => !granted.includes(action)),
    [],
  );
});
