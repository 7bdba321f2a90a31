/** The demands of an organisation on every role: a permissions boundary, a path, a prefix of its name. */
import { Aspects, Names } from 'aws-cdk-lib';
import { CfnRole, ManagedPolicy, PermissionsBoundary } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { Settings } from './settings';

/** The most letters that the name of a role may have. */
const NAME_LENGTH = 64;

/** Gives every role within the construct what the settings say, also a role that the CDK makes by itself. */
export function nameRoles(construct: Construct, settings: Settings): void {
  const { permissionsBoundary: boundary, rolePath, rolePrefix } = settings;
  if (boundary !== undefined) {
    const policy =
      typeof boundary === 'string' ? ManagedPolicy.fromManagedPolicyArn(construct, 'Boundary', boundary) : boundary;
    PermissionsBoundary.of(construct).apply(policy);
  }
  if (rolePath === undefined && rolePrefix === undefined) {
    return;
  }
  Aspects.of(construct).add({
    visit: (node) => {
      if (!(node instanceof CfnRole)) {
        return;
      }
      if (rolePath !== undefined) {
        node.path = rolePath;
      }
      if (rolePrefix !== undefined) {
        // It begins with the name of the stack, so two stacks do not want the same, and ends in a hash of the whole path.
        const maxLength = NAME_LENGTH - rolePrefix.length;
        node.roleName = `${rolePrefix}${Names.uniqueResourceName(node, { maxLength, separator: '-' })}`;
      }
    },
  });
}
