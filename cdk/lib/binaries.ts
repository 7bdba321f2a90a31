/**
 * The code of the functions: of the setting `binaries`, or of the package. It is checked at synth, because a function that
 * Lambda cannot start would be found only by the first push.
 */
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { type Architecture, Code } from 'aws-cdk-lib/aws-lambda';
import { shippedFunctions } from './assets';
import { SettingError } from './setting';
import type { Settings } from './settings';

/** https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html */
const MACHINES: Readonly<Record<string, number>> = { arm64: 0xb7, x86_64: 0x3e };

/**
 * The code of one function. There is no other place where the construct gets one from.
 *
 * @throws SettingError when it cannot be used
 */
export function functionCode({ binaries, architecture }: Settings, name: string): Code {
  const shipped = shippedFunctions(architecture);
  if (binaries === undefined && !existsSync(shipped)) {
    throw new SettingError(
      'binaries',
      binaries,
      `this copy of ecr-deploy has no functions for ${architecture.name}; give a folder that has them.`,
    );
  }
  return readyFunction(binaries ?? shipped, name, architecture);
}

/**
 * The code of one function from the folder: `<name>/bootstrap`, or `<name>.zip` with `bootstrap` in it.
 *
 * @throws SettingError when it is not there, is not executable, or is not for this processor
 */
function readyFunction(binaries: string, name: string, architecture: Architecture): Code {
  const file = join(binaries, name, 'bootstrap');
  const zip = join(binaries, `${name}.zip`);
  const refuse = (problem: string) => new SettingError('binaries', binaries, problem);
  if (existsSync(file)) {
    if (!statSync(file).isFile()) {
      throw refuse(`${name}/bootstrap is not a file; put the program itself there.`);
    }
    try {
      accessSync(file, constants.X_OK);
    } catch {
      throw refuse(`${name}/bootstrap is not executable; run chmod +x on it.`);
    }
    let program: Buffer;
    try {
      program = readFileSync(file);
    } catch (error) {
      throw refuse(`${name}/bootstrap cannot be read: ${(error as Error).message}.`);
    }
    check(program, `${name}/bootstrap`);
    return Code.fromAsset(join(binaries, name));
  }
  if (existsSync(zip)) {
    let bootstrap: ReturnType<typeof fromZip>;
    try {
      bootstrap = fromZip(readFileSync(zip), 'bootstrap');
    } catch {
      throw refuse(`${name}.zip cannot be read as a zip; it may be truncated, so build or copy it again.`);
    }
    if (bootstrap === undefined) {
      throw refuse(`${name}.zip has no file bootstrap at its top.`);
    }
    if (!bootstrap.isExecutable) {
      throw refuse(`bootstrap in ${name}.zip is not executable.`);
    }
    check(bootstrap.content, `bootstrap in ${name}.zip`);
    return Code.fromAsset(zip);
  }
  throw refuse(`it has neither ${name}/bootstrap nor ${name}.zip.`);

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
