/** Where the functions of a stack come from. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { EcrDeployStack } from '../app/ecr-deploy-stack';
import { EcrDeploy } from '../lib/ecr-deploy';
import { type Json, REQUIRED, STEPS, Synthesized } from './synthesized';

/** A cargo that says in a file how it was called, and makes of the program what begins as one for x86-64. */
const CARGO = `#!/usr/bin/env node
const { appendFileSync, mkdirSync, writeFileSync } = require('node:fs');
const words = process.argv.slice(2);
appendFileSync(__dirname + '/called', words.join(' ') + '\\n');
const folder = words[words.indexOf('--lambda-dir') + 1];
const header = Buffer.alloc(20);
header.write('\\x7fELF', 'latin1');
header.writeUInt16LE(0x3e, 18);
mkdirSync(folder + '/bootstrap', { recursive: true });
writeFileSync(folder + '/bootstrap/bootstrap', header, { mode: 0o755 });
process.exit(process.env.CARGO_EXIT ?? 0);
`;

test('an app of ones own gets the functions of the package, and this copy has none', () => {
  assert.throws(() => new EcrDeploy(new Stack(new App(), 'own'), 'EcrDeploy', REQUIRED), {
    name: 'SettingError',
    message:
      'ecr-deploy: setting "binaries" is not set: this copy of ecr-deploy has no functions for arm64; ' +
      'give a folder that has them.',
  });
});

test('the app of the repository builds the program of all functions by one call of cargo-lambda', () => {
  withCargo(CARGO, {}, (called, target) => {
    const stack = new EcrDeployStack(new App(), 'ecr-deploy', { ...REQUIRED, architecture: Architecture.X86_64 });

    const functions = Object.values<Json>(Template.fromStack(stack).findResources('AWS::Lambda::Function'));
    assert.equal(functions.length, Object.keys(STEPS).length);
    assert.equal(new Set(functions.map(({ Properties }) => Properties.Code.S3Key)).size, 1);
    const folder = join(target, 'lambda', 'x86_64');
    assert.deepEqual(called(), [
      `lambda build --release --locked --package bootstrap --target x86_64-unknown-linux-musl --lambda-dir ${folder}`,
    ]);
  });
});

test('a setting that cannot be used is refused before anything is built', () => {
  withCargo(CARGO, {}, (called) => {
    assert.throws(() => new EcrDeployStack(new App(), 'ecr-deploy', { ...REQUIRED, maxConcurrency: 0 }), {
      name: 'SettingError',
    });
    assert.deepEqual(called(), []);
  });
});

test('nothing is built where the CDK bundles nothing, as for cdk bootstrap', () => {
  withCargo(CARGO, {}, (called) => {
    new Synthesized();
    assert.deepEqual(called(), []);
  });
});

test('a build that fails, and cargo that is not there, say what to do', () => {
  const build = () => new EcrDeployStack(new App(), 'ecr-deploy', REQUIRED);
  withCargo(CARGO, { CARGO_EXIT: '101' }, () => {
    assert.throws(build, {
      name: 'SettingError',
      message: /cargo lambda build failed \(exit code 101\); install cargo-lambda and Rust/,
    });
  });
  withCargo(undefined, {}, () => {
    assert.throws(build, { name: 'SettingError', message: /cargo lambda build failed \(spawnSync cargo ENOENT\)/ });
  });
});

/** Calls `check` while nothing is on the path but Node.js and this cargo. `called` are its calls. */
function withCargo(
  script: string | undefined,
  environment: Readonly<Record<string, string>>,
  check: (called: () => string[], target: string) => void,
): void {
  const folder = mkdtempSync(join(tmpdir(), 'ecr-deploy-'));
  const bin = join(folder, 'bin');
  const target = join(folder, 'target');
  mkdirSync(bin);
  if (script !== undefined) {
    writeFileSync(join(bin, 'cargo'), script.replace('/usr/bin/env node', process.execPath), { mode: 0o755 });
  }
  writeFileSync(join(bin, 'called'), '');
  const before = { ...process.env };
  Object.assign(process.env, { PATH: bin, CARGO_TARGET_DIR: target, ...environment });
  try {
    check(() => readFileSync(join(bin, 'called'), 'utf8').split('\n').filter(Boolean), target);
  } finally {
    process.env = before;
    rmSync(folder, { recursive: true });
  }
}
