/** The names of all props of the construct. */
import { insteadOf } from './nearest';
import { SettingError } from './setting';
import type { EcrDeployProps } from './settings';

/** A record, so that the compiler misses a name that is not here. */
const PROPS: Readonly<Record<keyof EcrDeployProps, true>> = {
  passRoles: true,
  clusters: true,
  repositories: true,
  trigger: true,
  accounts: true,
  imageReference: true,
  stages: true,
  holdParameter: true,
  deployLatest: true,
  tagLatest: true,
  scanFamilies: true,
  rolloutTimeout: true,
  pollInterval: true,
  maxConcurrency: true,
  maxServices: true,
  notificationTopic: true,
  alarms: true,
  dashboard: true,
  parameters: true,
  sweep: true,
  architecture: true,
  logRetention: true,
  removalPolicy: true,
  binaries: true,
  encryptionKey: true,
  permissionsBoundary: true,
  rolePath: true,
  rolePrefix: true,
};

/**
 * The props, of which each is known. A caller without types may misspell one, which would then have its default, or give none
 * at all.
 *
 * @throws SettingError for the first one that is not known
 */
export function checkNames(given: EcrDeployProps | undefined): Partial<EcrDeployProps> {
  const props = given ?? {};
  for (const [name, value] of Object.entries(props)) {
    if (!Object.hasOwn(PROPS, name)) {
      throw new SettingError(name, value, `there is no setting of that name${insteadOf(name, Object.keys(PROPS))}`);
    }
  }
  return props;
}

/** The settings alone, of an object that has other members beside them. */
export function settingsOf(mixed: EcrDeployProps): EcrDeployProps {
  const settings = Object.entries(mixed).filter(([name]) => Object.hasOwn(PROPS, name));
  return Object.fromEntries(settings) as unknown as EcrDeployProps;
}
