import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import type { EcrDeployProps } from '../lib/settings';
import { type Json, STEPS, Synthesized } from './synthesized';

const ARM64 = 0xb7;
const X86_64 = 0x3e;
const NAMES = Object.keys(STEPS);

test('functions that are ready are deployed as they are, and nothing else is another', () => {
  withBinaries({}, (binaries) => {
    const [built, given] = [new Synthesized(), new Synthesized({ binaries })];
    for (const construct of Object.values(STEPS)) {
      const { Code: code, ...expected } = built.properties(`EcrDeploy/${construct}/Function`);
      const { Code: ready, ...others } = given.properties(`EcrDeploy/${construct}/Function`);
      assert.deepEqual(others, expected);
      assert.notDeepEqual(ready, code);
    }
    const codes = given.ofType('AWS::Lambda::Function').map(({ properties }) => properties.Code.S3Key);
    assert.equal(new Set(codes).size, codes.length, 'each function is another one');
  });
});

for (const [how, method] of [
  ['packed', 8],
  ['stored', 0],
] as const) {
  test(`zips do as well as folders, their file ${how}`, () => {
    const zips = Object.fromEntries(NAMES.map((name) => [`${name}.zip`, zip('bootstrap', elf(ARM64, name), method)]));
    withBinaries(zips, (binaries) => {
      const codes = new Synthesized({ binaries })
        .ofType('AWS::Lambda::Function')
        .map(({ properties }) => properties.Code);
      assert.equal(new Set(codes.map(({ S3Key }: Json) => S3Key)).size, 7);
      for (const { S3Key } of codes) {
        assert.match(S3Key, /\.zip$/);
      }
    });
  });
}

test('functions for the other processor go with the setting architecture', () => {
  const files = Object.fromEntries(NAMES.map((name) => [`${name}/bootstrap`, elf(X86_64, name)]));
  withBinaries(files, (binaries) => {
    new Synthesized({ binaries, architecture: Architecture.X86_64 });
  });
});

const TRUNCATED = 'roll-back.zip cannot be read as a zip; it may be truncated, so build or copy it again.';

/** A folder in which roll-back is not as it should be, and what is said. */
const REFUSED: readonly [rule: string, file: string, content: Buffer | undefined, problem: string, mode?: number][] = [
  ['nothing there', 'roll-back/bootstrap', undefined, 'it has neither roll-back/bootstrap nor roll-back.zip.'],
  [
    'a file that is not executable',
    'roll-back/bootstrap',
    elf(ARM64),
    'roll-back/bootstrap is not executable; run chmod +x on it.',
    0o644,
  ],
  [
    'a script',
    'roll-back/bootstrap',
    Buffer.from('#!/bin/sh\necho a script\n'),
    'roll-back/bootstrap is no program of Linux.',
  ],
  ['an empty file', 'roll-back/bootstrap', Buffer.alloc(0), 'roll-back/bootstrap is no program of Linux.'],
  [
    'the other processor',
    'roll-back/bootstrap',
    elf(X86_64),
    'roll-back/bootstrap is built for x86_64, and the setting architecture says arm64.',
  ],
  [
    'a third processor',
    'roll-back/bootstrap',
    elf(0xf3),
    'roll-back/bootstrap is built for another processor, and the setting architecture says arm64.',
  ],
  [
    'a zip without bootstrap',
    'roll-back.zip',
    zip('roll-back', elf(ARM64)),
    'roll-back.zip has no file bootstrap at its top.',
  ],
  [
    'a folder',
    'roll-back/bootstrap/main',
    elf(ARM64),
    'roll-back/bootstrap is not a file; put the program itself there.',
  ],
  ['a zip that is none', 'roll-back.zip', Buffer.from('PK'), TRUNCATED],
  ['a zip that ends early', 'roll-back.zip', zip('bootstrap', elf(ARM64)).subarray(0, -30), TRUNCATED],
  ['a zip that ends within its last record', 'roll-back.zip', zip('bootstrap', elf(ARM64)).subarray(0, -10), TRUNCATED],
  ['a zip that lacks its beginning', 'roll-back.zip', zip('bootstrap', elf(ARM64)).subarray(50), TRUNCATED],
  ['a folder named like a zip', 'roll-back.zip/bootstrap', elf(ARM64), TRUNCATED],
  [
    'a zip whose file is not executable',
    'roll-back.zip',
    zip('bootstrap', elf(ARM64), 8, 0o644),
    'bootstrap in roll-back.zip is not executable.',
  ],
  [
    'a zip for the other processor',
    'roll-back.zip',
    zip('bootstrap', elf(X86_64)),
    'bootstrap in roll-back.zip is built for x86_64, and the setting architecture says arm64.',
  ],
];

for (const [rule, file, content, problem, mode] of REFUSED) {
  test(`refused at synth: ${rule} (${file})`, () => {
    withBinaries(
      { 'roll-back/bootstrap': undefined, [file]: content },
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

/** A folder with every function for arm64, but with these files in place of what is there. */
function withBinaries(
  files: Readonly<Record<string, Buffer | undefined>>,
  check: (binaries: string) => void,
  mode = 0o755,
): void {
  const binaries = mkdtempSync(join(tmpdir(), 'ecr-deploy-'));
  const replaced = NAMES.filter((name) => `${name}.zip` in files);
  const ready = NAMES.filter((name) => !replaced.includes(name)).map((name) => [`${name}/bootstrap`, elf(ARM64, name)]);
  try {
    for (const [file, content] of Object.entries({ ...Object.fromEntries(ready), ...files })) {
      if (content !== undefined) {
        mkdirSync(join(binaries, file, '..'), { recursive: true });
        writeFileSync(join(binaries, file), content as Buffer, { mode: file in files ? mode : 0o755 });
      }
    }
    check(binaries);
  } finally {
    rmSync(binaries, { recursive: true });
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
