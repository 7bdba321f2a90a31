import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { REQUIRED, WITHOUT_BUNDLING } from './synthesized';

test('the app synthesizes its stack without cargo-lambda when bundling is off, and cdk-nag passes it', () => {
  synth({ ...WITHOUT_BUNDLING, ...REQUIRED, clusters: 'production' }, (app, directory) => {
    assert.equal(app.status, 0, app.stderr);
    const template = JSON.parse(readFileSync(join(directory, 'ecr-deploy.template.json'), 'utf8'));
    assert.match(JSON.stringify(template), /"CLUSTERS":"production"/);
  });
});

test('the app ends with the message alone when a setting cannot be used', () => {
  synth({ ...WITHOUT_BUNDLING, ...REQUIRED, maxConcurrency: '1601' }, (app) => {
    assert.equal(app.status, 1);
    assert.equal(
      app.stderr,
      'ecr-deploy: setting "maxConcurrency" is 1601: give a whole number from 1 to 1600: inline Maps of Step Functions run ' +
        'forty at once, here in forty groups.\n',
    );
  });
});

test('the app says which setting is required', () => {
  synth(WITHOUT_BUNDLING, (app) => {
    assert.equal(app.status, 1);
    assert.match(app.stderr, /^ecr-deploy: setting "passRoles" is not set: /);
  });
});

/** Runs the app as the CDK CLI does, but with nothing on the path: no cargo, no cargo-lambda, no Docker. */
function synth(context: object, check: (app: SpawnSyncReturns<string>, directory: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), 'ecr-deploy-'));
  try {
    const app = spawnSync(process.execPath, [join(__dirname, '..', 'bin', 'ecr-deploy.js')], {
      encoding: 'utf8',
      env: { CDK_CONTEXT_JSON: JSON.stringify(context), CDK_OUTDIR: directory },
    });
    check(app, directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
