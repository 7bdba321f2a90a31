/**
 * The topic that hears of every push: one of the user's, or one that is made here, encrypted. Who wants to hear of pushes
 * subscribes to it: a person by mail, a chat by Amazon Q Developer in chat applications, a queue.
 */
import { Aws, RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { type IKey, Key } from 'aws-cdk-lib/aws-kms';
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { SettingError } from './setting';
import type { Settings } from './settings';

/** Stands for the ARN of the topic in the state machines where there is none. No state is entered then that reads it. */
export const NO_TOPIC = 'none';

/** A topic, and the key of it that a state machine has to use. */
export interface Messages {
  readonly topic: ITopic;
  readonly key?: IKey;
}

/** The topic of the setting `notificationTopic`; `undefined` where nobody wants messages. */
export function messages(scope: Construct, { notificationTopic: given }: Settings, key?: IKey): Messages | undefined {
  if (given === undefined || given === false) {
    return undefined;
  }
  if (given !== true) {
    const topic = typeof given === 'string' ? Topic.fromTopicArn(scope, 'Topic', given) : given;
    checkRegion(scope, topic);
    // Of a topic that is known by its ARN alone nobody knows the key.
    return topic.masterKey === undefined ? { topic } : { topic, key: forAlarms(topic.masterKey) };
  }
  const masterKey = forAlarms(key ?? keyOfTopic(scope));
  const topic = new Topic(scope, 'Topic', { masterKey, enforceSSL: true });
  // With a policy of its own, as enforceSSL makes one, the topic has not the default one, which lets alarms publish.
  topic.addToResourcePolicy(
    new PolicyStatement({
      sid: 'AlarmsTell',
      principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
      actions: ['sns:Publish'],
      resources: [topic.topicArn],
      conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
    }),
  );
  return { topic, key: masterKey };
}

/**
 * Refuses a topic of another region, as far as both are known: Step Functions calls SNS in its own.
 *
 * @throws SettingError
 */
function checkRegion(scope: Construct, topic: ITopic): void {
  const { region } = Stack.of(scope);
  const regions = [region, topic.env.region];
  if (!regions.some((one) => Token.isUnresolved(one)) && region !== topic.env.region) {
    throw new SettingError(
      'notificationTopic',
      topic.topicArn,
      `the topic is in ${topic.env.region}, and a state machine tells only those of its own region; give one in ${region}.`,
    );
  }
}

/**
 * The key with a policy that lets alarms use it: AWS's own key for topics lets no alarm publish.
 * https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
 */
function forAlarms(key: IKey): IKey {
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: 'AlarmsTellTopic',
      principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
      actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
      resources: ['*'],
      conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
    }),
  );
  return key;
}

function keyOfTopic(scope: Construct): IKey {
  return new Key(scope, 'TopicKey', {
    description: `${Stack.of(scope).stackName}, the messages of pushes`,
    enableKeyRotation: true,
    // It encrypts nothing that outlives the topic.
    removalPolicy: RemovalPolicy.DESTROY,
  });
}
