/**
 * The program that all functions run: of the setting `binaries`, or of the package. It is checked at synth, because a
 * program that Lambda cannot start would be found only by the first push.
 */
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { IgnoreMode, SymlinkFollowMode } from 'aws-cdk-lib';
import { type Architecture, Code } from 'aws-cdk-lib/aws-lambda';
import { shippedFunctions } from './assets';
import { SettingError } from './setting';
import type { Settings } from './settings';

/** https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html */
const MACHINES: Readonly<Record<string, number>> = { arm64: 0xb7, x86_64: 0x3e };

/** Lambda runs the file of this name. */
const PROGRAM = 'bootstrap';
const ZIP = `${PROGRAM}.zip`;

/**
 * The code of every function. There is no other place where the construct gets it from.
 *
 * @throws SettingError when it cannot be used
 */
export function functionCode({ binaries, architecture }: Settings): Code {
  const shipped = shippedFunctions(architecture);
  if (binaries === undefined && !existsSync(shipped)) {
    throw new SettingError(
      'binaries',
      binaries,
      `this copy of ecr-deploy has no functions for ${architecture.name}; give a folder that has them.`,
    );
  }
  return readyProgram(binaries ?? shipped, architecture);
}

/**
 * The code from the folder: `bootstrap`, or `bootstrap.zip` with `bootstrap` in it.
 *
 * @throws SettingError when it is not there, is not executable, or is not for this processor
 */
function readyProgram(binaries: string, architecture: Architecture): Code {
  const file = join(binaries, PROGRAM);
  const zip = join(binaries, ZIP);
  const refuse = (problem: string) => new SettingError('binaries', binaries, problem);
  if (existsSync(file)) {
    if (!statSync(file).isFile()) {
      throw refuse(`${PROGRAM} is not a file; give the folder that has the program itself.`);
    }
    try {
      accessSync(file, constants.X_OK);
    } catch {
      throw refuse(`${PROGRAM} is not executable; run chmod +x on it.`);
    }
    let program: Buffer;
    try {
      program = readFileSync(file);
    } catch (error) {
      throw refuse(`${PROGRAM} cannot be read: ${(error as Error).message}.`);
    }
    check(program, PROGRAM);
    // Nothing that stands beside the program is uploaded with it.
    return Code.fromAsset(binaries, {
      exclude: ['*', `!/${PROGRAM}`],
      ignoreMode: IgnoreMode.GIT,
      followSymlinks: SymlinkFollowMode.ALWAYS,
    });
  }
  if (existsSync(zip)) {
    let program: ReturnType<typeof fromZip>;
    try {
      program = fromZip(readFileSync(zip), PROGRAM);
    } catch {
      throw refuse(`${ZIP} cannot be read as a zip; it may be truncated, so build or copy it again.`);
    }
    if (program === undefined) {
      throw refuse(`${ZIP} has no file ${PROGRAM} at its top.`);
    }
    if (!program.isExecutable) {
      throw refuse(`${PROGRAM} in ${ZIP} is not executable.`);
    }
    check(program.content, `${PROGRAM} in ${ZIP}`);
    return Code.fromAsset(zip);
  }
  throw refuse(`it has neither ${PROGRAM} nor ${ZIP}, the one program that all functions run.`);

  function check(content: Buffer, where: string): void {
    if (content.length < 20 || content.toString('latin1', 0, 4) !== '\x7fELF') {
      throw refuse(`${where} is no program of Linux.`);
    }
    const machine = content.readUInt16LE(18);
    if (machine !== MACHINES[architecture.name]) {
      const built = Object.entries(MACHINES).find(([, number]) => number === machine)?.[0] ?? 'another processor';
      throw refuse(`${where} is built for ${built}, and the setting architecture says ${architecture.name}.`);
    }
  }
}

/**
 * One file of a zip.
 *
 * @throws an error of Node when the zip is not whole
 * https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3 and 4.4.15
 */
function fromZip(zip: Buffer, name: string): { readonly isExecutable: boolean; readonly content: Buffer } | undefined {
  const end = zip.lastIndexOf('PK\x05\x06');
  if (end < 0) {
    throw new RangeError('the end is missing');
  }
  let at = zip.readUInt32LE(end + 16);
  for (let entries = zip.readUInt16LE(end + 10); entries > 0; entries -= 1) {
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset)) as [
      number,
      number,
      number,
    ];
    if (zip.toString('utf8', at + 46, at + 46 + nameLength) === name) {
      const local = zip.readUInt32LE(at + 42);
      const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      const packed = zip.subarray(start, start + zip.readUInt32LE(at + 20));
      const mode = zip.readUInt16LE(at + 40);
      return {
        isExecutable: (mode & 0o111) !== 0,
        content: zip.readUInt16LE(at + 10) === 0 ? packed : inflateRawSync(packed),
      };
    }
    at += 46 + nameLength + extraLength + commentLength;
  }
  return undefined;
}
