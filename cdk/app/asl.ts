/**
 * Makes the state machines of `statemachine/` what the package has. They are written in YAML, so that an expression stands once and has an
 * anchor where it is needed twice; the keys at the top that begin with `x-` hold such anchors, and are no part of the
 * machine. `testing/asl` is the same reader for the Rust tests.
 */
import { parse } from 'yaml';

/** The JSON of a definition that is written in YAML. Throws when it is none, with the line. */
export function toJson(text: string): string {
  // The library counts aliases, since a hostile text can make many of few. This text is ours.
  const members: unknown = parse(text, { merge: true, maxAliasCount: -1 });
  if (typeof members !== 'object' || members === null || Array.isArray(members)) {
    throw new Error('the definition of a state machine is no mapping');
  }
  const machine = Object.fromEntries(Object.entries(members).filter(([name]) => !name.startsWith('x-')));
  return `${JSON.stringify(machine, null, 2)}\n`;
}
