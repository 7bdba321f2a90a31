import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY_ROOT } from './repository-root';

/** The version of ecr-deploy: that of the package which this file is a part of. */
export const VERSION = read();

function read(): string {
  const { version } = JSON.parse(readFileSync(join(REPOSITORY_ROOT, 'cdk', 'package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}
