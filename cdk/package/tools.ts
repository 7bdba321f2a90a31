/** The tools that make the package, installed when they are missing or out of date, and how they are run. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { REPOSITORY_ROOT } from '../app/repository-root';

const FOLDER = join(REPOSITORY_ROOT, 'cdk', 'package');
const VENV = join(REPOSITORY_ROOT, 'target', 'package-venv');

/** Dates in archives, in seconds: the least that a zip can hold, unless the environment says another. */
const SOURCE_DATE_EPOCH = process.env['SOURCE_DATE_EPOCH'] ?? '315532800';

/**
 * Runs a program in a folder.
 *
 * @throws Error with what it said, when it fails
 */
export function run(program: string, words: readonly string[], folder: string): void {
  // Node 20 is past its end for jsii, which says so at each call.
  const environment = { JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION: process.versions.node.split('.')[0] };
  const { error, status, stdout, stderr } = spawnSync(program, [...words], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, ...environment, SOURCE_DATE_EPOCH, PIP_DISABLE_PIP_VERSION_CHECK: '1' },
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error !== undefined || status !== 0) {
    const said = error?.message ?? `${stdout}${stderr}`;
    throw new Error(`${basename(program)} ${words.join(' ')} failed in ${folder}:\n${said}`);
  }
}

/** The file of a tool of `cdk/package/package.json`. */
export function tool(name: string): string {
  installed(join(FOLDER, 'node_modules', '.installed'), join(FOLDER, 'package-lock.json'), () => {
    run('npm', ['ci', '--no-fund', '--no-audit'], FOLDER);
  });
  return join(FOLDER, 'node_modules', '.bin', name);
}

/** The Python that has what `cdk/package/requirements.txt` names. */
export function python(): string {
  const program = join(VENV, 'bin', 'python');
  const requirements = join(FOLDER, 'requirements.txt');
  installed(join(VENV, '.installed'), requirements, () => {
    run('python3', ['-m', 'venv', '--clear', VENV], FOLDER);
    run(program, ['-m', 'pip', 'install', '--quiet', '--require-hashes', '--requirement', requirements], FOLDER);
  });
  return program;
}

/** Installs what a file asks for, unless the stamp, a copy of the file, says that it is there. */
function installed(stamp: string, askedFor: string, install: () => void): void {
  const wanted = readFileSync(askedFor, 'utf8');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) {
    return;
  }
  install();
  writeFileSync(stamp, wanted);
}
