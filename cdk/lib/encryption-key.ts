/** The customer's own key, and what its policy has to allow for what it encrypts. */
import { Aws } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { type IKey, Key } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import type { Settings } from './settings';

/** The key of the setting, where one is given, as the property of those that take it. */
export function usableKey(
  scope: Construct,
  { encryptionKey }: Pick<Settings, 'encryptionKey'>,
): { readonly encryptionKey?: IKey } {
  return encryptionKey === undefined ? {} : { encryptionKey: withPolicy(scope, encryptionKey) };
}

/**
 * The key with a policy that lets CloudWatch Logs and EventBridge use it. The policy of a key that is given by its ARN
 * cannot be changed from here; the documentation of the setting says what it must allow.
 */
function withPolicy(scope: Construct, given: IKey | string): IKey {
  const key = typeof given === 'string' ? Key.fromKeyArn(scope, 'Key', given) : given;
  // https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html. All groups of the account: a group
  // needs the key before it has an ARN.
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: 'EncryptLogs',
      principals: [new ServicePrincipal(`logs.${Aws.REGION}.amazonaws.com`)],
      actions: ['kms:Encrypt*', 'kms:Decrypt*', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:Describe*'],
      resources: ['*'],
      conditions: {
        ArnLike: {
          'kms:EncryptionContext:aws:logs:arn': `arn:${Aws.PARTITION}:logs:${Aws.REGION}:${Aws.ACCOUNT_ID}:log-group:*`,
        },
      },
    }),
  );
  // https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: 'FillDeadLetterQueue',
      principals: [new ServicePrincipal('events.amazonaws.com')],
      actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
      resources: ['*'],
      conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
    }),
  );
  // https://docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html. AWS documents no condition that the call
  // would meet, and logs that cannot be delivered are lost without a word.
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: 'DeliverLogs',
      principals: [new ServicePrincipal('delivery.logs.amazonaws.com')],
      actions: ['kms:Decrypt*'],
      resources: ['*'],
    }),
  );
  return key;
}
