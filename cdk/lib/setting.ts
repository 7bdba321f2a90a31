/**
 * A setting, as a settings file has it: what an editor checks, and how the text becomes a value. A member that cannot be
 * read is refused here; whether its value makes sense is for the construct to say.
 */
import { Duration } from 'aws-cdk-lib';
import { Construct } from 'constructs';

/** A setting that cannot be used, with the value that was given and what to give instead. */
export class SettingError extends Error {
  constructor(
    readonly setting: string,
    given: unknown,
    fix: string,
  ) {
    super(`ecr-deploy: setting "${setting}" ${given === undefined ? 'is not set' : `is ${shown(given)}`}: ${fix}`);
    this.name = 'SettingError';
  }
}

function shown(given: unknown): string {
  const readable = (value: unknown): unknown => {
    // A construct holds the whole app, in circles.
    if (Construct.isConstruct(value)) {
      return value.node.path;
    }
    return value instanceof Duration && !value.isUnresolved() ? value.toHumanString() : value;
  };
  // A duration by itself needs no quotes.
  return given instanceof Duration && !given.isUnresolved()
    ? given.toHumanString()
    : JSON.stringify(given, (_, value: unknown) => readable(value));
}

/** How a member of the file is written, as JSON schema has it, and how it becomes a prop. */
export interface Member<T> {
  readonly schema: object;
  readonly read: (given: unknown, setting: string) => T;
}

/** A whole number and its unit: `90s`, `30m`, `26h`, `2d`. */
export const DURATION = /^(\d{1,9})([smhd])$/;

/** A list of texts. */
export function list(pattern: RegExp): Member<string[]> {
  return {
    schema: { type: 'array', items: { type: 'string', pattern: pattern.source }, minItems: 1 },
    read: (given, setting) => {
      if (!Array.isArray(given) || !given.every((item) => typeof item === 'string' && item !== '')) {
        throw new SettingError(setting, given, 'give a list of texts, such as ["one", "two"].');
      }
      return given as string[];
    },
  };
}

/** A text. */
export function text(pattern: RegExp): Member<string> {
  return {
    schema: { type: 'string', pattern: pattern.source },
    read: (given, setting) => {
      if (typeof given !== 'string') {
        throw new SettingError(setting, given, 'give a text in quotes.');
      }
      return given;
    },
  };
}

/** One of some texts. Which ones is for the construct to say, and for the schema. */
export function choice<T extends string>(choices: readonly T[]): Member<T> {
  return { schema: { enum: choices }, read: (given) => given as T };
}

/** True or false. */
export const FLAG: Member<boolean> = {
  schema: { type: 'boolean' },
  read: (given, setting) => {
    if (typeof given !== 'boolean') {
      throw new SettingError(setting, given, 'give true or false, without quotes.');
    }
    return given;
  },
};

/** A whole number within bounds. The bounds are for the construct to say, and for the schema. */
export function number(schema: object): Member<number> {
  return {
    schema,
    read: (given, setting) => {
      if (typeof given !== 'number' || !Number.isInteger(given)) {
        const quotes = typeof given === 'number' ? '' : ' without quotes';
        throw new SettingError(setting, given, `give a whole number${quotes}, such as 90.`);
      }
      return given;
    },
  };
}

/** A duration, in whole seconds or in larger units. */
export const DURATION_TEXT: Member<Duration> = {
  schema: { type: 'string', pattern: DURATION.source },
  read: (given, setting) => {
    const [, amount, unit] = DURATION.exec(typeof given === 'string' ? given : '') ?? [];
    switch (unit) {
      case 's':
        return Duration.seconds(Number(amount));
      case 'm':
        return Duration.minutes(Number(amount));
      case 'h':
        return Duration.hours(Number(amount));
      case 'd':
        return Duration.days(Number(amount));
      default:
        throw new SettingError(
          setting,
          given,
          'give a whole number and its unit in quotes, such as "90s", "30m", "26h" or "2d".',
        );
    }
  },
};
