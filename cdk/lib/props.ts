/** The names of the props of the construct: those of {@link MEMBERS}, of which the compiler misses none. */
import { MEMBERS } from './members';
import { insteadOf } from './nearest';
import { SettingError } from './setting';
import type { EcrDeployProps } from './settings';

/**
 * The props, of which each is known. A caller without types may misspell one, which would then have its default, or give none
 * at all.
 *
 * @throws SettingError for the first one that is not known
 */
export function checkNames(given: EcrDeployProps | undefined): Partial<EcrDeployProps> {
  const props = given ?? {};
  for (const [name, value] of Object.entries(props)) {
    if (!Object.hasOwn(MEMBERS, name)) {
      throw new SettingError(name, value, `there is no setting of that name${insteadOf(name, Object.keys(MEMBERS))}`);
    }
  }
  return props;
}

/** The settings alone, of an object that has other members beside them. */
export function settingsOf(mixed: EcrDeployProps): EcrDeployProps {
  const settings = Object.entries(mixed).filter(([name]) => Object.hasOwn(MEMBERS, name));
  return Object.fromEntries(settings) as unknown as EcrDeployProps;
}
