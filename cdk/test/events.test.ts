/** The JSON schema of the events says what the examples of the contract show, and the page names every state. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { REPOSITORY_ROOT } from '../app/repository-root';
import type { Json } from './synthesized';

const read = (path: string) => readFileSync(join(REPOSITORY_ROOT, path), 'utf8');
const SCHEMA: Json = JSON.parse(read('docs/events.schema.json'));
const PAGE = read('docs/events.md');
const EVENTS = { service: 'service-state-change', push: 'push-state-change' } as const;

const examples = (arrow: string): [string, Json][] =>
  readdirSync(join(REPOSITORY_ROOT, 'statemachine/examples'))
    .filter((name) => name.split('.')[0] === arrow)
    .map((name) => [name, JSON.parse(read(`statemachine/examples/${name}`))]);

/** The problems of a value by the part of JSON schema that the file uses. */
function problems(schema: Json, value: Json, at: string): string[] {
  if (schema.$ref !== undefined) {
    return problems(SCHEMA.$defs[schema.$ref.replace('#/$defs/', '')], value, at);
  }
  if (schema.anyOf !== undefined) {
    const each = schema.anyOf.map((one: Json) => problems(one, value, at));
    return each.some((found: string[]) => found.length === 0) ? [] : each.flat();
  }
  const type =
    value === null ? 'null' : Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value;
  const found: string[] = [];
  if (schema.type !== undefined && ![schema.type].flat().includes(type)) {
    found.push(`${at} is ${type}`);
  }
  if (schema.const !== undefined && schema.const !== value) {
    found.push(`${at} is not ${schema.const}`);
  }
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    found.push(`${at} is ${value}`);
  }
  if (schema.pattern !== undefined && type === 'string' && !new RegExp(schema.pattern).test(value)) {
    found.push(`${at} is not ${schema.pattern}`);
  }
  if (schema.minimum !== undefined && type === 'integer' && value < schema.minimum) {
    found.push(`${at} is ${value}`);
  }
  if (type === 'array' && schema.items !== undefined) {
    found.push(...value.flatMap((item: Json, place: number) => problems(schema.items, item, `${at}/${place}`)));
  }
  if (type === 'object' && schema.properties !== undefined) {
    assert.deepEqual(schema.required, Object.keys(schema.properties), at);
    for (const name of schema.required) {
      found.push(
        ...(name in value ? problems(schema.properties[name], value[name], `${at}/${name}`) : [`${at}/${name}`]),
      );
    }
    if (schema.additionalProperties === false) {
      found.push(...Object.keys(value).filter((name) => !(name in schema.properties)));
    }
  }
  return found;
}

for (const [definition, arrow] of Object.entries(EVENTS)) {
  const schema = SCHEMA.$defs[definition];

  test(`${arrow}: every example is what the schema says`, () => {
    for (const [name, example] of examples(arrow)) {
      assert.deepEqual(problems(schema, example, name), []);
    }
  });

  test(`${arrow}: every state has an example and stands on the page`, () => {
    const states = new Set(examples(arrow).map(([, { state }]) => state));

    assert.deepEqual([...states].sort(), [...schema.properties.state.enum].sort());
    assert.ok(PAGE.includes(`\`${schema.title}\``));
    for (const state of states) {
      assert.ok(PAGE.includes(`\`${state}\``), state);
    }
  });
}

test('the schema refuses what is no event', () => {
  const [[, example] = ['', {}]] = examples('service-state-change');

  for (const change of [
    { state: 'WELL' },
    { attempt: -1 },
    { surprise: 1 },
    { seconds: 'long' },
    { cluster: undefined },
  ]) {
    const changed = JSON.parse(JSON.stringify({ ...example, ...change }));
    assert.notDeepEqual(problems(SCHEMA.$defs.service, changed, ''), [], JSON.stringify(change));
  }
});

test('the event on the page is the example', () => {
  const [block = ''] = PAGE.split('```json\n').slice(1);
  const event: Json = JSON.parse(block.split('```')[0] ?? '');
  const example: Json = JSON.parse(read('statemachine/examples/service-state-change.rolled-back.json'));

  assert.deepEqual({ ...event.detail, message: example.message }, example);
  assert.ok(example.message.startsWith(event.detail.message.replace(' …', '')));
});
