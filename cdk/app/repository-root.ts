import { join } from 'node:path';

/** The root of the repository, seen from the compiled file in `cdk/dist/app`: where `Cargo.toml` and `statemachine/` are. */
export const REPOSITORY_ROOT = join(__dirname, '..', '..', '..');
