import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { REPOSITORY_ROOT } from '../app/repository-root';
import { type Json, REQUIRED, WITHOUT_BUNDLING } from './synthesized';

test('the app synthesizes its stack without cargo-lambda when bundling is off, and cdk-nag passes it', () => {
  const files = { 'ecr-deploy.json': { ...REQUIRED, clusters: ['production'] } };
  synth(
    files,
    {},
    (app, out) => {
      assert.equal(app.status, 0, app.stderr);
      assert.ok(JSON.stringify(template(out, 'ecr-deploy')).includes(String.raw`{\"clusters\":[\"production\"],`));
    },
    { CDK_VALIDATION: 'true' },
  );
});

test('the example that the guide tells to copy is one', () => {
  const example = readFileSync(join(REPOSITORY_ROOT, 'cdk', 'ecr-deploy.example.json'), 'utf8');
  synth({ 'ecr-deploy.json': JSON.parse(example) }, {}, (app, out) => {
    assert.equal(app.status, 0, app.stderr);
    assert.ok('Resources' in template(out, 'ecr-deploy'));
  });
});

test('stackName names the stack, and the context key settings another file for another stack', () => {
  const files = {
    'ecr-deploy.json': { ...REQUIRED, stackName: 'deploy-prod' },
    'staging.json': { ...REQUIRED, stackName: 'deploy-staging' },
  };
  synth(files, {}, (app, out) => {
    assert.equal(app.status, 0, app.stderr);
    assert.deepEqual(stacks(out), ['deploy-prod']);
  });
  synth(files, { settings: 'staging.json' }, (app, out) => {
    assert.equal(app.status, 0, app.stderr);
    assert.deepEqual(stacks(out), ['deploy-staging']);
  });
});

test('without a settings file the app can be synthesized, for cdk bootstrap, and says what to do, but cannot be deployed', () => {
  synth({}, {}, (app, out) => {
    assert.equal(app.status, 0, app.stderr);
    // The CDK deploys no stack with an error. This one has no name that a stack of ours could have.
    assert.deepEqual(stacks(out), ['ecr-deploy-without-settings']);
    const [error, ...others] = errors(out);
    assert.match(
      error ?? '',
      /^There is no ecr-deploy\.json yet\. Copy ecr-deploy\.example\.json to ecr-deploy\.json, /,
    );
    assert.deepEqual(others, []);
  });
});

test('the app ends with the message alone when a setting cannot be used', () => {
  refused(
    { 'ecr-deploy.json': { ...REQUIRED, maxConcurrency: 1601 } },
    {},
    'setting "maxConcurrency" is 1601: give a whole number from 1 to 1600: inline Maps of Step Functions run ' +
      'forty at once, here in forty groups.',
  );
});

test('the app says which setting is required', () => {
  synth({ 'ecr-deploy.json': {} }, {}, (app) => {
    assert.equal(app.status, 1);
    assert.match(app.stderr, /^ecr-deploy: setting "passRoles" is not set: /);
  });
});

for (const [setting, given] of [
  ['passRoles', 'arn:aws:iam::123456789012:role/app-*'],
  ['clusters', 'production'],
  ['stackName', 'deploy-prod'],
] as const) {
  test(`a setting given by -c is refused with the place where it belongs: ${setting}`, () => {
    refused(
      { 'ecr-deploy.json': REQUIRED },
      { [setting]: given },
      `setting "${setting}" is "${given}": ${setting} belongs in ecr-deploy.json. ` +
        'What -c or cdk.json gives is not taken: the next deployment may be without it.',
    );
  });
}

test('also without a settings file, and also one that is misspelt', () => {
  synth({}, { passRoles: 'arn:aws:iam::123456789012:role/app-*' }, (app) => {
    assert.equal(app.status, 1);
    assert.match(app.stderr, /: passRoles belongs in ecr-deploy\.json\./);
  });
  refused(
    { 'ecr-deploy.json': REQUIRED },
    { passRole: 'a' },
    'setting "passRole" is "a": there is none of that name. If passRoles is meant: passRoles belongs in ecr-deploy.json.',
  );
});

for (const key of ['setting', 'Settings', 'SETTINGS', 'settngs']) {
  test(`a key that is almost settings never deploys the stack of the first file: ${key}`, () => {
    refused(
      { 'ecr-deploy.json': REQUIRED, 'staging.json': { ...REQUIRED, stackName: 'deploy-staging' } },
      { [key]: 'staging.json' },
      `setting "${key}" is "staging.json": did you mean settings? Give -c settings=staging.json.`,
    );
  });
}

test('an empty list in the file is refused, it may come from a script that found nothing', () => {
  for (const setting of ['clusters', 'repositories', 'accounts']) {
    synth({ 'ecr-deploy.json': { ...REQUIRED, [setting]: [] } }, {}, (app) => {
      assert.equal(app.status, 1);
      assert.match(
        app.stderr,
        new RegExp(`^ecr-deploy: setting "${setting}" is \\[\\]: give .*; leave the setting out for `),
      );
    });
  }
});

test('another settings file names its stack, so that it never changes the first one', () => {
  refused(
    { 'ecr-deploy.json': REQUIRED, 'staging.json': REQUIRED },
    { settings: 'staging.json' },
    'setting "stackName" is not set: add it to staging.json, such as "stackName": "ecr-deploy-prod". ' +
      'Without it the stack of ecr-deploy.json would be changed.',
  );
});

test('another settings file that is not there is an error, never the first one', () => {
  synth({ 'ecr-deploy.json': REQUIRED }, { settings: 'stagign.json' }, (app) => {
    assert.equal(app.status, 1);
    assert.match(app.stderr, /^ecr-deploy: setting "settings" is "stagign\.json": the file cannot be read: ENOENT/);
  });
});

const OF_OTHERS = {
  '@aws-cdk/core:x': true,
  team: 'web',
  account: '123456789012',
  region: 'eu-west-1',
  repository: 'a',
};

test('the context of other tools is not ours to judge', () => {
  synth({ 'ecr-deploy.json': REQUIRED }, OF_OTHERS, (app) => {
    assert.equal(app.status, 0, app.stderr);
  });
});

function refused(files: Readonly<Record<string, object>>, context: object, message: string): void {
  synth(files, context, (app) => {
    assert.equal(app.status, 1);
    assert.equal(app.stderr, `ecr-deploy: ${message}\n`);
  });
}

/**
 * Runs the app as the CDK CLI does, but with nothing on the path: no cargo, no cargo-lambda, no Docker. The CDK's own validation
 * of the template takes most of the time, so it is done once.
 */
function synth(
  files: Readonly<Record<string, object>>,
  context: object,
  check: (app: SpawnSyncReturns<string>, out: string) => void,
  environment: Readonly<Record<string, string>> = { CDK_VALIDATION: 'false' },
): void {
  const directory = mkdtempSync(join(tmpdir(), 'ecr-deploy-'));
  const out = join(directory, 'cdk.out');
  try {
    for (const [name, settings] of Object.entries(files)) {
      writeFileSync(join(directory, name), JSON.stringify(settings));
    }
    const app = spawnSync(process.execPath, [join(__dirname, '..', 'bin', 'ecr-deploy.js')], {
      encoding: 'utf8',
      cwd: directory,
      env: { CDK_CONTEXT_JSON: JSON.stringify({ ...WITHOUT_BUNDLING, ...context }), CDK_OUTDIR: out, ...environment },
    });
    check(app, out);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function stacks(out: string): string[] {
  return readdirSync(out)
    .filter((name) => name.endsWith('.template.json'))
    .map((name) => name.replace('.template.json', ''));
}

function template(out: string, stack: string): Json {
  return JSON.parse(readFileSync(join(out, `${stack}.template.json`), 'utf8'));
}

/** The errors for which the CDK refuses to deploy. */
function errors(out: string): string[] {
  const manifest: Json = JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8'));
  return Object.values<Json>(manifest.artifacts)
    .flatMap(({ metadata, additionalMetadataFile }) =>
      Object.values<Json>(
        additionalMetadataFile === undefined
          ? (metadata ?? {})
          : JSON.parse(readFileSync(join(out, additionalMetadataFile), 'utf8')),
      ),
    )
    .flat()
    .filter(({ type }) => type === 'aws:cdk:error')
    .map(({ data }) => data);
}
