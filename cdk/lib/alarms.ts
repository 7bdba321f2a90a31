/**
 * The alarms that call somebody at night: a push failed, an event started nothing, a sweep failed, a function fails or is
 * throttled. Each is about one thing, so that its name says where to look.
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
  readonly tellEnd: StateMachine;
  readonly sweep: StateMachine;
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

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    const { push, deployImage, tellEnd, sweep, deadLetterQueue, steps, topic } = props;
    this.alarms = [
      this.alarm(
        'PushFailed',
        'a push failed; its execution of deploy-image says why',
        deployImage.metricFailed(MINUTE),
      ),
      this.alarm('PushNotStarted', 'a push was not started; its execution of push says why', push.metricFailed(MINUTE)),
      this.alarm(
        'EndNotTold',
        'a push was stopped or broke off, and nobody was told; its execution of tell-end says why',
        tellEnd.metricFailed(MINUTE),
      ),
      this.alarm(
        'SweepFailed',
        'missed pushes were not found, or not started; the execution of sweep says why',
        sweep.metricFailed(MINUTE),
      ),
      this.alarm(
        'EventLost',
        'an event started nothing, and is in the dead-letter queue',
        deadLetterQueue.metricApproximateNumberOfMessagesVisible({ period: Duration.minutes(1), statistic: 'Maximum' }),
      ),
      ...Object.entries<StepResources>({ ...steps }).flatMap(([name, step]) => this.ofStep(name, step)),
    ];
    if (topic !== undefined) {
      for (const each of this.alarms) {
        each.addAlarmAction(new SnsAction(topic));
      }
    }
  }

  private ofStep(name: string, { function: lambda }: StepResources): Alarm[] {
    const step = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
    const throttles = this.alarm(
      `${step}Throttles`,
      `Lambda throttles the function of ${step}: the concurrency of the account is used up`,
      lambda.metricThrottles(FIVE_MINUTES),
      5,
    );
    if (name === 'conclude') {
      // It fails on purpose: with each service and each push that failed.
      return [throttles];
    }
    const errors = this.alarm(
      `${step}Errors`,
      `the function of ${step} fails again and again; its log says why`,
      lambda.metricErrors(FIVE_MINUTES),
      // A single error is retried.
      5,
    );
    return [errors, throttles];
  }

  private alarm(name: string, description: string, metric: IMetric, threshold = 1): Alarm {
    return new Alarm(this, name, {
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
  }
}
