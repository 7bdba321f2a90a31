/** The JSON schema that editors read is that of the settings, and says of a value what the app says. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { documentedSettings, SOURCE } from '../docs/settings-page';
import { SCHEMA, settingsSchema } from '../docs/settings-schema';
import { SCHEMAS } from '../app/settings-file';
import type { Json } from './synthesized';

const schema: Json = JSON.parse(readFileSync(SCHEMA, 'utf8'));

test('ecr-deploy.schema.json is what the settings say', () => {
  assert.equal(readFileSync(SCHEMA, 'utf8'), settingsSchema(), 'stale: run `npm run docs`');
});

test('the schema has every prop, the name of the stack, and nothing else', () => {
  const props = documentedSettings(readFileSync(SOURCE, 'utf8')).map(({ name }) => name);

  assert.deepEqual(Object.keys(schema.properties), ['$schema', 'stackName', ...props]);
  assert.deepEqual(Object.keys(SCHEMAS).sort(), ['stackName', ...props].sort());
  assert.equal(schema.additionalProperties, false);
  assert.deepEqual(schema.required, ['passRoles']);
});

for (const [name, { description, type, enum: choices }] of Object.entries<Json>(schema.properties)) {
  test(`${name} has a description, and what a value may be`, () => {
    assert.match(description, /^[A-Z].+[\w.`]$/);
    assert.notEqual(type ?? choices, undefined);
  });
}
