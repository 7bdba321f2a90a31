/** The package.json of the package: what jsii, npm and pip have to know. */

/** The members of `cdk/package.json` that the package takes over. */
interface Own {
  readonly version: string;
  readonly license: string;
  readonly engines: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** The packages of the app, so that its constructs and this one are of the same library. */
const PEERS = ['aws-cdk-lib', 'constructs'];

/** Where the sources are. The workflow of a release knows it; a package that is made elsewhere names a place that cannot be. */
function repository(): string {
  const { GITHUB_SERVER_URL: server = 'https://github.com', GITHUB_REPOSITORY: name } = process.env;
  return name === undefined ? 'https://ecr-deploy.invalid' : `${server}/${name}.git`;
}

/** The package.json, by that of the app. */
export function manifest(given: unknown): object {
  const { version, license, engines, dependencies, devDependencies } = given as Own;
  const all = { ...dependencies, ...devDependencies };
  const versions = (names: readonly string[], sign = '') =>
    Object.fromEntries(names.map((name) => [name, `${sign}${all[name] ?? ''}`]));
  return {
    name: 'ecr-deploy',
    version,
    description: 'Deploys images that are pushed to ECR to the ECS services that run them, and rolls back',
    license,
    author: { name: 'The ecr-deploy authors', organization: true },
    repository: { type: 'git', url: repository() },
    keywords: ['aws', 'aws-cdk', 'cdk', 'deployment', 'ecr', 'ecs', 'step-functions'],
    stability: 'experimental',
    type: 'commonjs',
    main: 'lib/index.js',
    types: 'lib/index.d.ts',
    engines,
    files: ['.jsii', 'LICENSES.txt', 'assets', 'lib/**/*.d.ts', 'lib/**/*.js'],
    peerDependencies: versions(PEERS, '^'),
    devDependencies: versions([...PEERS, '@types/node']),
    jsii: {
      outdir: 'dist',
      versionFormat: 'full',
      targets: { python: { distName: 'ecr-deploy', module: 'ecr_deploy' } },
      tsc: { rootDir: 'src', outDir: 'lib' },
    },
  };
}
