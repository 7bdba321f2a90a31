/** The JSON schema of the settings file, from which editors complete and check it: the table of the file and the props' documentation. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY_ROOT } from '../app/repository-root';
import { SCHEMAS, STACK_NAME } from '../app/settings-file';
import { documentedSettings, SOURCE } from './settings-page';

/** Where the schema is. */
export const SCHEMA = join(REPOSITORY_ROOT, 'cdk', 'ecr-deploy.schema.json');

/** The whole schema, as the file has it. */
export function settingsSchema(): string {
  const documented = documentedSettings(readFileSync(SOURCE, 'utf8'));
  const properties = [
    ['$schema', { type: 'string', description: 'The schema by which an editor checks this file.' }],
    [
      'stackName',
      {
        description: `The name of the stack. Two stacks of different names work side by side. Default: \`${STACK_NAME}\``,
        ...SCHEMAS['stackName'],
      },
    ],
    ...documented.map(({ name, text, fallback }) => [
      name,
      {
        description: `${text.replaceAll('\n', ' ')}${fallback === undefined ? '' : ` Default: ${fallback}`}`,
        ...SCHEMAS[name],
      },
    ]),
  ];
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Settings of ecr-deploy',
    type: 'object',
    properties: Object.fromEntries(properties) as object,
    required: documented.filter(({ fallback }) => fallback === undefined).map(({ name }) => name),
    additionalProperties: false,
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}
