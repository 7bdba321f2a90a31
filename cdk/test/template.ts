/**
 * Prints the template that the stack has with the props that are given as JSON. The Rust tests read the roles off it that
 * functions have where no stack is deployed; no function is built for it.
 */
import { Synthesized } from './synthesized';

const template = new Synthesized(JSON.parse(process.argv[2] ?? '{}'), { env: {} }).template.toJSON();
process.stdout.write(JSON.stringify(template));
