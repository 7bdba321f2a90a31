/**
 * The settings of the stack stand in one file, `ecr-deploy.json` beside `cdk.json`, so that every later deployment has
 * them too. Each has the name of its prop. A member that cannot be read is refused here; whether its value makes sense
 * is for the construct to say.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Node } from 'constructs';
import { parseDocument } from 'yaml';
import { changes, insteadOf } from '../lib/nearest';
import { type Member, SettingError } from '../lib/setting';
import { MEMBERS } from '../lib/members';
import type { EcrDeployProps } from '../lib/settings';

/** Where the settings are, unless the context key `settings` names another file. */
export const SETTINGS_FILE = 'ecr-deploy.json';
/** The stack that the settings are for, unless they name another one. */
export const STACK_NAME = 'ecr-deploy';

/** https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html */
const STACK_NAME_PATTERN = /^(?!CDKToolkit$)[A-Za-z][A-Za-z0-9-]{0,127}$/;

/** The contents of the settings file. */
export interface SettingsFile {
  /** The name of the stack. */
  readonly stackName: string;
  readonly props: EcrDeployProps;
}

/** A settings file of which no setting can be read. */
class SettingsFileError extends SettingError {
  constructor(file: string, fix: string) {
    super('settings', file, fix);
    this.message = `ecr-deploy: the settings file ${file}: ${fix}`;
  }
}

/** A setting of the stack, not of the construct. */
const STACK: Member<string> = {
  schema: { type: 'string', pattern: STACK_NAME_PATTERN.source },
  read: (given, setting) => {
    if (typeof given !== 'string' || !STACK_NAME_PATTERN.test(given)) {
      throw new SettingError(
        setting,
        given,
        given === 'CDKToolkit'
          ? 'that is the stack that cdk bootstrap makes; give a name of its own, such as ecr-deploy-prod.'
          : 'give letters, digits and hyphens, a letter first, such as ecr-deploy-prod.',
      );
    }
    return given;
  },
};

/** Every member that a settings file may have, but `$schema`. */
export const SCHEMAS: Readonly<Record<string, object>> = Object.fromEntries(
  Object.entries({ stackName: STACK, ...MEMBERS }).map(([name, { schema }]) => [name, schema]),
);

/**
 * The settings that the file holds: `ecr-deploy.json` in the folder where the app runs, or the file that the context key
 * `settings` names. `undefined` when there is no `ecr-deploy.json` yet.
 *
 * @throws SettingError when a setting is given in the context, where a later deployment would not have it, or for the
 * first member of the file that cannot be read
 */
export function readSettings(node: Node): SettingsFile | undefined {
  const named: unknown = node.tryGetContext('settings');
  if (named !== undefined && typeof named !== 'string') {
    throw new SettingError('settings', named, 'give the name of a file, such as staging.json.');
  }
  const file = named ?? SETTINGS_FILE;
  const name = (setting: string) => `${setting} belongs in ${file}`;
  for (const [key, given] of Object.entries(node.getAllContext() as Record<string, unknown>)) {
    if (Object.hasOwn(SCHEMAS, key)) {
      throw new SettingError(
        key,
        given,
        `${name(key)}. What -c or cdk.json gives is not taken: the next deployment may be without it.`,
      );
    }
    const near = misspelt(key);
    if (near === 'settings') {
      throw new SettingError(key, given, `did you mean settings? Give -c settings=${String(given)}.`);
    }
    if (near !== undefined) {
      throw new SettingError(key, given, `there is none of that name. If ${near} is meant: ${name(near)}.`);
    }
  }

  let written: string;
  try {
    written = readFileSync(resolve(file), 'utf8');
  } catch (error) {
    if (named === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') {
      return undefined;
    }
    throw new SettingError('settings', named ?? file, `the file cannot be read: ${(error as Error).message}.`);
  }
  const settings = parseSettings(written, file);
  if (named !== undefined && resolve(file) !== resolve(SETTINGS_FILE) && settings.stackName === undefined) {
    throw new SettingError(
      'stackName',
      undefined,
      `add it to ${file}, such as "stackName": "ecr-deploy-prod". Without it the stack of ${SETTINGS_FILE} would be changed.`,
    );
  }
  return { stackName: settings.stackName ?? STACK_NAME, props: settings.props };
}

/**
 * The settings in the text of a settings file.
 *
 * @throws SettingError for the first member that is not known or cannot be read
 */
export function parseSettings(
  written: string,
  file: string,
): { readonly stackName?: string; readonly props: EcrDeployProps } {
  // Windows writes UTF-8 with the mark, or UTF-16, whose mark is no UTF-8.
  if (/^[\ufeff\ufffd]/.test(written)) {
    throw new SettingsFileError(file, 'save it as UTF-8 without a byte order mark.');
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(written);
  } catch (error) {
    throw new SettingsFileError(file, `it is no JSON: ${(error as Error).message}.`);
  }
  checkOnce(written, file);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new SettingsFileError(file, 'it has to hold an object, such as {"passRoles": ["…"]}.');
  }
  const props: [string, unknown][] = [];
  let stackName: string | undefined;
  for (const [name, given] of Object.entries(parsed)) {
    if (name === '$schema') {
      continue;
    }
    if (given === null || given === '') {
      throw new SettingError(name, given, 'give a value, or leave the setting out for its default.');
    }
    if (name === 'stackName') {
      stackName = STACK.read(given, name);
    } else if (Object.hasOwn(MEMBERS, name)) {
      props.push([name, MEMBERS[name as keyof EcrDeployProps].read(given, name)]);
    } else {
      throw new SettingError(name, given, `there is no setting of that name${insteadOf(name, Object.keys(SCHEMAS))}`);
    }
  }
  // The construct checks that all required settings are there, like everything about their values.
  return {
    ...(stackName === undefined ? {} : { stackName }),
    props: Object.fromEntries(props) as unknown as EcrDeployProps,
  };
}

/** Refuses JSON in which an object has a member twice: of the two, `JSON.parse` takes the last, and says nothing. */
function checkOnce(written: string, file: string): void {
  // JSON is YAML, and YAML says what is there twice. Nothing else that it may find is asked for.
  const twice = parseDocument(written, { prettyErrors: true }).errors.find(({ code }) => code === 'DUPLICATE_KEY');
  if (twice !== undefined) {
    const [name = ''] = /"(\\.|[^"\\])*"/y.exec(written.slice(twice.pos[0])) ?? [];
    const line = twice.linePos?.[0].line ?? 1;
    throw new SettingsFileError(
      file,
      `the member ${name} in line ${line} is there a second time, and only one can be taken; keep one of them.`,
    );
  }
}

/** Keys that the context of many apps has, though one is almost the name of a setting. */
const OF_ANY_APP = ['account', 'region'];

/**
 * The key that a key of the context is meant to be, if it differs from that by its case, by one letter, or by two that are
 * swapped.
 */
function misspelt(key: string): string | undefined {
  if (key === 'settings' || OF_ANY_APP.includes(key.toLowerCase())) {
    return undefined;
  }
  return ['settings', ...Object.keys(SCHEMAS)].find((name) => changes(key.toLowerCase(), name.toLowerCase()) <= 1);
}
