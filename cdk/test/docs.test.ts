/** README.md and docs/: short, current, every command run by a test, every link leads somewhere. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { PAGE, documentedSettings, settingsPage } from '../docs/settings-page';
import { readDefinition } from '../lib/assets';
import { REPOSITORY_ROOT } from '../app/repository-root';

/** The pages in a folder of the repository. */
const markdown = (folder: string) =>
  readdirSync(join(REPOSITORY_ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}/${name}`);

const PAGES = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', ...markdown('docs')].map((page) => ({
  page,
  text: read(page),
}));

const EXAMPLES = ['cdk', 'cloudformation', 'forwarded-events', 'sam', 'short'];

/** The pages of the examples and of the decisions. */
const FURTHER = ['docs/decisions', 'examples', ...EXAMPLES.map((folder) => `examples/${folder}`)]
  .flatMap(markdown)
  .map((page) => ({ page, text: read(page) }));

test('the README is at most 150 lines', () => {
  const [readme] = PAGES;
  assert.ok(readme && readme.text.trimEnd().split('\n').length <= 150);
});

test('docs/settings.md is what the documentation of the props says', () => {
  assert.equal(readFileSync(PAGE, 'utf8'), settingsPage(), 'stale: run `npm run docs`');
});

test('a setting without documentation, or an optional one without its default, is refused', () => {
  const props = (member: string) => `export interface EcrDeployProps {\n${member}\n}`;
  assert.throws(() => documentedSettings(props('readonly a?: string;')), /a is not documented/);
  assert.throws(() => documentedSettings(props('/** A. */ readonly a?: string;')), /a has no @default/);
  assert.deepEqual(
    documentedSettings(props('/** A.\n * @default Duration.minutes(30) - long */ readonly a?: string;')),
    [{ name: 'a', text: 'A.', fallback: '`30m`: long' }],
  );
});

test('every link and every anchor in README.md, docs/ and examples/ leads somewhere', () => {
  const broken: string[] = [];
  for (const { page, text } of [...PAGES, ...FURTHER]) {
    for (const [, target = ''] of outsideOfCode(text).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) {
        continue;
      }
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : relative(REPOSITORY_ROOT, join(REPOSITORY_ROOT, dirname(page), path));
      const there = existsSync(join(REPOSITORY_ROOT, file));
      if (!there || (anchor !== undefined && !anchors(readFileSync(join(REPOSITORY_ROOT, file), 'utf8')).has(anchor))) {
        broken.push(`${page}: ${target}`);
      }
    }
  }
  assert.deepEqual(broken, []);
});

test('every page of docs/ is linked from the README', () => {
  const [readme, ...pages] = PAGES;
  assert.deepEqual(
    pages.filter(({ page }) => !readme?.text.includes(`(${page})`)).map(({ page }) => page),
    [],
  );
});

/** The tests that type whole blocks of commands, by the mark behind `sh` in the block's first line. */
const TYPED: Readonly<Record<string, string>> = {
  npm: 'tests/package/npm.rs',
  python: 'tests/package/wheel.rs',
  template: 'tests/package/template.rs',
  install: 'tests/containers/installation.rs',
  command: 'tests/command/page.rs',
  operate: 'tests/containers/operations.rs',
};

/** The commands outside of such blocks: the file that runs each in a test, and the words by which it does. */
const RUN: Readonly<Record<string, readonly [file: string, words: string]>> = {
  'cargo xtask demo': ['xtask/src/test.rs', '"cargo xtask demo"'],
  'cargo xtask test': ['.ci/run', 'cargo xtask test'],
  'cargo install --locked --path cli --features sso': ['xtask/src/steps.rs', '"ecr-deploy-cli/sso"'],
  'cargo xtask package': ['xtask/src/test.rs', 'cargo xtask package'],
  'cargo xtask storm': ['xtask/src/test.rs', 'cargo xtask storm'],
  'cargo xtask fuzz': ['xtask/src/test.rs', 'cargo xtask fuzz'],
  'cargo xtask picture': ['xtask/src/picture.rs', 'fn the_pictures_are_current'],
  'npm run package': ['tests/package/dist.rs', '"package"'],
  'npm run build': ['xtask/prepare/src/tools.rs', '["run", "build"]'],
  'npm run docs': ['cdk/test/docs.test.ts', 'settingsPage()'],
  'npx cdk deploy': ['testing/local-aws/src/stack.rs', '"deploy"'],
};

/** The commands that no test runs, each with the reason. That `cargo xtask` takes them is shown by xtask/src/docs.rs. */
const NOT_RUN: Readonly<Record<string, string>> = {
  'rustup target add':
    'changes the toolchain of the machine; the functions that tests deploy are built for its own processor',
  'npx cdk destroy': 'the local AWS ends with all its stacks',
  'aws ssm get-parameters-by-path': 'deletes what stays of an installation; the local AWS ends with all its parameters',
  'cargo xtask demo --keep': 'goes on until Ctrl-C',
  'cargo xtask check': 'cargo xtask test runs each of its steps',
  'cargo xtask bench': 'measures for half an hour, on a machine that does nothing else',
  'cargo mutants': 'takes hours',
  'git ls-remote': 'asks GitHub',
};

test('every command in README.md and docs/ is run by a test, or is known not to be', () => {
  const unknown: string[] = [];
  const seen = new Set<string>();
  const known = [...Object.keys(RUN), ...Object.keys(NOT_RUN)].sort((a, b) => b.length - a.length);
  const read = (page: string, command: string) => {
    const found = known.find((start) => command === start || command.startsWith(`${start} `));
    seen.add(found ?? '');
    if (found === undefined) {
      unknown.push(`${page}: ${command}`);
    }
  };
  // The page of the API has words of the CDK's, too.
  for (const { page, text } of PAGES.filter((it) => it.page !== 'docs/api.md')) {
    for (const { mark, commands } of blocks(text)) {
      if (mark === '') {
        commands.forEach((command) => {
          read(page, command);
        });
      } else if (TYPED[mark] === undefined) {
        unknown.push(`${page}: no test types the blocks marked ${mark}`);
      }
    }
    for (const [, command = ''] of outsideOfCode(text).matchAll(/`((?:cargo|npm|npx|aws|git|rustup) [^`]+)`/g)) {
      read(page, command);
    }
  }
  assert.deepEqual(unknown, []);
  assert.deepEqual(
    known.filter((command) => !seen.has(command)),
    [],
    'stands on no page any more',
  );
});

test('the commands by which the README installs stand in docs/getting-started.md, in the same order', () => {
  const commands = (page: string) =>
    blocks(read(page)).flatMap((block) => block.commands.filter((command) => /^(npm|npx|cp) /.test(command)));
  const short = commands('README.md');
  assert.ok(short.length >= 3);
  assert.deepEqual(commands('docs/getting-started.md').slice(0, short.length), short);
});

test('the packages that README.md, docs/ and examples/ name are of the version of cdk/package.json', () => {
  const { version } = JSON.parse(read('cdk/package.json')) as { version: string };
  const files = [...PAGES, ...FURTHER, { page: '', text: read('examples/cdk/package.json') }];
  const named = files.flatMap(({ text }) => matches(text, /ecr[-_]deploy-(\d\S*?)(?:\.tgz|-py3-)/g));
  assert.ok(named.length >= 4);
  assert.deepEqual([...new Set(named)], [version]);
});

test('the tests that are said to run the commands of README.md and docs/ do so', () => {
  for (const [mark, file] of Object.entries(TYPED)) {
    assert.ok(read(file).includes(`"${mark}"`), `${file} types no blocks marked ${mark}`);
  }
  for (const [command, [file, words]] of Object.entries(RUN)) {
    assert.ok(read(file).includes(words), `${file} does not run ${command}`);
  }
});

test('each promise of docs/security.md names a test that is there', () => {
  const [, promises = ''] = read('docs/security.md').split('## Promises');
  const rows = [...promises.matchAll(/^\| (?!promise|-)/gm)];
  assert.ok(rows.length > 0 && namedTests(promises) >= rows.length, 'a promise without a test');
});

test('each cell of the table in docs/concurrency.md names a test that is there', () => {
  const table = matches(read('docs/concurrency.md'), /^\| \*\*(.*) \|$/gm);
  const cells = table.flatMap((row) => row.split(' | ').slice(1));
  assert.ok(table.length === 5 && cells.length === 5 * 4);
  for (const cell of cells) {
    assert.equal(namedTests(cell), 1, cell);
  }
});

/** How many tests a text names with their files. Each is there. */
function namedTests(text: string): number {
  const named = [...text.matchAll(/\[`([^`]+)`\]\(\.\.\/([^)]+)\)/g)];
  for (const [, name = '', file = ''] of named) {
    const begin = file.endsWith('.rs') ? `fn ${name}(` : `test('${name}'`;
    assert.ok(read(file).includes(begin), `${file} has no test ${name}`);
  }
  return named.length;
}

test('README.md and docs/operations.md explain every error, and no other', () => {
  // No execution ends by this one: the steps turn it into the outcome SERVICE_DELETED.
  const errors = matches(read('functions/ecr-deploy/src/error.rs'), /"(Deploy\.(?!ServiceDeleted)\w+)"/g);
  for (const page of ['README.md', 'docs/operations.md']) {
    assert.deepEqual(matches(read(page), /^\| `(Deploy\.\w+)`/gm), errors, page);
  }
});

test('docs/operations.md explains every outcome of a service, every reason to skip something, and every reason to miss a push', () => {
  const contract = (file: string) => read(`functions/ecr-deploy/src/contract/${file}.rs`);
  const outcomes = variants(contract('conclude'), 'ServiceOutcome');
  const missed = variants(contract('find_missed_pushes'), 'WhyMissed');
  const words = [...new Set([...outcomes, ...missed, ...variants(contract('common'), 'SkipReason')])].sort();
  assert.deepEqual(matches(read('docs/operations.md'), /^\| `([A-Z_]+)` \|/gm), words);
});

test('docs/operations.md says of every state that takes time what a redrive does there', () => {
  const [, table = ''] = read('docs/operations.md').split('| state | what a redrive does |');
  const [rows = ''] = table.split('\n\n');
  const machines = /^\| \*(?:push|deploy-image|deploy-service|tell-end|sweep)\* \|.*$/m;
  const [, push = '', image = '', service = '', end = '', sweep = ''] = rows.split(machines);
  for (const [machine, part] of Object.entries({
    push,
    'deploy-image': image,
    'deploy-service': service,
    'tell-end': end,
    sweep,
  })) {
    const named = matches(part, /^\| ([^|]+) \|/gm).flatMap((names) => names.split(', '));
    const { slow, all } = states(JSON.parse(readDefinition(machine)));
    assert.deepEqual(
      [...slow.filter((state) => !named.includes(state)), ...named.filter((state) => !all.includes(state))],
      [],
      machine,
    );
  }
});

/** The text of a file of the repository. */
function read(file: string): string {
  return readFileSync(join(REPOSITORY_ROOT, file), 'utf8');
}

/** The matches of a group, each once, in order of the alphabet. */
function matches(text: string, pattern: RegExp): string[] {
  return [...new Set([...text.matchAll(pattern)].map(([, match = '']) => match))].sort();
}

/** The variants of a Rust enum, as its JSON spells them: `AlreadyDeployed` is `ALREADY_DEPLOYED`. */
function variants(source: string, name: string): string[] {
  const [, rest = ''] = source.split(`pub enum ${name} {`);
  const [body = ''] = rest.split('\n}');
  return matches(body, /^ {4}([A-Z]\w+),$/gm).map((variant) =>
    variant.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase(),
  );
}

/** The names of all states of a machine and of its Maps, and of those where an execution spends its time: Task and Wait. */
function states({ States }: any): { slow: string[]; all: string[] } {
  const found: { slow: string[]; all: string[] } = { slow: [], all: [] };
  for (const [name, state] of Object.entries<any>(States)) {
    const inner = state.Type === 'Map' ? states(state.ItemProcessor) : { slow: [], all: [] };
    found.slow.push(...inner.slow, ...(['Task', 'Wait'].includes(state.Type) ? [name] : []));
    found.all.push(...inner.all, name);
  }
  return found;
}

/** The `sh` blocks of a page: the mark in the first line, and the commands without comments. */
function blocks(text: string): { mark: string; commands: string[] }[] {
  return [...text.matchAll(/^```sh *([^\n]*)\n([^]*?)^```$/gm)].map(([, mark = '', body = '']) => ({
    mark,
    commands: body
      .replaceAll('\\\n', ' ')
      .split(/\n|&&/)
      .map((command) => command.replace(/(^|\s)#.*/, '').trim())
      .filter((command) => command !== '' && !command.startsWith('cd ')),
  }));
}

/** The text without its code blocks. */
function outsideOfCode(text: string): string {
  return text.replaceAll(/^```[^]*?^```$/gm, '');
}

/** The anchors that GitHub makes of the headings of a page. */
function anchors(text: string): Set<string> {
  return new Set(
    [...outsideOfCode(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}
