/** The patterns of the texts in settings, each with its advice for a text that does not match. */

/** A text of a setting. */
export interface Pattern {
  readonly pattern: RegExp;
  /** The advice where it does not match. */
  readonly fix: string;
}

export const CLUSTER_NAME: Pattern = {
  pattern: /^[A-Za-z0-9_-]{1,255}$/,
  fix:
    'give names of clusters, not ARNs: letters, digits, hyphens and underscores, such as ["prod", "staging"]; ' +
    'leave the setting out for every cluster.',
};

/**
 * ECR's own rule, which `functions/ecr-deploy/src/domain/image.rs` has too: parts separated by slashes, and words in
 * them by a dot, one or two underscores, or hyphens. A registry's host would pass as the first part of a name, so it is
 * ruled out by itself. https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
 */
export const REPOSITORY_NAME: Pattern = {
  pattern: /^(?=.{2,256}$)(?!\d{12}\.dkr)([a-z0-9]+((\.|__?|-+)[a-z0-9]+)*\/)*[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*$/,
  fix:
    'give names of repositories, without the registry and without a tag, such as ["web", "team/worker"]; ' +
    'leave the setting out for every repository.',
};

export const ROLE_ARN: Pattern = {
  pattern: /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/*?-]+$/,
  fix:
    'name the task and execution roles of the task definitions that are deployed, each by its ARN, such as ' +
    'arn:aws:iam::123456789012:role/app-*.',
};

/** The end of an ARN that stands for every role of an account, or for each whose name is long enough. */
export const EVERY_ROLE = /:role\/[*?/]*\*[*?/]*$/;

export const ACCOUNT_ID: Pattern = {
  pattern: /^\d{12}$/,
  fix:
    'give ids of accounts, each of twelve digits in quotes, such as ["123456789012"]; ' +
    'leave the setting out for pushes of this account alone.',
};

export const KEY_ARN: Pattern = {
  pattern: /^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[\w-]+$/,
  fix: 'give the ARN of a KMS key, not of an alias.',
};

export const POLICY_ARN: Pattern = {
  pattern: /^arn:aws[a-z-]*:iam::(\d{12}|aws):policy\/[\w+=,.@/-]+$/,
  fix: 'give the ARN of a managed policy, such as arn:aws:iam::123456789012:policy/boundary.',
};

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html */
export const ROLE_PATH: Pattern = {
  pattern: /^\/([!-.0-~]+\/)*$/,
  fix: 'begin and end it with a slash, such as /ecr-deploy/: letters, digits and signs of ASCII between slashes, no blanks.',
};

/** A role's name has 64 characters; half of them are for what tells one role from another. */
export const ROLE_PREFIX: Pattern = {
  pattern: /^[\w+=,.@-]{1,32}$/,
  fix: 'give 1 to 32 letters, digits and characters of +=,.@_-, such as app-ecr-deploy-.',
};

/** https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html */
export const PARAMETER_NAME: Pattern = {
  pattern: /^(?!\/([aA][wW][sS]|[sS][sS][mM]))(?=.{2,900}$)(\/[A-Za-z0-9_.-]+){1,15}$/,
  fix: 'begin it with a slash, such as /app/ecr-deploy/hold: letters, digits and . _ - between slashes, not aws or ssm in front.',
};

export const TOPIC_ARN: Pattern = {
  pattern: /^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}$/,
  fix:
    'give true for a topic of its own, or the ARN of a standard topic, such as ' +
    'arn:aws:sns:eu-west-1:123456789012:deployments.',
};
