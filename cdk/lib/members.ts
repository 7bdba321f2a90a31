/** Every setting as a settings file has it: what an editor checks, and how a text becomes a prop. */
import type { RemovalPolicy } from 'aws-cdk-lib';
import type { Architecture } from 'aws-cdk-lib/aws-lambda';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { ARCHITECTURES, MOST_AT_ONCE, MOST_SERVICES, noRetention, REMOVAL_POLICIES, RETENTIONS } from './checks';
import { ImageReference, Trigger } from './choices';
import {
  ACCOUNT_ID,
  CLUSTER_NAME,
  KEY_ARN,
  PARAMETER_NAME,
  POLICY_ARN,
  REPOSITORY_NAME,
  ROLE_ARN,
  ROLE_PATH,
  ROLE_PREFIX,
  TOPIC_ARN,
} from './patterns';
import { choice, DURATION_TEXT, FLAG, list, type Member, number, SettingError, text } from './setting';
import type { EcrDeployProps } from './settings';
import { STAGES } from './stages';
import { SWEEP } from './sweep-settings';

const RETENTION: Member<RetentionDays> = {
  schema: { enum: [...RETENTIONS, 'infinite'] },
  read: (given, setting) => {
    const days = given === 'infinite' ? RetentionDays.INFINITE : number({}).read(given, setting);
    // The construct would name its own enum.
    if (typeof RetentionDays[days] !== 'string') {
      throw noRetention(setting, given, 'infinite');
    }
    return days;
  },
};

const ARCHITECTURE: Member<Architecture> = {
  schema: { enum: ARCHITECTURES.map(({ name }) => name) },
  read: (given, setting) => {
    const architecture = ARCHITECTURES.find(({ name }) => name === given);
    if (architecture === undefined) {
      // The construct would name its own enum.
      throw new SettingError(setting, given, `give ${ARCHITECTURES.map(({ name }) => name).join(' or ')}.`);
    }
    return architecture;
  },
};

const TOPIC: Member<ITopic | string | boolean> = {
  schema: { type: ['boolean', 'string'], pattern: TOPIC_ARN.pattern.source },
  read: (given, setting) => (typeof given === 'boolean' ? given : text(TOPIC_ARN.pattern).read(given, setting)),
};

/** Every setting of the construct, as a settings file has it. */
export const MEMBERS: { readonly [K in keyof EcrDeployProps]-?: Member<NonNullable<EcrDeployProps[K]>> } = {
  passRoles: list(ROLE_ARN.pattern),
  clusters: list(CLUSTER_NAME.pattern),
  repositories: list(REPOSITORY_NAME.pattern),
  trigger: choice(Object.values(Trigger)),
  accounts: list(ACCOUNT_ID.pattern),
  imageReference: choice(Object.values(ImageReference)),
  stages: STAGES,
  holdParameter: text(PARAMETER_NAME.pattern),
  deployLatest: FLAG,
  tagLatest: FLAG,
  scanFamilies: FLAG,
  rolloutTimeout: DURATION_TEXT,
  pollInterval: DURATION_TEXT,
  maxConcurrency: number({ type: 'integer', minimum: 1, maximum: MOST_AT_ONCE }),
  maxServices: number({ type: 'integer', minimum: 1, maximum: MOST_SERVICES }),
  notificationTopic: TOPIC,
  alarms: FLAG,
  dashboard: FLAG,
  parameters: FLAG,
  sweep: SWEEP,
  architecture: ARCHITECTURE,
  logRetention: RETENTION,
  removalPolicy: choice<RemovalPolicy>(REMOVAL_POLICIES),
  binaries: text(/./),
  encryptionKey: text(KEY_ARN.pattern),
  permissionsBoundary: text(POLICY_ARN.pattern),
  rolePath: text(ROLE_PATH.pattern),
  rolePrefix: text(ROLE_PREFIX.pattern),
};
