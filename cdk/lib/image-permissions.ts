/**
 * The permissions of ECR: which images are read, and which get a tag.
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
 */
import { Aws } from 'aws-cdk-lib';
import { arn, type Permission } from './permission';
import type { Settings } from './settings';

/**
 * The region of a repository that is read for a push, or because a service runs it. Somebody's rule may forward the pushes of
 * another region to this one, tasks run images of any region, and no setting names the regions.
 */
export const ANY_REGION = '*';

const ANY_REPOSITORY =
  'Any repository may be deployed unless the setting repositories names some, and an image may be of another region.';

/**
 * ECR's data on an image: its media types, its tags, and if it is there to go back to. No other region is asked if an image
 * is there to go back to.
 */
export function describeImages(settings: Settings, region: string): Permission {
  return {
    sid: 'DescribeImages',
    actions: ['ecr:DescribeImages'],
    resources: repositories(settings, region),
    wildcard: ANY_REPOSITORY,
  };
}

/** The manifest of a pushed image. Of an index, tasks may run the images that it lists, each by a digest of its own. */
export function readManifest(settings: Settings): Permission {
  return {
    sid: 'ReadManifest',
    actions: ['ecr:BatchGetImage'],
    resources: repositories(settings, ANY_REGION),
    wildcard: ANY_REPOSITORY,
  };
}

/** The state machine that tags a deployed image, by the calls of Step Functions itself. */
export function tagOnSuccess(settings: Settings): Permission[] {
  return [
    {
      sid: 'TagOnSuccess',
      actions: ['ecr:BatchGetImage', 'ecr:PutImage'],
      // Of this account and region: Step Functions calls no other ECR, so images elsewhere get no tag.
      resources: named(settings).map((repository) => arn('ecr', repository)),
      wildcard: ANY_REPOSITORY,
    },
  ];
}

/** True if an image may get a tag when it is deployed. */
export function tagsImages({ tagLatest, stages }: Settings): boolean {
  return tagLatest || stages.some(({ tagOnSuccess }) => tagOnSuccess !== undefined);
}

/** The repositories that are read: those of this account and of each that the setting accounts names. */
function repositories(settings: Settings, region: string): string[] {
  return [Aws.ACCOUNT_ID, ...settings.accounts].flatMap((account) =>
    named(settings).map((repository) => arn('ecr', repository, { region, account })),
  );
}

function named({ repositories }: Settings): string[] {
  return repositories.length === 0 ? ['repository/*'] : repositories.map((repository) => `repository/${repository}`);
}
