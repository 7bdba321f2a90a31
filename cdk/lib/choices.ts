/** The settings that are one of a few words. The value of a member is the word that a settings file has for it. */

/** The kind of ECR event that starts a deployment. */
export enum Trigger {
  /** The event that ECR itself sends, in every account. */
  IMAGE_ACTION = 'imageAction',
  /** The event that CloudTrail records: it tells who pushed, and needs a trail that logs management events. */
  PUT_IMAGE = 'putImage',
}

/** How a deployed container definition names its image. */
export enum ImageReference {
  /** By the tag of the push. */
  TAG = 'tag',
  /** By the digest, which no later push can change. */
  DIGEST = 'digest',
}

/** The reaction to a rollout that failed. */
export enum Rollback {
  /** The service goes back to its last good revision. */
  AUTOMATIC = 'automatic',
  /** The service stays as it is: a person decides. */
  NONE = 'none',
}

/** The reaction to a push that a service has missed. */
export enum SweepAction {
  /** It is deployed. */
  DEPLOY = 'deploy',
  /** It is told, and nothing is changed. */
  REPORT = 'report',
}

/** Which revision a new one is made from. */
export enum Base {
  /** The one that the service runs. */
  RUNNING = 'running',
  /** The family's newest active one that somebody else has registered, where that is newer. */
  NEWEST = 'newest',
}
