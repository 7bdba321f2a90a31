/** README.md and docs/: short, current, every command run by a test, every link leads somewhere. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { PAGE, documentedSettings, settingsPage } from '../docs/settings-page';
import { REPOSITORY_ROOT } from '../lib/repository-root';

/** The pages in a folder of the repository. */
const markdown = (folder: string) =>
  readdirSync(join(REPOSITORY_ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}/${name}`);

const PAGES = ['README.md', ...markdown('docs')].map((page) => ({
  page,
  text: readFileSync(join(REPOSITORY_ROOT, page), 'utf8'),
}));

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

test('every link and every anchor in README.md and docs/ leads somewhere', () => {
  const broken: string[] = [];
  for (const { page, text } of PAGES) {
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
