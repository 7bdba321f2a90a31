/**
 * A stage is a named set of services, with the rule that says which tags may move them. A stage is checked here, at
 * synth; `functions/find-task-definitions/src/stage.rs` decides by it.
 */
import { Duration } from 'aws-cdk-lib';
import { oneOf } from './checks';
import { Base, ImageReference, Rollback } from './choices';
import { insteadOf } from './nearest';
import { DURATION_TEXT, type Member, SettingError } from './setting';
import { checkOrder, checkTagOnSuccess } from './stage-order';
import { checkTags, glob, takes } from './tag-rules';

/** One stage. It owns what it selects, unless a stage before it does. */
export interface Stage {
  /** Its name: 1 to 32 letters, digits, hyphens and underscores; not `off`. */
  readonly name: string;
  /**
   * Clusters, by their names; `*` stands for any characters, `?` for one.
   * @default - every cluster
   */
  readonly clusters?: string[];
  /**
   * Services, by their names or globs.
   * @default - every service, and every family that no service runs
   */
  readonly services?: string[];
  /**
   * Families of task definitions, by their names or globs.
   * @default - every family
   */
  readonly families?: string[];
  /**
   * Repositories, by their names or globs; `*` stands for slashes, too.
   * @default - every repository
   */
  readonly repositories?: string[];
  /**
   * `true` if it owns only services whose own tag `ecr-deploy:stage` is its name. Then it selects nothing by names.
   * @default false
   */
  readonly optIn?: boolean;
  /**
   * The rules for tags. Each is a name, a glob, `semver:<range>` or `regex:<expression>` for the whole tag; `!` in front
   * excludes. The last rule that matches a tag decides; a tag that none matches is not taken. A range takes a pre-release
   * only where it names one of the same version: `semver:>=1.0.0` does not take `v1.1.0-rc.1`.
   *
   * A range is `*`, or comparators with one blank between two, such as `semver:>=1.2.0 <2.0.0`: a version has to meet
   * them all. Each has an operator in front, one of `=`, `>`, `>=`, `<`, `<=`, `~` and `^`, and a version whole or in part:
   * `semver:^1.2`, `semver:~1`. Refused are a comma, `||`, a range from and to by a hyphen, a `v` in the range, a version
   * without an operator, and a range that no version can be in. Give each of several ranges a rule of its own. A tag may
   * begin with `v`.
   *
   * In a regex, groups are `(?:…)` or `(…)`. Refused are other groups with `(?`, such as those that look around;
   * backreferences; escapes of letters but `\d`, `\w` and `\s`; empty classes, and classes in classes; more than 10 groups
   * in each other, and counts that make more than 10,000 signs. Nobody checks that a tag can match a regex: one that can
   * match none, such as `regex:$^x`, takes no tag, and nothing says so.
   */
  readonly tags: string[];
  /**
   * `true` if a lower version than the running one is deployed, too, where a range of versions decides. It needs a rule
   * `semver:` among the `tags`.
   * @default false
   */
  readonly allowLower?: boolean;
  /**
   * The stage whose services must be stable on an image before this one's get it: in the same push, or by a tag before.
   * @default - it waits for no other stage
   */
  readonly after?: string;
  /**
   * How long the services of the stages before must stay stable, up to seven days. Stages after equally many others begin
   * together: after the longest soak of those that the push deploys to. In a settings file a number and its unit: `90s`,
   * `15m`, `2h`, `1d`.
   * @default - no time
   */
  readonly soak?: Duration;
  /**
   * How long a rollout, or a rollback, of its services may take.
   * @default - the setting `rolloutTimeout`
   */
  readonly rolloutTimeout?: Duration;
  /**
   * How its new revisions name their image: by `tag` or by `digest`.
   * @default - the setting `imageReference`
   */
  readonly imageReference?: ImageReference;
  /**
   * The reaction to a rollout that failed: `automatic` rolls it back, `none` does not. With `none` the push is red, the
   * service stays as it is, and the message says how to go back; only a circuit breaker or an alarm of the service
   * itself rolls back.
   * @default Rollback.AUTOMATIC
   */
  readonly rollback?: Rollback;
  /**
   * The tag that the image gets once every service of the stage that runs the repository is stable on it. It is a push of that
   * tag: another stage may take it, and so the image goes from stage to stage. With a service on hold, or where another
   * deployment took over, the image does not get it. `tagLatest` is the short form for all stages together.
   * @default - none
   */
  readonly tagOnSuccess?: string;
  /**
   * Which revision a new one is made from: `running`, the one that the service runs; or `newest`, the newest active revision
   * of the family that somebody else has registered, where that is newer than what the running one descends from. With
   * `newest`, changes by Terraform or CloudFormation go live with the next push: everything but the images, which stay as they
   * run. See [operations](operations.md#beside-infrastructure-as-code).
   * @default Base.RUNNING
   */
  readonly base?: Base;
}

/** The longest soak. An execution may last a year, but nobody waits for one. */
const LONGEST_SOAK = Duration.days(7);

/** A tag, https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageIdentifier.html. One that is a version names one image. */
const TAG = /^(?!v?\d+\.\d+\.\d)[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

const NAME = /^(?!off$)[A-Za-z0-9_-]{1,32}$/;
/** Only `*` and `?` are special. */
const GLOB = /^[A-Za-z0-9._/*?-]+$/;
const SELECTORS = ['clusters', 'services', 'families', 'repositories'] as const;
const MEMBERS: readonly string[] = [
  'name',
  ...SELECTORS,
  'optIn',
  'tags',
  'allowLower',
  'after',
  'soak',
  'rolloutTimeout',
  'imageReference',
  'rollback',
  'tagOnSuccess',
  'base',
] satisfies (keyof Stage)[];

const texts = (pattern: RegExp) => ({ type: 'array', items: { type: 'string', pattern: pattern.source }, minItems: 1 });

/** The stages in a settings file: as they are. {@link checkStages} judges them. */
export const STAGES: Member<Stage[]> = {
  schema: {
    type: 'array',
    minItems: 1,
    items: {
      type: 'object',
      properties: {
        name: { type: 'string', pattern: NAME.source },
        ...Object.fromEntries(SELECTORS.map((selector) => [selector, texts(GLOB)])),
        optIn: { type: 'boolean' },
        tags: texts(/^!?([A-Za-z0-9._*?-]+$|semver:.|regex:.)/),
        allowLower: { type: 'boolean' },
        after: { type: 'string', pattern: NAME.source },
        soak: DURATION_TEXT.schema,
        rolloutTimeout: DURATION_TEXT.schema,
        imageReference: { enum: Object.values(ImageReference) },
        rollback: { enum: Object.values(Rollback) },
        base: { enum: Object.values(Base) },
        tagOnSuccess: { type: 'string', pattern: TAG.source },
      },
      required: ['name', 'tags'],
      additionalProperties: false,
    },
  },
  read: (given, setting) =>
    Array.isArray(given)
      ? given.map((stage: unknown, index) => withDurations(stage, `${setting}[${index}]`))
      : (given as []),
};

/** A stage of a file, its times read as durations. */
function withDurations(stage: unknown, setting: string): Stage {
  if (typeof stage !== 'object' || stage === null) {
    return stage as Stage;
  }
  const times = Object.entries(stage).filter(([member]) => member === 'soak' || member === 'rolloutTimeout');
  const read = times.map(([member, time]) => [member, DURATION_TEXT.read(time, `${setting}.${member}`)]);
  return { ...stage, ...Object.fromEntries(read) } as Stage;
}

/** Which tags move the services of which stage. */
export function inOneLine(stages: readonly Stage[]): string {
  const each = stages.map(({ name, tags }) => `${name}: ${tags.join(', ')}`);
  return `Which tags move the services of which stage: ${each.join('; ')}`;
}

/** The one stage of an installation that names none: all services, every tag but `latest`, or `latest` too. */
export function allServices(deployLatest: boolean): Stage[] {
  return [{ name: 'all', tags: deployLatest ? ['*'] : ['*', '!latest'] }];
}

/**
 * The stages, checked. `clusters` and `repositories` are those settings: empty for all.
 *
 * @throws SettingError for the first stage that cannot be used
 */
export function checkStages(
  stages: readonly Stage[],
  {
    clusters,
    repositories,
    tagLatest,
  }: { clusters: readonly string[]; repositories: readonly string[]; tagLatest: boolean },
): Stage[] {
  if (!Array.isArray(stages) || stages.length === 0) {
    throw new SettingError(
      'stages',
      stages,
      'give a list of stages, such as [{"name": "staging", "clusters": ["staging"], "tags": ["main-*"]}]; ' +
        'leave the setting out for one stage that owns every service.',
    );
  }
  const checked: Stage[] = [];
  for (const [index, given] of (stages as readonly unknown[]).entries()) {
    const stage = checkStage(given, index);
    if (checked.some(({ name }) => name === stage.name)) {
      throw new SettingError(
        `stages[${index}] (${stage.name}).name`,
        stage.name,
        'another stage has this name; give each its own.',
      );
    }
    checked.push(stage);
  }
  // First: of stages in a circle, each may seem to hide the other.
  for (const [index, stage] of checked.entries()) {
    checkOrder(stage, checked, `stages[${index}] (${stage.name}).after`);
  }
  for (const [index, stage] of checked.entries()) {
    const before = stage.optIn === true ? undefined : checked.slice(0, index).find((other) => hides(other, stage));
    if (before !== undefined) {
      throw new SettingError(
        `stages[${index}]`,
        stage.name,
        `it can never own a service: the stage ${before.name} stands before it and selects all that it selects. ` +
          `Put ${stage.name} before ${before.name}, or let ${before.name} select less.`,
      );
    }
    checkSelected(stage, { clusters, repositories }, `stages[${index}] (${stage.name})`);
    if (tagLatest && takes(stage.tags, 'latest')) {
      throw new SettingError(
        `stages[${index}] (${stage.name}).tags`,
        stage.tags,
        'it takes the tag latest, and tagLatest is on: every push would be deployed twice, once under its own tag and once as ' +
          'latest; add "!latest", or turn tagLatest off.',
      );
    }
  }
  for (const [index, stage] of checked.entries()) {
    checkTagOnSuccess(stage, checked, tagLatest, `stages[${index}] (${stage.name}).tagOnSuccess`);
  }
  return checked;
}

/** Refuses a stage whose clusters or repositories are none of those in `settings`, by which its services are read. */
function checkSelected(
  stage: Stage,
  settings: { readonly clusters: readonly string[]; readonly repositories: readonly string[] },
  at: string,
): void {
  for (const [member, names] of Object.entries(settings)) {
    const patterns = stage[member as 'clusters' | 'repositories'];
    if (
      names.length > 0 &&
      patterns !== undefined &&
      !names.some((name) => patterns.some((one) => glob(one).test(name)))
    ) {
      throw new SettingError(
        `${at}.${member}`,
        patterns,
        `the setting ${member} has none of them, so the stage can never own a service; add them there, or correct the stage.`,
      );
    }
  }
}

function checkStage(given: unknown, index: number): Stage {
  const at = `stages[${index}]`;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new SettingError(at, given, 'give an object with a name and tags, such as {"name": "all", "tags": ["*"]}.');
  }
  const stage = given as Stage;
  for (const [member, value] of Object.entries(given)) {
    if (!MEMBERS.includes(member)) {
      throw new SettingError(`${at}.${member}`, value, `a stage has no such member${insteadOf(member, MEMBERS)}`);
    }
  }
  if (typeof stage.name !== 'string' || !NAME.test(stage.name)) {
    throw new SettingError(
      `${at}.name`,
      stage.name,
      'give 1 to 32 letters, digits, hyphens and underscores, such as staging; off is what a service says that is in no stage.',
    );
  }
  checkSelectors(stage, `${at} (${stage.name})`);
  if (stage.after !== undefined && typeof stage.after !== 'string') {
    throw new SettingError(`${at} (${stage.name}).after`, stage.after, 'give the name of a stage in quotes.');
  }
  if (stage.soak !== undefined) {
    const isDuration = (stage.soak as unknown) instanceof Duration;
    if (stage.after === undefined || !isDuration || stage.soak.toSeconds() > LONGEST_SOAK.toSeconds()) {
      throw new SettingError(
        `${at} (${stage.name}).soak`,
        stage.soak,
        stage.after === undefined
          ? 'nothing is waited for without after; name the stage that comes before, or leave soak out.'
          : `give a time of at most ${LONGEST_SOAK.toHumanString()}.`,
      );
    }
  }
  for (const [member, choices] of [
    ['imageReference', ImageReference],
    ['rollback', Rollback],
    ['base', Base],
  ] as const) {
    if (stage[member] !== undefined) {
      oneOf<string>(`${at} (${stage.name}).${member}`, stage[member], Object.values(choices));
    }
  }
  const { tagOnSuccess } = stage;
  if (tagOnSuccess !== undefined && !(typeof tagOnSuccess === 'string' && TAG.test(tagOnSuccess))) {
    throw new SettingError(
      `${at} (${stage.name}).tagOnSuccess`,
      tagOnSuccess,
      'give a tag that may move from image to image, such as staging-stable: letters, digits and . _ -, not a version.',
    );
  }
  checkTags(stage.tags, `${at} (${stage.name}).tags`);
  checkLower(stage, `${at} (${stage.name}).allowLower`);
  return stage;
}

/** Refuses what selects services and cannot be read, or narrows nothing. */
function checkSelectors(stage: Stage, at: string): void {
  for (const selector of SELECTORS) {
    const patterns: unknown = stage[selector];
    const isList = Array.isArray(patterns) && patterns.length > 0;
    if (patterns !== undefined && !(isList && patterns.every((one) => typeof one === 'string' && GLOB.test(one)))) {
      throw new SettingError(
        `${at}.${selector}`,
        patterns,
        'give a list of names or globs: letters, digits and . _ - /, with * for any characters and ? for one; ' +
          'leave it out for all.',
      );
    }
  }
  for (const flag of ['optIn', 'allowLower'] as const) {
    if (stage[flag] !== undefined && typeof stage[flag] !== 'boolean') {
      throw new SettingError(`${at}.${flag}`, stage[flag], 'give true or false, without quotes.');
    }
  }
  const selector = SELECTORS.find((one) => stage.optIn === true && stage[one] !== undefined);
  if (selector !== undefined) {
    throw new SettingError(
      `${at}.${selector}`,
      stage[selector],
      'with optIn only the tag ecr-deploy:stage of a service chooses the stage, and this would narrow nothing; leave it out, ' +
        'or leave optIn out.',
    );
  }
}

/** Refuses `allowLower` where no versions are compared. */
function checkLower(stage: Stage, at: string): void {
  if (stage.allowLower === true && !stage.tags.some((rule) => rule.startsWith('semver:'))) {
    throw new SettingError(
      at,
      true,
      'versions are compared only where a range of versions takes the tag; add a rule such as "semver:*" to tags, or leave ' +
        'allowLower out.',
    );
  }
}

/** True if every service that `stage` can select is selected by `other`, as far as their patterns tell. */
function hides(other: Stage, stage: Stage): boolean {
  return (
    other.optIn !== true &&
    SELECTORS.every((selector) => {
      const all = other[selector];
      const some = stage[selector];
      // A stage that names clusters or services selects no family without a service.
      return all === undefined || some?.every((one) => all.includes(one) || all.includes('*')) === true;
    })
  );
}
