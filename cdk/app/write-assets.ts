/** Writes what the construct reads at synth beside the compiled code: the last part of `npm run build`. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { toJson } from './asl';
import { NOT_BUILT } from './functions';
import { REPOSITORY_ROOT } from './repository-root';

const DEFINITIONS = join(REPOSITORY_ROOT, 'statemachine');
const ASSETS = join(__dirname, '..', 'assets');

/** The numbers of the processors in a program's header, as `lib/binaries.ts` reads them. */
const PROCESSORS = { arm64: 0xb7, x86_64: 0x3e };

/** Writes a file at once, and only where it differs: somebody may be reading it. */
function put(file: string, content: Buffer): void {
  if (existsSync(file) && readFileSync(file).equals(content)) {
    return;
  }
  mkdirSync(dirname(file), { recursive: true });
  const begun = `${file}.${process.pid}`;
  writeFileSync(begun, content, { mode: 0o755 });
  renameSync(begun, file);
}

const definitions = readdirSync(DEFINITIONS).filter((name) => name.endsWith('.asl.yaml'));
const written = definitions.map((file) => file.replace(/\.yaml$/, '.json'));
for (const file of definitions) {
  const json = toJson(readFileSync(join(DEFINITIONS, file), 'utf8'));
  put(join(ASSETS, file.replace(/\.yaml$/, '.json')), Buffer.from(json));
}
for (const file of readdirSync(ASSETS).filter((name) => name.endsWith('.asl.json') && !written.includes(name))) {
  rmSync(join(ASSETS, file));
}

const { version } = JSON.parse(readFileSync(join(REPOSITORY_ROOT, 'cdk', 'package.json'), 'utf8')) as {
  version: string;
};
put(join(ASSETS, 'version'), Buffer.from(version));

// The header of a program and nothing more: Lambda could not start it, and the CDK deploys no stack with it.
for (const [architecture, machine] of Object.entries(PROCESSORS)) {
  const header = Buffer.alloc(20);
  header.write('\x7fELF', 'latin1');
  header.writeUInt16LE(machine, 18);
  put(join(NOT_BUILT, architecture, 'bootstrap'), header);
}
