/**
 * A golden file is what a test expects, in a file of its own that a person can read and review. After a change that is
 * meant, `UPDATE_GOLDEN=1 npm test` writes the files anew; the diff is what to review.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Fails unless `actual` is the text of `test/golden/<name>`. */
export function assertGolden(name: string, actual: string): void {
  if (process.env['UPDATE_GOLDEN'] === '1') {
    writeFileSync(path(name), actual);
  }
  assert.equal(actual, golden(name));
}

/** The text of `test/golden/<name>`. */
export function golden(name: string): string {
  return readFileSync(path(name), 'utf8');
}

function path(name: string): string {
  // Seen from the compiled file in `dist/test`.
  return join(__dirname, '..', '..', 'test', 'golden', name);
}
