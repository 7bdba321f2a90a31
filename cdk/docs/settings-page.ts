/**
 * The page docs/settings.md, made from the documentation of {@link EcrDeployProps}, so that a setting is documented once.
 */
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ts from 'typescript';
import { REPOSITORY_ROOT } from '../app/repository-root';
import * as choices from '../lib/choices';

/** Where the page is. */
export const PAGE = join(REPOSITORY_ROOT, 'docs', 'settings.md');

/** Where the props are. */
export const SOURCE = join(REPOSITORY_ROOT, 'cdk', 'lib', 'settings.ts');

/** The settings whose entries have members of their own: the interface, where it is, and the words before its members. */
const ENTRIES: Readonly<Record<string, readonly [source: string, name: string, says: string]>> = {
  stages: [join(REPOSITORY_ROOT, 'cdk', 'lib', 'stages.ts'), 'Stage', 'A stage has these members:'],
  sweep: [join(REPOSITORY_ROOT, 'cdk', 'lib', 'sweep-settings.ts'), 'Sweep', 'It has these members:'],
};

/** The types whose members stand for a word or a number in a settings file. */
const WORDS: Readonly<Record<string, Readonly<Record<string, string | number>>>> = {
  ...choices,
  RetentionDays,
  Architecture: { ARM_64: Architecture.ARM_64.name, X86_64: Architecture.X86_64.name },
};

/** A setting as its documentation tells. */
interface Setting {
  readonly name: string;
  /** Absent: the setting is required. */
  readonly fallback?: string;
  readonly text: string;
}

/** The whole page. */
export function settingsPage(): string {
  const settings = documentedSettings(readFileSync(SOURCE, 'utf8'));
  const rows = settings.map(
    ({ name, fallback }) => `| [\`${name}\`](#${name.toLowerCase()}) | ${fallback ?? 'required'} |`,
  );
  const sections = settings.map(({ name, text }) => `## ${name}\n\n${text}\n${membersOf(name)}`);
  return `# Settings

<!-- Written by \`npm run docs\` from the documentation of EcrDeployProps in cdk/lib/settings.ts: edit it there. -->

The settings are the props of the construct \`EcrDeploy\`: [its page](api.md) has their types. Where a setting is one of some words,
the prop is an enum, such as \`Trigger.PUT_IMAGE\` for \`putImage\`, and a duration is a \`Duration\` of the CDK.

**In a clone of the repository** they are the members of \`cdk/ecr-deploy.json\`, so that every later \`npx cdk deploy\` has them too.
Commit the file in a fork, or keep it: nothing else remembers the settings. Editors complete and check it by
[its schema](../cdk/ecr-deploy.schema.json):

\`\`\`json
{
  "$schema": "./ecr-deploy.schema.json",
  "passRoles": ["arn:aws:iam::123456789012:role/app-*"],
  "clusters": ["production", "staging"],
  "rolloutTimeout": "1h"
}
\`\`\`

A duration is a whole number and its unit, such as \`90s\`, \`30m\`, \`26h\` or \`2d\`. A setting that cannot be read stops \`cdk synth\` with
its name, its value and the fix. A setting that is given by \`-c\` is refused.

**A second stack** in the same account and region has a settings file of its own. It names the stack, such as
\`"stackName": "ecr-deploy-staging"\`, and is given by \`npx cdk deploy -c settings=staging.json\`. Let the two stacks deploy different
\`clusters\` or \`repositories\`: a push that both deploy is deployed twice.

| setting | default |
|---|---|
${rows.join('\n')}

${sections.join('\n')}`;
}

/** The table of the members that an entry of a setting has. */
function membersOf(setting: string): string {
  const entry = ENTRIES[setting];
  if (entry === undefined) {
    return '';
  }
  const [source, name, says] = entry;
  const rows = documentedSettings(readFileSync(source, 'utf8'), name).map(
    (member) => `| \`${member.name}\` | ${inCell(member.text)} | ${member.fallback ?? 'required'} |`,
  );
  return `\n${says}\n\n| member | what it says | default |\n|---|---|---|\n${rows.join('\n')}\n`;
}

/** A text in a cell of a table: in one line, its paragraphs apart, and no bar of it ends the cell. */
function inCell(text: string): string {
  return text.replaceAll('\n\n', '<br>').replaceAll('\n', ' ').replaceAll('|', '\\|');
}

/**
 * The settings in the order of their declaration: the members of EcrDeployProps, or of another interface.
 *
 * @throws Error for a setting without documentation, or an optional one without `@default`
 */
export function documentedSettings(source: string, props = 'EcrDeployProps'): Setting[] {
  const file = ts.createSourceFile('settings.ts', source, ts.ScriptTarget.Latest, true);
  const declared = file.statements.find(
    (statement): statement is ts.InterfaceDeclaration =>
      ts.isInterfaceDeclaration(statement) && statement.name.text === props,
  );
  if (declared === undefined) {
    throw new Error(`no interface ${props} is declared`);
  }
  return declared.members.filter(ts.isPropertySignature).map((member) => {
    const name = member.name.getText(file);
    const documentation = ts.getJSDocCommentsAndTags(member).find(ts.isJSDoc);
    const text = plain(documentation?.comment);
    if (documentation === undefined || text === '') {
      throw new Error(`the setting ${name} is not documented`);
    }
    if (member.questionToken === undefined) {
      return { name, text };
    }
    const tag = documentation.tags?.find(({ tagName }) => tagName.text === 'default');
    if (tag === undefined) {
      throw new Error(`the setting ${name} has no @default`);
    }
    return { name, text, fallback: written(plain(tag.comment)) };
  });
}

/** A comment as Markdown: a link becomes its target. */
function plain(comment: string | ts.NodeArray<ts.JSDocComment> | undefined): string {
  if (comment === undefined || typeof comment === 'string') {
    return comment ?? '';
  }
  return comment
    .map((part) => (ts.isJSDocLink(part) ? `\`${part.name?.getText() ?? part.text}\`` : part.text))
    .join('');
}

/** A default as it is written in the settings: `30m` of `Duration.minutes(30)`. */
function written(value: string): string {
  const [, inWords] = /^- (.*)$/s.exec(value) ?? [];
  if (inWords !== undefined) {
    return inWords;
  }
  const [, code = value, note] = /^(\S+) - (.*)$/s.exec(value) ?? [];
  const [, unit, amount] = /^Duration\.(second|minute|hour|day)s\((\d+)\)$/.exec(code) ?? [];
  const [, type = '', member = ''] = /^(\w+)\.(\w+)$/.exec(code) ?? [];
  const shown =
    unit !== undefined && amount !== undefined
      ? `${amount}${unit.charAt(0)}`
      : String(WORDS[type]?.[member] ?? code.replaceAll("'", ''));
  return note === undefined ? `\`${shown}\`` : `\`${shown}\`: ${note}`;
}
