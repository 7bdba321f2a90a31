/**
 * The files that the package holds beside its code: the definitions of the state machines as JSON, its version, and the
 * program of the functions as a zip. In the repository `npm run build` writes them but for the program, which the app
 * builds.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Architecture } from 'aws-cdk-lib/aws-lambda';

/** Where they are, seen from the compiled file: beside `lib`, in the package as in `cdk/dist`. */
const ASSETS = join(__dirname, '..', 'assets');

/** The definition of a state machine as the JSON that Step Functions takes. */
export function readDefinition(name: string): string {
  return readFileSync(join(ASSETS, `${name}.asl.json`), 'utf8');
}

/** The version of the package. */
export function readVersion(): string {
  return readFileSync(join(ASSETS, 'version'), 'utf8');
}

/** The folder that has the program of the functions for a processor. */
export function shippedFunctions(architecture: Architecture): string {
  return join(ASSETS, architecture.name);
}
