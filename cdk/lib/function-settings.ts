/** The settings that the functions get: one JSON document in an environment variable. */
import { Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Settings } from './settings';

/** The settings of the functions: `Config` in `functions/ecr-deploy/src/function/config.rs` has the same members. */
const OF_FUNCTIONS = [
  'clusters',
  'repositories',
  'stages',
  'tagLatest',
  'imageReference',
  'scanFamilies',
  'maxServices',
  'sendsMessages',
  'writesParameters',
  'sweep',
  'rolloutTimeoutSeconds',
  'pollIntervalSeconds',
] as const satisfies readonly (keyof Settings)[];

/** The name of the environment variable that has them, as JSON. */
export const VARIABLE = 'SETTINGS';

/** The environment of every function: its settings as one JSON document. */
export function environment(scope: Construct, settings: Settings): Record<string, string> {
  return { [VARIABLE]: Stack.of(scope).toJsonString(ofFunctions(settings)) };
}

/** The settings of every function, as it reads them. */
export function ofFunctions(settings: Settings): Record<string, unknown> {
  const stages = settings.stages.map(({ soak, rolloutTimeout, ...stage }) => ({
    ...stage,
    ...(soak && { soakSeconds: soak.toSeconds() }),
    ...(rolloutTimeout && { rolloutTimeoutSeconds: rolloutTimeout.toSeconds() }),
  }));
  const members = OF_FUNCTIONS.map((name) => [name, name === 'stages' ? stages : settings[name]]);
  return Object.fromEntries(members) as Record<string, unknown>;
}
