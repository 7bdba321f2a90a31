/** The demands of an organisation on every role: a permissions boundary, a path, a prefix of its name. */
import { Aspects, Names, Stack, Token } from 'aws-cdk-lib';
import { CfnRole, ManagedPolicy, PermissionsBoundary } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { Settings } from './settings';

/** The most letters that the name of a role may have. */
const NAME_LENGTH = 64;
/** The most letters of the name of a region, which may be known only when the stack is deployed. */
const REGION_LENGTH = 15;
/** The letters of a hash at the end of what the CDK calls unique. */
const HASH_LENGTH = 8;

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
        node.roleName = name(construct, node, rolePrefix);
      }
    },
  });
}

/**
 * The name of a role: the stack, as far as there is room for it, and what the role is for. A hash of the name of the stack and
 * of the path keeps two stacks from wanting the same. So does the region: the names of roles are those of an account.
 */
function name(construct: Construct, role: CfnRole, prefix: string): string {
  const { stackName, region } = Stack.of(role);
  const hash = Names.uniqueResourceName(role, { separator: '-' }).slice(-HASH_LENGTH);
  const room = NAME_LENGTH - prefix.length - 1 - HASH_LENGTH - 1 - REGION_LENGTH;
  const path = role.node.path.slice(construct.node.path.length + 1).replace(/(\/Role)?\/Resource$/, '');
  const purpose = path.replaceAll(/[^\w-]/g, '').slice(0, room);
  const left = Math.max(0, room - purpose.length - 1);
  // Of a nested stack CloudFormation makes the name.
  const stack = Token.isUnresolved(stackName) ? '' : stackName.slice(0, left).replace(/-$/, '');
  return `${prefix}${stack === '' ? '' : `${stack}-`}${purpose}-${hash}-${region}`;
}
