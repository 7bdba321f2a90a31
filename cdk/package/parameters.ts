/** The parameters of the template, and what stands for each while the construct is synthesized. */
import { EVERY_ROLE, ROLE_ARN } from '../lib/patterns';
import { isObject, type Json, type Obj } from './merge';

/** Stands for the roles. */
export const ROLE = 'arn:aws:iam::123456789012:role/ParameterPassRoles';
/** Stands for the name of a cluster. */
export const CLUSTER = 'ParameterCluster';
/** Stands for the name of the stack. */
export const STACK = 'ParameterStackName';

/** The parameters. */
export const PARAMETERS: Obj = {
  PassRoles: {
    Type: 'CommaDelimitedList',
    // CloudFormation compares each ARN with it. It can warn of nothing, so what the construct warns of is refused.
    AllowedPattern: `^(?!.*${EVERY_ROLE.source})${ROLE_ARN.pattern.source.slice(1)}`,
    ConstraintDescription:
      'each has to be the ARN of an IAM role, such as arn:aws:iam::123456789012:role/app-*, and none may stand for every role',
    Description:
      'The ARNs of the task roles and execution roles of your services, with commas between them. An ARN may hold *, such as ' +
      'arn:aws:iam::123456789012:role/app-*, but not for every role. ecr-deploy may pass these roles and no others.',
  },
  Cluster: {
    Type: 'String',
    Default: '',
    AllowedPattern: '^[A-Za-z0-9_-]{0,255}$',
    Description:
      'The name of the cluster whose services are deployed. Empty: every cluster of the account in this region.',
  },
  Stages: {
    Type: 'String',
    Default: '',
    AllowedPattern: String.raw`^(\[[\s\S]*\])?$`,
    // The environment of a function holds 4,096 bytes, and the other settings need up to a quarter of it.
    MaxLength: 3000,
    ConstraintDescription: 'has to be a list of stages as JSON of at most 3000 characters, or empty',
    Description:
      'The stages as JSON, such as [{"name":"all","tags":["semver:>=1.0.0"]}]. Times are soakSeconds and ' +
      'rolloutTimeoutSeconds. With stages the role of deploy-image may tag images, and no role is limited to services with a ' +
      'tag of their own. Empty: one stage with every service, which takes every tag but latest.',
  },
  TagLatest: {
    Type: 'String',
    Default: 'false',
    AllowedValues: ['true', 'false'],
    Description: 'true: an image gets the tag latest once every service is stable on it.',
  },
  DeployLatest: {
    Type: 'String',
    Default: 'false',
    AllowedValues: ['true', 'false'],
    Description: 'true: pushes of the tag latest are deployed too. Without Stages and without TagLatest only.',
  },
};

/** How the console shows them. */
export const INTERFACE: Obj = {
  ParameterGroups: [
    { Label: { default: 'What ecr-deploy may do' }, Parameters: ['PassRoles'] },
    { Label: { default: 'What is deployed' }, Parameters: ['Cluster', 'Stages', 'TagLatest', 'DeployLatest'] },
  ],
};

const isTrue = (parameter: string): Obj => ({ 'Fn::Equals': [{ Ref: parameter }, 'true'] });
const isFalse = (parameter: string): Obj => ({ 'Fn::Equals': [{ Ref: parameter }, 'false'] });
const isEmpty = (parameter: string): Obj => ({ 'Fn::Equals': [{ Ref: parameter }, ''] });

/** The choices of which two would contradict each other, as the construct refuses them. */
export const RULES: Obj = {
  DeployLatestAlone: {
    RuleCondition: isTrue('DeployLatest'),
    Assertions: [
      {
        Assert: isFalse('TagLatest'),
        AssertDescription: 'With DeployLatest turn TagLatest off: each push would come twice.',
      },
      {
        Assert: isEmpty('Stages'),
        AssertDescription: 'With Stages name latest in the tags of a stage, not by DeployLatest.',
      },
    ],
  },
};

/** The conditions of the template. */
export const CONDITIONS: Obj = {
  EveryCluster: isEmpty('Cluster'),
  NoStages: isEmpty('Stages'),
  AlsoLatest: isTrue('DeployLatest'),
  EveryTag: { 'Fn::Or': [{ Condition: 'AlsoLatest' }, { 'Fn::Not': [{ Condition: 'NoStages' }] }] },
  MayTag: { 'Fn::Or': [isTrue('TagLatest'), { 'Fn::Not': [{ Condition: 'NoStages' }] }] },
};

const choose = (condition: string, yes: Json, no: Json): Obj => ({ 'Fn::If': [condition, yes, no] });

/** The stages where none are given, in the words of the functions and in those of the output. */
const stages = (latest: string, others: string): Json =>
  choose('NoStages', choose('AlsoLatest', latest, others), { Ref: 'Stages' });

/** Texts in the template, and what comes in place of each: the first group of the text stays before it, the second behind. */
const PLACES: readonly (readonly [place: RegExp, value: Json])[] = [
  [
    /("clusters":\[)(?:"ParameterCluster")?(\])/,
    choose('EveryCluster', '', { 'Fn::Join': ['', ['"', { Ref: 'Cluster' }, '"']] }),
  ],
  [
    /("stages":)\[\{"name":"all","tags":\["\*"(?:,"!latest")?\]\}\]()/,
    stages('[{"name":"all","tags":["*"]}]', '[{"name":"all","tags":["*","!latest"]}]'),
  ],
  [/(of which stage: )all: \*(?:, !latest)?()$/, stages('all: *', 'all: *, !latest')],
  [/("tagLatest":)(?:true|false)()/, { Ref: 'TagLatest' }],
  [
    /("passRoles":\[")arn:aws:iam::123456789012:role\/ParameterPassRoles("\])/,
    { 'Fn::Join': ['","', { Ref: 'PassRoles' }] },
  ],
  [/()ParameterCluster()/, { Ref: 'Cluster' }],
  [/()ParameterStackName()/, { Ref: 'AWS::StackName' }],
];

/** A part of a template with the parameters in place of what stands for them. */
export function parametrized(part: Json): Json {
  if (part === ROLE) {
    return { Ref: 'PassRoles' };
  }
  if (typeof part === 'string') {
    const pieces = split(part);
    return pieces.length === 1 ? (pieces[0] ?? '') : { 'Fn::Join': ['', pieces] };
  }
  if (Array.isArray(part)) {
    return part.map(parametrized);
  }
  if (!isObject(part)) {
    return part;
  }
  const [delimiter, pieces] = Array.isArray(part['Fn::Join']) ? part['Fn::Join'] : [];
  if (delimiter === '' && Array.isArray(pieces)) {
    const inner = pieces.flatMap((piece) => (typeof piece === 'string' ? split(piece) : [parametrized(piece)]));
    return { 'Fn::Join': ['', inner] };
  }
  const members = Object.entries(part).map(([name, inner]) => {
    // The id of a statement holds letters and digits only, and the name of a stack may have hyphens.
    const isId = name === 'Sid' && typeof inner === 'string';
    return [name, isId ? inner.replaceAll(STACK, '') : parametrized(inner)] as const;
  });
  return Object.fromEntries(members);
}

/** A text in pieces: texts, and the values between them. */
function split(text: string): Json[] {
  for (const [place, value] of PLACES) {
    const found = place.exec(text);
    if (found !== null) {
      const [all, before = '', behind = ''] = found;
      const head = `${text.slice(0, found.index)}${before}`;
      const tail = `${behind}${text.slice(found.index + all.length)}`;
      return [...split(head), value, ...split(tail)].filter((piece) => piece !== '');
    }
  }
  return [text];
}
