/**
 * The dashboard of one installation: how often it deployed, how fast, and how much of that failed. Its metrics come from the
 * log of Conclude (`functions/conclude/src/metrics.rs`). They have one dimension, the state machine. The tables by service
 * query the log itself, since a metric for each service would cost money each month.
 */
import { Duration, Fn, Stack } from 'aws-cdk-lib';
import {
  type Alarm,
  AlarmStatusWidget,
  Dashboard as CloudWatchDashboard,
  GraphWidget,
  LogQueryVisualizationType,
  LogQueryWidget,
  MathExpression,
  Metric,
  SingleValueWidget,
  Stats,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import type { Step } from './step';

/** The resources that are shown. */
export interface DashboardProps {
  readonly deployImage: StateMachine;
  readonly deployService: StateMachine;
  readonly conclude: Step;
  readonly alarms: readonly Alarm[];
}

/** The namespace of the metrics, as the function writes it. */
const NAMESPACE = 'ecr-deploy';
const DAY = Duration.days(1);
const HOUR = Duration.hours(1);
/** The width of a dashboard, in columns. */
const WIDTH = 24;

/** The ends of each service, by the lines that Conclude writes. */
export const BY_SERVICE = [
  'filter ispresent(service) and ispresent(state)',
  'stats sum(ServicesDeployed) as deployed, sum(ServicesRolledBack) as rolledBack, sum(ServicesFailed) as failed, ' +
    'pct(PushToStable, 50) as medianSecondsToStable, max(PushToStable) as longestSecondsToStable by cluster, service',
  'sort failed desc, rolledBack desc, deployed desc',
  'limit 50',
];

/** The last services that went wrong. */
export const WENT_WRONG = [
  'filter state in ["FAILED", "ROLLED_BACK"] and ispresent(service)',
  'fields @timestamp, cluster, service, image, error, execution',
  'sort @timestamp desc',
  'limit 20',
];

/** The dashboard of one installation. */
export class Dashboard extends Construct {
  readonly dashboard: CloudWatchDashboard;

  // eslint-disable-next-line max-lines-per-function -- a table: one row of widgets after the other
  constructor(scope: Construct, id: string, { deployImage, deployService, conclude, alarms }: DashboardProps) {
    super(scope, id);
    const metric = (machine: StateMachine, metricName: string, label: string, statistic: string, period: Duration) =>
      new Metric({
        namespace: NAMESPACE,
        metricName,
        label,
        statistic,
        period,
        dimensionsMap: { StateMachine: machine.stateMachineName },
      });
    const services = (name: string, label: string, period: Duration) =>
      metric(deployService, name, label, Stats.SUM, period);
    const pushes = (name: string, label: string) => metric(deployImage, name, label, Stats.SUM, HOUR);
    const seconds = (name: string, label: string, statistic: string, period: Duration) =>
      metric(deployService, name, label, statistic, period);

    const went = {
      deployed: services('ServicesDeployed', 'deployed', DAY),
      rolledBack: services('ServicesRolledBack', 'rolled back', DAY),
      failed: services('ServicesFailed', 'failed', DAY),
    };
    const failureRate = new MathExpression({
      expression:
        '100 * (FILL(rolledBack, 0) + FILL(failed, 0)) / (FILL(deployed, 0) + FILL(rolledBack, 0) + FILL(failed, 0))',
      usingMetrics: went,
      label: 'changes that failed, %',
      period: DAY,
    });

    this.dashboard = new CloudWatchDashboard(this, 'Dashboard', {
      dashboardName: Fn.join('-', [Stack.of(this).stackName, Stack.of(this).region]),
      defaultInterval: Duration.days(7),
    });
    if (alarms.length > 0) {
      this.dashboard.addWidgets(
        new AlarmStatusWidget({ title: 'Is anything wrong?', alarms: [...alarms], width: WIDTH, height: 3 }),
      );
    }
    this.dashboard.addWidgets(
      new SingleValueWidget({
        title: 'Today: deployments, failed changes, time to stable, time to restore',
        metrics: [
          went.deployed,
          failureRate,
          seconds('PushToStable', 'push to stable, median s', Stats.p(50), DAY),
          seconds('Restore', 'failed to restored, median s', Stats.p(50), DAY),
        ],
        width: WIDTH,
        height: 4,
      }),
    );
    this.dashboard.addWidgets(
      new GraphWidget({
        title: 'Pushes an hour, by how they ended',
        left: [
          pushes('PushesDeployed', 'deployed'),
          pushes('PushesFailed', 'failed'),
          pushes('PushesSuperseded', 'superseded'),
          pushes('PushesHeld', 'on hold'),
          pushes('PushesStopped', 'stopped'),
        ],
        stacked: true,
        width: WIDTH / 2,
      }),
      new GraphWidget({
        title: 'Services an hour, by how they ended',
        left: [
          services('ServicesDeployed', 'deployed', HOUR),
          services('ServicesRolledBack', 'rolled back', HOUR),
          services('ServicesFailed', 'failed', HOUR),
          services('ServicesSuperseded', 'superseded', HOUR),
        ],
        stacked: true,
        width: WIDTH / 2,
      }),
    );
    this.dashboard.addWidgets(
      new GraphWidget({
        title: 'Seconds from the push until a service is stable',
        left: [
          seconds('PushToStable', 'median', Stats.p(50), HOUR),
          seconds('PushToStable', '90 of 100', Stats.p(90), HOUR),
        ],
        leftYAxis: { min: 0, label: 'seconds', showUnits: false },
        width: WIDTH / 2,
      }),
      new GraphWidget({
        title: 'Changes that failed, % of a day',
        left: [failureRate],
        leftYAxis: { min: 0, max: 100, showUnits: false },
        width: WIDTH / 2,
      }),
    );
    const table = (title: string, queryLines: string[]) =>
      new LogQueryWidget({
        title,
        logGroupNames: [conclude.logGroup.logGroupName],
        queryLines,
        view: LogQueryVisualizationType.TABLE,
        width: WIDTH,
        height: 8,
      });
    this.dashboard.addWidgets(table('By service', BY_SERVICE));
    this.dashboard.addWidgets(table('What went wrong last', WENT_WRONG));
  }
}
