/** A query of CloudWatch Logs Insights that is saved with the stack: everything that was logged of one push. */
import { Stack } from 'aws-cdk-lib';
import { CfnQueryDefinition, type LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';

/**
 * The lines of one push, in the order of time. The name of each of its executions has the tag, and so has the image on each
 * line of a function.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
 */
export const QUERY = `# Everything of one push: write its tag in place of v42, twice. In the second place only its first 20 characters, with - for each dot.
fields @timestamp, coalesce(level, type) as what, coalesce(service, details.name) as where, coalesce(message, details.error, details.cause) as says
| filter image like /:v42$/ or execution_arn like /-v42-/
| sort @timestamp asc
| limit 10000`;

/** Saves the query. */
export function saveQuery(scope: Construct, logGroups: readonly LogGroup[]): void {
  new CfnQueryDefinition(scope, 'QueryOfPush', {
    name: `${Stack.of(scope).stackName}/everything of one push`,
    queryString: QUERY,
    logGroupNames: logGroups.map(({ logGroupName }) => logGroupName),
  });
}
