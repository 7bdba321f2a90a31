/**
 * The dashboard of one installation: how often it deployed, how fast, and how much of that failed. Its metrics come from the
 * log of Conclude (`functions/conclude/src/metrics.rs`). They have one dimension, the state machine. The tables by service
 * query the log itself, since a metric for each service would cost money each month.
 */
import { Duration, Fn, Stack } from 'aws-cdk-lib';
import {
  type Alarm,
  AlarmStatusWidget,
  AlarmStatusWidgetSortBy,
  Color,
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

/** The last services that went wrong, each with the reason and with what `ecr-deploy why` takes. */
export const WENT_WRONG = [
  'filter state in ["FAILED", "ROLLED_BACK"] and ispresent(service)',
  'fields @timestamp, cluster, service, image, error, message, execution',
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
    const seconds = (name: string, label: string, statistic: string, period: Duration) =>
      metric(deployService, name, label, statistic, period);
    // A metric is written only where there is something to tell. A graph of counts would connect two pushes by a line, as if
    // there had been some at each hour between.
    const counted = (machine: StateMachine, name: string, label: string, color: string) =>
      new MathExpression({
        expression: `FILL(${name.toLowerCase()}, 0)`,
        usingMetrics: { [name.toLowerCase()]: metric(machine, name, label, Stats.SUM, HOUR) },
        label,
        color,
        period: HOUR,
      });
    const counts = (of: string) => ({ min: 0, label: of, showUnits: false });

    const went = {
      deployed: services('ServicesDeployed', 'deployed', DAY),
      rolledBack: services('ServicesRolledBack', 'rolled back', DAY),
      failed: services('ServicesFailed', 'failed', DAY),
    };
    const failureRate = (label: string, color?: string) =>
      new MathExpression({
        expression:
          '100 * (FILL(rolledBack, 0) + FILL(failed, 0)) / (FILL(deployed, 0) + FILL(rolledBack, 0) + FILL(failed, 0))',
        usingMetrics: went,
        label,
        ...(color === undefined ? {} : { color }),
        period: DAY,
      });
    const table = (title: string, queryLines: string[]) =>
      new LogQueryWidget({
        title,
        logGroupNames: [conclude.logGroup.logGroupName],
        queryLines,
        view: LogQueryVisualizationType.TABLE,
        width: WIDTH,
        height: 8,
      });

    this.dashboard = new CloudWatchDashboard(this, 'Dashboard', {
      dashboardName: Fn.join('-', [Stack.of(this).stackName, Stack.of(this).region]),
      defaultInterval: Duration.days(7),
    });
    if (alarms.length > 0) {
      this.dashboard.addWidgets(
        new AlarmStatusWidget({
          title: 'Is anything wrong?',
          alarms: [...alarms],
          // Those that ring come first.
          sortBy: AlarmStatusWidgetSortBy.STATE_UPDATED_TIMESTAMP,
          width: WIDTH,
          height: 4,
        }),
      );
    }
    this.dashboard.addWidgets(
      new SingleValueWidget({
        title: 'Services, in all of the time that is shown',
        metrics: [
          went.deployed,
          went.rolledBack,
          went.failed,
          failureRate('changes that failed, %'),
          seconds('PushToStable', 'push to stable, median, s', Stats.p(50), DAY),
          seconds('Restore', 'failed to restored, median, s', Stats.p(50), DAY),
        ],
        // Else each would be that of the last day on which something was deployed.
        setPeriodToTimeRange: true,
        width: WIDTH,
        height: 4,
      }),
    );
    this.dashboard.addWidgets(table('Went wrong last: ecr-deploy why EXECUTION tells the story', WENT_WRONG));
    this.dashboard.addWidgets(
      new GraphWidget({
        title: 'Pushes, each hour',
        left: [
          // From the bottom: what failed has its height at the axis.
          counted(deployImage, 'PushesFailed', 'failed', Color.RED),
          counted(deployImage, 'PushesDeployed', 'deployed', Color.GREEN),
          counted(deployImage, 'PushesSuperseded', 'superseded', Color.GREY),
          counted(deployImage, 'PushesHeld', 'on hold', Color.BLUE),
          counted(deployImage, 'PushesStopped', 'stopped', Color.PURPLE),
        ],
        leftYAxis: counts('pushes'),
        stacked: true,
        width: WIDTH / 2,
      }),
      new GraphWidget({
        title: 'Services, each hour',
        left: [
          counted(deployService, 'ServicesFailed', 'failed', Color.RED),
          counted(deployService, 'ServicesRolledBack', 'rolled back', Color.ORANGE),
          counted(deployService, 'ServicesDeployed', 'deployed', Color.GREEN),
          counted(deployService, 'ServicesSuperseded', 'superseded', Color.GREY),
        ],
        leftYAxis: counts('services'),
        stacked: true,
        width: WIDTH / 2,
      }),
    );
    this.dashboard.addWidgets(
      new GraphWidget({
        title: 'From the push until a service is stable, each hour',
        left: [
          seconds('PushToStable', 'median', Stats.p(50), HOUR),
          seconds('PushToStable', '90 of 100', Stats.p(90), HOUR),
        ],
        leftYAxis: { min: 0, label: 'seconds', showUnits: false },
        width: WIDTH / 2,
      }),
      new GraphWidget({
        title: 'Changes that failed, each day (UTC)',
        left: [failureRate('failed', Color.RED)],
        leftYAxis: { min: 0, max: 100, label: '% of the changes', showUnits: false },
        width: WIDTH / 2,
      }),
    );
    this.dashboard.addWidgets(table('By service', BY_SERVICE));
  }
}
