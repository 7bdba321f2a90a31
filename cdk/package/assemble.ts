/**
 * Makes what is released of `cdk/`, from the library and from functions that are built already: the npm package, the wheel for
 * Python, the CloudFormation templates, and the page of the API. `npm run package -- --functions <folder> --out <folder>`.
 * With `--licenses <file>` the packages hold the licences of the functions' parts, which a release needs.
 *
 * The folder of the functions has `<architecture>/bootstrap.zip`. The same sources and functions give the same bytes.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { REPOSITORY_ROOT } from '../app/repository-root';
import { manifest } from './manifest';
import { writeTemplates, ZIP } from './template';
import { python, run, tool } from './tools';

const CDK = join(REPOSITORY_ROOT, 'cdk');
const ARCHITECTURES = ['arm64', 'x86_64'];

/** The words of the command line. */
interface Request {
  readonly functions: string;
  readonly out: string;
  readonly architectures: readonly string[];
  /** The file with the licences of what others wrote of the functions. */
  readonly licenses?: string;
}

/**
 * The request in the words of the command line.
 *
 * @throws Error that says how to call it
 */
function request(): Request {
  const { values } = parseArgs({
    options: {
      functions: { type: 'string' },
      out: { type: 'string' },
      architecture: { type: 'string', multiple: true, default: ARCHITECTURES },
      licenses: { type: 'string' },
    },
  });
  const { functions, out, architecture, licenses } = values;
  if (functions === undefined || out === undefined) {
    throw new Error(
      'say where the functions are and where to write: npm run package -- --functions <folder> --out <folder>; ' +
        'for one processor alone add --architecture x86_64',
    );
  }
  const zips = architecture.map((name) => join(functions, name, ZIP));
  const missing = zips.filter((zip) => !existsSync(zip));
  if (missing.length > 0) {
    throw new Error(
      `the package needs the program of the functions for each processor, but there is no ${missing.join(', ')}`,
    );
  }
  return {
    functions: resolve(functions),
    out: resolve(out),
    architectures: architecture,
    ...(licenses !== undefined && { licenses: resolve(licenses) }),
  };
}

/** Lays out the folder that jsii compiles: the library alone, what it reads at synth, and who it is. */
function layOut(stage: string, { functions, architectures, licenses }: Request): void {
  cpSync(join(CDK, 'lib'), join(stage, 'src'), { recursive: true });
  cpSync(join(CDK, 'dist', 'assets'), join(stage, 'assets'), { recursive: true });
  for (const architecture of architectures) {
    cpSync(join(functions, architecture, ZIP), join(stage, 'assets', architecture, ZIP));
  }
  cpSync(join(CDK, 'package', 'README.md'), join(stage, 'README.md'));
  cpSync(join(REPOSITORY_ROOT, 'LICENSE'), join(stage, 'LICENSE'));
  if (licenses !== undefined) {
    cpSync(licenses, join(stage, 'LICENSES.txt'));
  }
  const own: unknown = JSON.parse(readFileSync(join(CDK, 'package.json'), 'utf8'));
  writeFileSync(join(stage, 'package.json'), `${JSON.stringify(manifest(own), undefined, 2)}\n`);
  symlinkSync(join(CDK, 'node_modules'), join(stage, 'node_modules'));
}

/** The page of the API. */
function writePage(stage: string, page: string): void {
  run(tool('jsii-docgen'), ['--output', page], stage);
  const origin = '<!-- Written by jsii-docgen from the documentation in cdk/lib: edit it there. -->';
  writeFileSync(
    page,
    readFileSync(page, 'utf8').replace(/^.*\n/, (title) => `${title}\n${origin}\n`),
  );
}

/** The wheel: jsii writes the Python code around the npm package, and pip packs it. */
function writeWheel(stage: string, out: string): void {
  const generated = join(stage, 'dist');
  // The example of the README becomes one in Python.
  const make = ['--targets', 'python', '--code-only', '--rosetta-unknown-snippets', 'translate'];
  run(tool('jsii-pacmak'), [...make, '--outdir', generated], stage);
  const words = [
    '-m',
    'pip',
    'wheel',
    '--quiet',
    '--no-deps',
    '--no-build-isolation',
    '--no-index',
    '--wheel-dir',
    out,
  ];
  run(python(), [...words, join(generated, 'python')], stage);
}

/** Writes everything into the folder. Files that are there under the same names are replaced. */
function assemble(asked: Request): void {
  const stage = mkdtempSync(join(tmpdir(), 'ecr-deploy-package-'));
  try {
    layOut(stage, asked);
    mkdirSync(asked.out, { recursive: true });
    // C# and others have words that they keep for themselves. Python and TypeScript do not mind these.
    run(tool('jsii'), ['--fail-on-warnings', '--silence-warnings=reserved-word'], stage);
    run('npm', ['pack', '--silent', '--pack-destination', asked.out], stage);
    writePage(stage, join(asked.out, 'API.md'));
    writeWheel(stage, asked.out);
  } finally {
    rmSync(stage, { recursive: true });
  }
  const templates = join(asked.out, 'template');
  for (const architecture of asked.architectures) {
    cpSync(join(asked.functions, architecture, ZIP), join(templates, architecture, ZIP));
  }
  if (asked.licenses !== undefined) {
    cpSync(asked.licenses, join(templates, 'LICENSES.txt'));
  }
  writeTemplates(templates, asked.architectures);
}

try {
  assemble(request());
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}
