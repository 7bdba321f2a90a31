import assert from 'node:assert/strict';
import { test } from 'node:test';
import { App, Duration, Lazy, Stack } from 'aws-cdk-lib';
import { AccountRootPrincipal, Role } from 'aws-cdk-lib/aws-iam';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { SettingError } from '../lib/setting';
import { MEMBERS } from '../lib/members';
import { SweepAction, Trigger } from '../lib/choices';
import { EcrDeploy } from '../lib/ecr-deploy';
import { ofFunctions } from '../lib/function-settings';
import { checkSettings, type EcrDeployProps } from '../lib/settings';
import { golden } from './golden';
import { type Json, REQUIRED } from './synthesized';

/** The environment of every function where the required setting alone is given. */
const OF_FUNCTIONS: Json = JSON.parse(golden('settings-default.json'));

const LONG_LIST = Array.from({ length: 120 }, (_, place) => `a-repository-of-thirty-letter-${place + 100}`);

const ROLES = 'name the task and execution roles of the task definitions that are deployed, each by its ARN, such as ';
const EXAMPLE_ROLE = 'arn:aws:iam::123456789012:role/app-*.';
const CLUSTERS =
  'give names of clusters, not ARNs: letters, digits, hyphens and underscores, such as ["prod", "staging"]; ' +
  'leave the setting out for every cluster.';
const REPOSITORIES =
  'give names of repositories, without the registry and without a tag, such as ["web", "team/worker"]; ' +
  'leave the setting out for every repository.';
const CONCURRENCY =
  'give a whole number from 1 to 1600: inline Maps of Step Functions run forty at once, here in forty groups.';
const POLL = 'give a duration in whole seconds, known at synth, from 1s to 3600s.';
const TIMEOUT = 'give a duration in whole seconds, known at synth, from 1s to 604800s.';
const RETENTION =
  'give a number of days that CloudWatch Logs knows (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, ' +
  '1096, 1827, 2192, 2557, 2922, 3288, 3653), or RetentionDays.INFINITE.';

const PROCESSORS = 'give Architecture.ARM_64 or Architecture.X86_64.';
const ACCOUNTS =
  'give ids of accounts, each of twelve digits in quotes, such as ["123456789012"]; ' +
  'leave the setting out for pushes of this account alone.';
const HOLD =
  'begin it with a slash, such as /app/ecr-deploy/hold: letters, digits and . _ - between slashes, not aws or ssm in front.';
const WRITTEN =
  'ecr-deploy itself may write this parameter, and so every push would be held for ever; give a name that nothing else has, ' +
  'such as /app/ecr-deploy/hold.';
const PREFIX = 'give 1 to 32 letters, digits and characters of +=,.@_-, such as app-ecr-deploy-.';

/** Settings as a caller without types would give them, and the whole message that refuses each. */
const REFUSED: readonly (readonly [given: { [K in keyof EcrDeployProps]?: unknown }, message: string])[] = [
  [{ passRoles: undefined }, `"passRoles" is not set: ${ROLES}${EXAMPLE_ROLE}`],
  [{ passRoles: [] }, `"passRoles" is []: ${ROLES}${EXAMPLE_ROLE}`],
  [{ passRoles: ['*'] }, `"passRoles" is "*": ${ROLES}${EXAMPLE_ROLE}`],
  [{ passRoles: [...REQUIRED.passRoles, '*'] }, `"passRoles" is "*": ${ROLES}${EXAMPLE_ROLE}`],
  [{ passRoles: ['arn:aws:iam::*:role/app'] }, `"passRoles" is "arn:aws:iam::*:role/app": ${ROLES}${EXAMPLE_ROLE}`],
  [
    { passRoles: ['arn:aws:iam::123456789012:user/app'] },
    `"passRoles" is "arn:aws:iam::123456789012:user/app": ${ROLES}${EXAMPLE_ROLE}`,
  ],
  [{ passRoles: ['app-role'] }, `"passRoles" is "app-role": ${ROLES}${EXAMPLE_ROLE}`],
  [{ passRoles: [7] }, `"passRoles" is 7: ${ROLES}${EXAMPLE_ROLE}`],
  [{ passRoles: [null] }, `"passRoles" is null: ${ROLES}${EXAMPLE_ROLE}`],
  [{ clusters: 'production' }, `"clusters" is "production": ${CLUSTERS}`],
  [{ clusters: [] }, `"clusters" is []: ${CLUSTERS}`],
  [{ clusters: null }, `"clusters" is null: ${CLUSTERS}`],
  [{ repositories: [] }, `"repositories" is []: ${REPOSITORIES}`],
  [{ accounts: [] }, `"accounts" is []: ${ACCOUNTS}`],
  [{ clusters: ['prod*'] }, `"clusters" is "prod*": ${CLUSTERS}`],
  [
    { clusters: ['production', 'arn:aws:ecs:eu-west-1:123456789012:cluster/staging'] },
    `"clusters" is "arn:aws:ecs:eu-west-1:123456789012:cluster/staging": ${CLUSTERS}`,
  ],
  [{ deployLatest: 'yes' }, '"deployLatest" is "yes": give true or false.'],
  [{ tagLatest: 1 }, '"tagLatest" is 1: give true or false.'],
  [{ scanFamilies: 'false' }, '"scanFamilies" is "false": give true or false.'],
  [
    { deployLatest: true, tagLatest: true },
    '"tagLatest" is true: with deployLatest every push would be deployed twice, once under its own tag and once as ' +
      'latest; turn one of the two off.',
  ],
  [
    { stages: [] },
    '"stages" is []: give a list of stages, such as [{"name": "staging", "clusters": ["staging"], "tags": ["main-*"]}]; ' +
      'leave the setting out for one stage that owns every service.',
  ],
  [{ imageReference: 'sha256' }, '"imageReference" is "sha256": give tag or digest.'],
  [{ rolloutTimeout: Duration.seconds(0) }, `"rolloutTimeout" is 0 seconds: ${TIMEOUT}`],
  [{ rolloutTimeout: Duration.days(8) }, `"rolloutTimeout" is 8 days: ${TIMEOUT}`],
  [{ rolloutTimeout: 1800 }, `"rolloutTimeout" is 1800: ${TIMEOUT}`],
  [{ pollInterval: Duration.seconds(0) }, `"pollInterval" is 0 seconds: ${POLL}`],
  [{ pollInterval: Duration.millis(1500) }, `"pollInterval" is 1 second 500 millis: ${POLL}`],
  [{ pollInterval: Duration.hours(2) }, `"pollInterval" is 2 hours: ${POLL}`],
  [
    { rolloutTimeout: Duration.seconds(10) },
    '"rolloutTimeout" is "10s": it ends before the first poll of the rollout; give at least the pollInterval, 15s.',
  ],
  [
    { pollInterval: Duration.seconds(1), rolloutTimeout: Duration.minutes(30) },
    '"pollInterval" is "1s": with a rolloutTimeout of 1800s that is more polls than the history of one execution holds; ' +
      'give at least 3s, or a rolloutTimeout of at most 800s.',
  ],
  [{ maxConcurrency: 0 }, `"maxConcurrency" is 0: ${CONCURRENCY}`],
  [{ maxConcurrency: 1601 }, `"maxConcurrency" is 1601: ${CONCURRENCY}`],
  [{ maxConcurrency: 2.5 }, `"maxConcurrency" is 2.5: ${CONCURRENCY}`],
  [{ maxConcurrency: '10' }, `"maxConcurrency" is "10": ${CONCURRENCY}`],
  [{ trigger: 'push' }, '"trigger" is "push": give imageAction or putImage.'],
  [{ repositories: ['web:v1'] }, `"repositories" is "web:v1": ${REPOSITORIES}`],
  [
    { repositories: ['123456789012.dkr.ecr.eu-west-1.amazonaws.com/web'] },
    `"repositories" is "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web": ${REPOSITORIES}`,
  ],
  ...['a___b', 'a_-b', 'a/b..c', 'a.-b', '-a', 'a-', 'a//b', 'A'].map((name): [object, string] => [
    { repositories: [name] },
    `"repositories" is "${name}": ${REPOSITORIES}`,
  ]),
  [
    { repositories: LONG_LIST },
    `"repositories" is "120 entries of 4321 bytes together": all settings of a function have ${bytesWith(LONG_LIST)} bytes ` +
      'as JSON, and Lambda has room for 4088; name fewer, leave the setting out for its default, or install a second stack.',
  ],
  [
    { sweep: 'off' },
    '"sweep" is "off": give an object, such as { every: Duration.minutes(30) } or { scheduled: false }.',
  ],
  [{ architecture: 'amd64' }, `"architecture" is "amd64": ${PROCESSORS}`],
  // The words of a settings file are none of the construct.
  [{ architecture: 'x86_64' }, `"architecture" is "x86_64": ${PROCESSORS}`],
  [{ logRetention: 10 }, `"logRetention" is 10: ${RETENTION}`],
  [{ logRetention: 'infinite' }, `"logRetention" is "infinite": ${RETENTION}`],
  [{ binaries: '/nowhere' }, '"binaries" is "/nowhere": give a folder that is there, or leave the setting out.'],
  [
    { binaries: `${__filename}/bin` },
    `"binaries" is "${__filename}/bin": give a folder that is there, or leave the setting out.`,
  ],
  [{ accounts: ['12345'] }, `"accounts" is "12345": ${ACCOUNTS}`],
  [{ accounts: [123456789012] }, `"accounts" is 123456789012: ${ACCOUNTS}`],
  [{ removalPolicy: 'snapshot' }, '"removalPolicy" is "snapshot": give destroy or retain.'],
  [{ encryptionKey: 'alias/logs' }, '"encryptionKey" is "alias/logs": give the ARN of a KMS key, not of an alias.'],
  [
    { permissionsBoundary: 'boundary' },
    '"permissionsBoundary" is "boundary": give the ARN of a managed policy, such as ' +
      'arn:aws:iam::123456789012:policy/boundary.',
  ],
  [{ holdParameter: 'hold' }, `"holdParameter" is "hold": ${HOLD}`],
  [{ holdParameter: '/AWS/hold' }, `"holdParameter" is "/AWS/hold": ${HOLD}`],
  [{ holdParameter: '/app/hold/' }, `"holdParameter" is "/app/hold/": ${HOLD}`],
  ...['teams', '/ecr deploy/'].map(
    (rolePath) =>
      [
        { rolePath },
        `"rolePath" is "${rolePath}": begin and end it with a slash, such as /ecr-deploy/: letters, digits and signs of ASCII ` +
          'between slashes, no blanks.',
      ] as const,
  ),
  ...['/ecr-deploy/ecr-deploy/installation', '/ecr-deploy/another-stack/installation'].map(
    (holdParameter) => [{ holdParameter }, `"holdParameter" is "${holdParameter}": ${WRITTEN}`] as const,
  ),
  // Whatever has so many parts, the policy of deploy-service may write.
  ...['push', 'image', 'digest', 'tag', 'revision', 'hold', 'for/good/hold'].map(
    (name) =>
      [
        { holdParameter: `/ecr-deploy/shop/web/app/${name}`, parameters: true },
        `"holdParameter" is "/ecr-deploy/shop/web/app/${name}": ${WRITTEN}`,
      ] as const,
  ),
  [{ rolePrefix: 'a'.repeat(33) }, `"rolePrefix" is "${'a'.repeat(33)}": ${PREFIX}`],
  [{ rolePrefix: 'app/' }, `"rolePrefix" is "app/": ${PREFIX}`],
];

test('without props the message is the same as without the required setting', () => {
  for (const given of [undefined, null, {}] as unknown[]) {
    assert.throws(() => new EcrDeploy(new Stack(), 'EcrDeploy', given as EcrDeployProps), {
      name: 'SettingError',
      message: `ecr-deploy: setting "passRoles" is not set: ${ROLES}${EXAMPLE_ROLE}`,
    });
  }
});

test('a prop that is not known is refused with the nearest one', () => {
  const all = `There are ${Object.keys(MEMBERS).join(', ')}.`;
  for (const [given, message] of [
    [{ cluster: ['a'] }, `"cluster" is ["a"]: there is no setting of that name; the nearest is clusters. ${all}`],
    [{ colour: 'red' }, `"colour" is "red": there is no setting of that name. ${all}`],
    [{ constructor: 7 }, `"constructor" is 7: there is no setting of that name. ${all}`],
  ] as const) {
    const props: EcrDeployProps = { ...REQUIRED, ...given };
    assert.throws(() => new EcrDeploy(new Stack(), 'EcrDeploy', props), {
      name: 'SettingError',
      message: `ecr-deploy: setting ${message}`,
    });
  }
});

test('a message shows a construct by its path', () => {
  const role = new Role(new Stack(new App(), 'own'), 'Role', { assumedBy: new AccountRootPrincipal() });
  const props: Json = { ...REQUIRED, passRole: [role] };
  assert.throws(() => checkSettings(props), /^SettingError: ecr-deploy: setting "passRole" is \["own\/Role"\]: /);
});

for (const [given, message] of REFUSED) {
  test(`refused: ${message.slice(0, message.indexOf(':'))}`, () => {
    assert.throws(
      () => checkSettings({ ...REQUIRED, ...given } as EcrDeployProps),
      (error: unknown) => {
        assert.ok(error instanceof SettingError);
        assert.equal(error.message, `ecr-deploy: setting ${message}`);
        assert.ok(error.setting in given);
        return true;
      },
    );
  });
}

/** The bytes of all settings of a function, as JSON, with these repositories. */
function bytesWith(repositories: readonly string[]): number {
  return Buffer.byteLength(JSON.stringify({ ...OF_FUNCTIONS, repositories }));
}

/** Fails unless `given` is refused by the name of the setting, with its value and a fix. */
function assertRefused(setting: string, given: unknown): void {
  assert.throws(() => checkSettings({ ...REQUIRED, [setting]: given }), {
    name: 'SettingError',
    setting,
    message: new RegExp(`^ecr-deploy: setting "${setting}" is ${JSON.stringify(given)}: [a-z].+\\.$`, 's'),
  });
}

for (const [setting, { schema }] of Object.entries(MEMBERS)) {
  test(`${setting} has a message that refuses a wrong value`, () => {
    assertRefused(setting, {});
  });

  const { type, minimum, maximum } = schema as { type?: string; minimum: number; maximum: number };
  if (type === 'integer') {
    test(`${setting} is a whole number from ${minimum} to ${maximum}, and no other`, () => {
      for (const given of [minimum, maximum]) {
        checkSettings({ ...REQUIRED, [setting]: given });
      }
      for (const given of [minimum - 1, maximum + 1, minimum + 0.5, `${minimum}`]) {
        assertRefused(setting, given);
      }
    });
  }
}

test('with the required setting alone, all others have their defaults', () => {
  const settings = checkSettings(REQUIRED);
  const ofConstruct = Object.entries(settings).filter(([name]) => !(name in OF_FUNCTIONS));

  assert.deepEqual(ofFunctions(settings), OF_FUNCTIONS);
  assert.deepEqual(Object.fromEntries(ofConstruct), {
    passRoleArns: REQUIRED.passRoles,
    maxConcurrency: 400,
    alarms: false,
    dashboard: false,
    trigger: Trigger.IMAGE_ACTION,
    accounts: [],
    sweepEvery: Duration.hours(1),
    architecture: Architecture.ARM_64,
    logRetention: 90,
    binaries: undefined,
    removalPolicy: 'destroy',
  });
});

const ACCEPTED: readonly [rule: string, given: Partial<EcrDeployProps>][] = [
  ['a poll interval of one second', { pollInterval: Duration.seconds(1), rolloutTimeout: Duration.seconds(800) }],
  ['as many polls as a history holds', { pollInterval: Duration.seconds(15), rolloutTimeout: Duration.minutes(200) }],
  ['a rollout with a day of bake time', { pollInterval: Duration.minutes(2), rolloutTimeout: Duration.hours(26) }],
  ['one at a time', { maxConcurrency: 1 }],
  ['1,600 at once', { maxConcurrency: 1600 }],
  ['a role with a path', { passRoles: ['arn:aws:iam::123456789012:role/apps/web'] }],
  ['a role of another partition', { passRoles: ['arn:aws-cn:iam::123456789012:role/web'] }],
  ['roles by a prefix', { passRoles: ['arn:aws:iam::123456789012:role/app-*'] }],
  ['every role of one account, said in so many words', { passRoles: ['arn:aws:iam::123456789012:role/*'] }],
  ['roles below a path', { passRoles: ['arn:aws:iam::123456789012:role/apps/*'] }],
  ['an ARN that is known when it is deployed', { passRoles: [Lazy.string({ produce: () => 'later' })] }],
  ['every separator that ECR takes', { repositories: ['a__b', 'a--b', 'a---b', 'a_b.c-d', 'a__b/c--d'] }],
  ['an account that forwards its pushes', { accounts: ['210987654321'] }],
  ['a path of several parts', { rolePath: '/teams/web/' }],
  ['the path of all roles without one', { rolePath: '/' }],
  ['a parameter below a path', { holdParameter: '/teams/web-1/ecr_deploy.hold' }],
  ['the default of another stack', { holdParameter: '/ecr-deploy/another-stack/hold', parameters: true }],
  ['a parameter that would be written with parameters', { holdParameter: '/ecr-deploy/shop/web/app/image' }],
  ["AWS's own policy as a boundary", { permissionsBoundary: 'arn:aws:iam::aws:policy/PowerUserAccess' }],
  ['a key by its ARN', { encryptionKey: 'arn:aws-cn:kms:cn-north-1:123456789012:key/0a-b1' }],
  ['an ARN of a key that is known when it is deployed', { encryptionKey: Lazy.string({ produce: () => 'later' }) }],
  ['nested repositories', { repositories: ['team/group/worker_2', 'web.api'] }],
];

for (const [rule, given] of ACCEPTED) {
  test(`accepted: ${rule}`, () => {
    checkSettings({ ...REQUIRED, ...given });
  });
}

test('a member of sweep that cannot be used is refused by its name', () => {
  const minutes = 'give whole minutes, known at synth, from 1 to 1440, such as Duration.minutes(30).';
  for (const [sweep, message] of [
    [{ every: Duration.seconds(30) }, `"sweep.every" is 30 seconds: ${minutes}`],
    [{ every: Duration.days(2) }, `"sweep.every" is 2 days: ${minutes}`],
    [{ every: Duration.seconds(90) }, `"sweep.every" is 1 minute 30 seconds: ${minutes}`],
    [{ every: Duration.millis(1500) }, `"sweep.every" is 1 second 500 millis: ${minutes}`],
    [{ every: '30m' }, `"sweep.every" is "30m": ${minutes}`],
    [{ scheduled: 'no' }, '"sweep.scheduled" is "no": give true or false.'],
    [
      { reverse: 'deploy' },
      '"sweep.reverse" is "deploy": there is no such member; the nearest is reverted. There are scheduled, every, lost, reverted.',
    ],
    [
      { scheduled: false, every: Duration.hours(1) },
      '"sweep.every" is 1 hour: nothing sweeps by itself where scheduled is false; leave one of the two out.',
    ],
    [
      { every: Duration.hours(1), lots: 'deploy' },
      '"sweep.lots" is "deploy": there is no such member; the nearest is lost. There are scheduled, every, lost, reverted.',
    ],
    [
      { colour: { one: Duration.hours(1) } },
      '"sweep.colour" is {"one":"1 hour"}: there is no such member. There are scheduled, every, lost, reverted.',
    ],
    [{ lost: 'redeploy' }, '"sweep.lost" is "redeploy": give deploy or report.'],
    [{ reverted: true }, '"sweep.reverted" is true: give deploy or report.'],
  ] as const) {
    const given = { ...REQUIRED, sweep: sweep as Json };
    assert.throws(() => checkSettings(given), { message: `ecr-deploy: setting ${message}` });
  }
});

test('a sweep comes as often as is set, or not by itself', () => {
  const every = (sweep: EcrDeployProps['sweep']) =>
    checkSettings({ ...REQUIRED, ...(sweep && { sweep }) }).sweepEvery?.toMinutes();

  assert.equal(every(undefined), 60);
  assert.equal(every({ lost: SweepAction.REPORT }), 60);
  assert.equal(every({ every: Duration.minutes(1) }), 1);
  assert.equal(every({ every: Duration.days(1), scheduled: true }), 1440);
  assert.equal(every({ scheduled: false }), undefined);
});

test('what is given twice counts once', () => {
  const settings = checkSettings({ ...REQUIRED, clusters: ['a', 'b', 'a'], repositories: ['web', 'web'] });

  assert.deepEqual([settings.clusters, settings.repositories], [['a', 'b'], ['web']]);
});
