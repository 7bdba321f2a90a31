import assert from 'node:assert/strict';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { App } from 'aws-cdk-lib';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { EcrDeployStack } from '../app/ecr-deploy-stack';
import type { EcrDeployProps } from '../lib/settings';
import { REQUIRED, STEPS, Synthesized, WITHOUT_BUNDLING } from './synthesized';

const ARM64 = 0xb7;
const X86_64 = 0x3e;

test('a program that is ready is deployed as it is in every function, and nothing else is another', () => {
  withBinaries({ bootstrap: elf(ARM64) }, (binaries) => {
    const [built, given] = [new Synthesized(), new Synthesized({ binaries })];
    for (const construct of Object.values(STEPS)) {
      const { Code: code, ...expected } = built.properties(`EcrDeploy/${construct}/Function`);
      const { Code: ready, ...others } = given.properties(`EcrDeploy/${construct}/Function`);
      assert.deepEqual(others, expected);
      assert.notDeepEqual(ready, code);
    }
    assert.equal(new Set(keys(given)).size, 1, 'the functions share one asset');
  });
});

for (const [how, method] of [
  ['packed', 8],
  ['stored', 0],
] as const) {
  test(`a zip does as well as the file, its file ${how}`, () => {
    const content = zip('bootstrap', elf(ARM64), method);
    withBinaries({ 'bootstrap.zip': content }, (binaries) => {
      const { files, template } = staged({ binaries });
      assert.deepEqual(files, { zip: content });
      assert.match(template, /"S3Key":"[0-9a-f]+\.zip"/);
    });
  });
}

test('of a folder the program alone is uploaded, whatever stands beside it', () => {
  const beside = Object.fromEntries(
    ['bootstrap.zip', 'secrets.env', '.hidden', 'older/bootstrap', 'roll-back/bootstrap'].map((name) => [
      name,
      elf(ARM64, name),
    ]),
  );
  withBinaries({ bootstrap: elf(ARM64) }, (alone) => {
    withBinaries({ bootstrap: elf(ARM64), ...beside }, (binaries) => {
      const { files } = staged({ binaries });
      assert.deepEqual(files, { bootstrap: elf(ARM64) });
      assert.deepEqual(keys(new Synthesized({ binaries })), keys(new Synthesized({ binaries: alone })));
    });
  });
});

test('of a program that is a link, the file that it leads to is uploaded', () => {
  withBinaries({ 'program-1.2.3': elf(ARM64) }, (binaries) => {
    symlinkSync('program-1.2.3', join(binaries, 'bootstrap'));
    assert.deepEqual(staged({ binaries }).files, { bootstrap: elf(ARM64) });
  });
});

test('a program for the other processor goes with the setting architecture', () => {
  withBinaries({ bootstrap: elf(X86_64) }, (binaries) => {
    new Synthesized({ binaries, architecture: Architecture.X86_64 });
  });
});

const TRUNCATED = 'bootstrap.zip cannot be read as a zip; it may be truncated, so build or copy it again.';

const NEITHER = 'it has neither bootstrap nor bootstrap.zip, the one program that all functions run.';

/** A folder in which the program is not as it should be, and what is said. */
const REFUSED: readonly [rule: string, file: string, content: Buffer, problem: string, mode?: number][] = [
  ['nothing there', 'README', Buffer.alloc(0), NEITHER],
  ['a program for each function, as it was once', 'roll-back/bootstrap', elf(ARM64), NEITHER],
  ['a zip for each function, as it was once', 'roll-back.zip', zip('bootstrap', elf(ARM64)), NEITHER],
  ['a file that is not executable', 'bootstrap', elf(ARM64), 'bootstrap is not executable; run chmod +x on it.', 0o644],
  ['a script', 'bootstrap', Buffer.from('#!/bin/sh\necho a script\n'), 'bootstrap is no program of Linux.'],
  ['an empty file', 'bootstrap', Buffer.alloc(0), 'bootstrap is no program of Linux.'],
  [
    'the other processor',
    'bootstrap',
    elf(X86_64),
    'bootstrap is built for x86_64, and the setting architecture says arm64.',
  ],
  [
    'a third processor',
    'bootstrap',
    elf(0xf3),
    'bootstrap is built for another processor, and the setting architecture says arm64.',
  ],
  [
    'a zip without bootstrap',
    'bootstrap.zip',
    zip('roll-back', elf(ARM64)),
    'bootstrap.zip has no file bootstrap at its top.',
  ],
  [
    'a folder',
    'bootstrap/bootstrap',
    elf(ARM64),
    'bootstrap is not a file; give the folder that has the program itself.',
  ],
  ['a zip that is none', 'bootstrap.zip', Buffer.from('PK'), TRUNCATED],
  ['a zip that ends early', 'bootstrap.zip', zip('bootstrap', elf(ARM64)).subarray(0, -30), TRUNCATED],
  ['a zip that ends within its last record', 'bootstrap.zip', zip('bootstrap', elf(ARM64)).subarray(0, -10), TRUNCATED],
  ['a zip that lacks its beginning', 'bootstrap.zip', zip('bootstrap', elf(ARM64)).subarray(50), TRUNCATED],
  ['a folder named like a zip', 'bootstrap.zip/bootstrap', elf(ARM64), TRUNCATED],
  [
    'a zip whose file is not executable',
    'bootstrap.zip',
    zip('bootstrap', elf(ARM64), 8, 0o644),
    'bootstrap in bootstrap.zip is not executable.',
  ],
  [
    'a zip for the other processor',
    'bootstrap.zip',
    zip('bootstrap', elf(X86_64)),
    'bootstrap in bootstrap.zip is built for x86_64, and the setting architecture says arm64.',
  ],
];

for (const [rule, file, content, problem, mode] of REFUSED) {
  test(`refused at synth: ${rule} (${file})`, () => {
    withBinaries(
      { [file]: content },
      (binaries) => {
        assert.throws(() => new Synthesized({ binaries } satisfies Partial<EcrDeployProps>), {
          name: 'SettingError',
          message: `ecr-deploy: setting "binaries" is "${binaries}": ${problem}`,
        });
      },
      mode,
    );
  });
}

/** A folder with these files. */
function withBinaries(files: Readonly<Record<string, Buffer>>, check: (binaries: string) => void, mode = 0o755): void {
  const binaries = mkdtempSync(join(tmpdir(), 'ecr-deploy-'));
  try {
    for (const [file, content] of Object.entries(files)) {
      mkdirSync(join(binaries, file, '..'), { recursive: true });
      writeFileSync(join(binaries, file), content, { mode });
    }
    check(binaries);
  } finally {
    rmSync(binaries, { recursive: true });
  }
}

/** The names of the functions' code in the bucket of the CDK. */
function keys(synthesized: Synthesized): string[] {
  return synthesized.ofType('AWS::Lambda::Function').map(({ properties }) => properties.Code.S3Key as string);
}

/** The template of a stack with these settings, and each file that is uploaded as code, of all functions together. */
function staged(settings: Partial<EcrDeployProps>): {
  readonly files: Record<string, Buffer>;
  readonly template: string;
} {
  const outdir = mkdtempSync(join(tmpdir(), 'ecr-deploy-'));
  try {
    const app = new App({ outdir, context: WITHOUT_BUNDLING });
    new EcrDeployStack(app, 'ecr-deploy', { ...REQUIRED, ...settings });
    const template = JSON.stringify(app.synth().getStackByName('ecr-deploy').template);
    const files: Record<string, Buffer> = {};
    for (const asset of readdirSync(outdir).filter((name) => name.startsWith('asset.'))) {
      const path = join(outdir, asset);
      if (statSync(path).isFile()) {
        files['zip'] = readFileSync(path);
        continue;
      }
      for (const name of readdirSync(path, { recursive: true, encoding: 'utf8' })) {
        assert.ok(!lstatSync(join(path, name)).isSymbolicLink(), `${name} leads nowhere in a zip`);
        files[name] = readFileSync(join(path, name));
      }
    }
    return { files, template };
  } finally {
    rmSync(outdir, { recursive: true });
  }
}

/** The first bytes of a program of Linux. */
function elf(machine: number, content = ''): Buffer {
  const header = Buffer.alloc(64);
  header.write('\x7fELF\x02\x01\x01', 'latin1');
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(machine, 18);
  return Buffer.concat([header, Buffer.from(content)]);
}

/** A zip with one file. */
function zip(name: string, content: Buffer, method: 0 | 8 = 8, mode = 0o755): Buffer {
  const packed = method === 8 ? deflateRawSync(content) : content;
  const local = Buffer.alloc(30);
  local.write('PK\x03\x04', 'latin1');
  local.writeUInt16LE(method, 8);
  local.writeUInt16LE(name.length, 26);
  const entry = Buffer.alloc(46);
  entry.write('PK\x01\x02', 'latin1');
  entry.writeUInt16LE(method, 10);
  entry.writeUInt32LE(packed.length, 20);
  entry.writeUInt32LE(content.length, 24);
  entry.writeUInt16LE(name.length, 28);
  entry.writeUInt16LE(mode | 0o100000, 40);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(local.length + name.length + packed.length, 16);
  return Buffer.concat([local, Buffer.from(name), packed, entry, Buffer.from(name), end]);
}
