/** The functions of the repository's own app: cargo-lambda builds their one program from the sources. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Stack } from 'aws-cdk-lib';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { SettingError } from '../lib/setting';
import { REPOSITORY_ROOT } from './repository-root';

/** Where `npm run build` puts what stands for the program in a template that nobody deploys. */
export const NOT_BUILT = join(__dirname, '..', 'not-built');

/** The package of the program in `functions/`, and the name of the program itself, by which Lambda runs it. */
const PROGRAM = 'bootstrap';

/**
 * The folder of the program for a processor, for the setting `binaries`. It is built if the stack is to be deployed:
 * the CDK bundles nothing for other commands, such as `cdk bootstrap` and `cdk ls`.
 *
 * @throws SettingError when it cannot be built
 */
export function builtFunctions(stack: Stack, architecture: Architecture): string {
  if (!stack.bundlingRequired) {
    return join(NOT_BUILT, architecture.name);
  }
  const built = process.env['CARGO_TARGET_DIR'] ?? join(REPOSITORY_ROOT, 'target');
  const folder = join(built, 'lambda', architecture.name);
  const processor = architecture.name === Architecture.ARM_64.name ? 'aarch64' : 'x86_64';
  // As in a release: `.cargo/config.toml` has the flags of this target.
  const target = ['--target', `${processor}-unknown-linux-musl`];
  const words = ['lambda', 'build', '--release', '--locked', '--package', PROGRAM, ...target, '--lambda-dir', folder];
  // The standard output of an app is not shown by all commands of the CDK.
  const { error, status, signal } = spawnSync('cargo', words, { cwd: REPOSITORY_ROOT, stdio: ['ignore', 2, 2] });
  if (error !== undefined || status !== 0) {
    const how = error?.message ?? (signal === null ? `exit code ${status ?? 'unknown'}` : `signal ${signal}`);
    throw new SettingError(
      'binaries',
      undefined,
      `cargo lambda build failed (${how}); install cargo-lambda and Rust, correct what it says above, or give a folder ` +
        'that has the program already.',
    );
  }
  return join(folder, PROGRAM);
}
