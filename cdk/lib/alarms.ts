/**
 * The alarms that call somebody at night: a push failed, an event started nothing, a function fails or is throttled. Each is
 * about one thing, so that its name says where to look.
 */
import { Duration, Stack } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import type { StepResources, Steps } from './resources';

/** The resources that are watched. */
export interface AlarmsProps {
  readonly push: StateMachine;
  readonly deployImage: StateMachine;
  readonly deadLetterQueue: IQueue;
  readonly steps: Steps;
  /** The topic that each alarm tells; `undefined`: it is seen in the console alone. */
  readonly topic: ITopic | undefined;
}

const MINUTE = { period: Duration.minutes(1), statistic: 'Sum' };
const FIVE_MINUTES = { period: Duration.minutes(5), statistic: 'Sum' };

/** The alarms of one installation. */
export class Alarms extends Construct {
  readonly alarms: readonly Alarm[];

  constructor(scope: Construct, id: string, { push, deployImage, deadLetterQueue, steps, topic }: AlarmsProps) {
    super(scope, id);
    const alarm = (name: string, description: string, metric: IMetric, threshold: number) =>
      new Alarm(this, name, {
        // So that a list of the alarms of an account reads well.
        alarmName: `${Stack.of(this).stackName}-${name}`,
        alarmDescription: `${Stack.of(this).stackName}: ${description}`,
        metric,
        threshold,
        comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        evaluationPeriods: 1,
        // Nothing happens most of the time, and then there is no datapoint.
        treatMissingData: TreatMissingData.NOT_BREACHING,
      });
    this.alarms = [
      alarm('PushFailed', 'a push failed; its execution of deploy-image says why', deployImage.metricFailed(MINUTE), 1),
      alarm('PushNotStarted', 'a push was not started; its execution of push says why', push.metricFailed(MINUTE), 1),
      alarm(
        'EventLost',
        'an event started nothing, and is in the dead-letter queue',
        deadLetterQueue.metricApproximateNumberOfMessagesVisible({ period: Duration.minutes(1), statistic: 'Maximum' }),
        1,
      ),
      ...Object.entries<StepResources>({ ...steps }).flatMap(([name, { function: lambda }]) => {
        const step = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
        return [
          // Conclude fails on purpose: with each service and each push that failed.
          ...(name === 'conclude'
            ? []
            : [
                alarm(
                  `${step}Errors`,
                  `the function of ${step} fails again and again; its log says why`,
                  lambda.metricErrors(FIVE_MINUTES),
                  // A single error is retried.
                  5,
                ),
              ]),
          alarm(
            `${step}Throttles`,
            `Lambda throttles the function of ${step}: the concurrency of the account is used up`,
            lambda.metricThrottles(FIVE_MINUTES),
            5,
          ),
        ];
      }),
    ];
    if (topic !== undefined) {
      for (const each of this.alarms) {
        each.addAlarmAction(new SnsAction(topic));
      }
    }
  }
}
