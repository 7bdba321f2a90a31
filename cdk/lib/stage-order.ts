/** The relations of stages: which comes after which, and which moves which by the tag that it gives. */
import { SettingError } from './setting';
import type { Stage } from './stages';
import { takes } from './tag-rules';

/** Refuses a tag that would deploy the image to the stage once more, at once or by the tags that other stages give. */
export function checkTagOnSuccess(stage: Stage, stages: readonly Stage[], tagLatest: boolean, setting: string): void {
  const { tagOnSuccess } = stage;
  if (tagOnSuccess === undefined) {
    return;
  }
  if (tagLatest && tagOnSuccess === 'latest') {
    throw new SettingError(setting, tagOnSuccess, 'tagLatest is on and gives that tag; leave one of the two out.');
  }
  const moved = new Set<Stage>();
  const tags = [tagOnSuccess];
  for (const tag of tags) {
    for (const other of stages.filter((other) => !moved.has(other) && takes(other.tags, tag))) {
      moved.add(other);
      // The loop goes on with what is added.
      tags.push(...(other.tagOnSuccess === undefined ? [] : [other.tagOnSuccess]));
    }
  }
  if (moved.has(stage)) {
    const way = moved.size === 1 ? 'it takes that tag itself' : 'by the tags that stages give';
    throw new SettingError(
      setting,
      tagOnSuccess,
      `${way}, so each image would be deployed to it once more; give a tag that leads to other stages only, or add ` +
        `"!${tagOnSuccess}" to its tags.`,
    );
  }
}

/** Refuses a stage that comes after one that there is not, or after itself by way of others. */
export function checkOrder(stage: Stage, stages: readonly Stage[], setting: string): void {
  const way = [stage.name];
  for (let before = stage.after; before !== undefined;) {
    const found = stages.find(({ name }) => name === before);
    if (found === undefined) {
      const names = stages.map(({ name }) => name).join(', ');
      throw new SettingError(setting, before, `there is no such stage; there are ${names}. Name one of them.`);
    }
    way.push(found.name);
    if (found.name === stage.name) {
      throw new SettingError(
        setting,
        stage.after,
        `each would wait for the other: ${way.join(' after ')}. Leave out the one that should be the first.`,
      );
    }
    // A circle that this stage is no part of is told by one that is.
    before = way.length > stages.length ? undefined : found.after;
  }
}
