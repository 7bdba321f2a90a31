/**
 * The resources of a stack without versions of its functions. The CDK gives a version another id where the settings of its
 * function change, so that CloudFormation publishes one. A template with parameters has no other ids when only a parameter
 * changes: the state machines would go on with the function of before. So they name the function itself.
 */
import { isObject, type Json, type Obj } from './merge';

/** The resources, by their ids. */
export function unversioned(resources: Obj): Obj {
  const all = Object.entries(resources).filter((entry): entry is [string, Obj] => isObject(entry[1]));
  const functionOf = new Map<string, string>();
  for (const [id, { Type: type, Properties: properties }] of all) {
    if (type === 'AWS::Lambda::Version' && isObject(properties ?? null)) {
      const { FunctionName: name } = properties as { FunctionName: { Ref: string } };
      functionOf.set(id, name.Ref);
    }
  }
  const functions = new Set(functionOf.values());
  const kept = all.filter(([id]) => !functionOf.has(id));
  return Object.fromEntries(kept.map(([id, resource]) => [id, withoutVersions(resource)]));

  function withoutVersions(part: Json): Json {
    if (Array.isArray(part)) {
      return part.map(withoutVersions);
    }
    if (!isObject(part)) {
      return part;
    }
    const name = typeof part['Ref'] === 'string' ? functionOf.get(part['Ref']) : undefined;
    if (name !== undefined) {
      return { 'Fn::GetAtt': [name, 'Arn'] };
    }
    // The right to invoke any version of a function becomes the one to invoke the function.
    const [delimiter, pieces] = Array.isArray(part['Fn::Join']) ? part['Fn::Join'] : [];
    if (delimiter === '' && Array.isArray(pieces) && pieces.length === 2 && pieces[1] === ':*') {
      const of = isObject(pieces[0] ?? null) ? (pieces[0] as Obj)['Fn::GetAtt'] : undefined;
      if (Array.isArray(of) && typeof of[0] === 'string' && functions.has(of[0])) {
        return { 'Fn::GetAtt': of };
      }
    }
    return Object.fromEntries(Object.entries(part).map(([member, inner]) => [member, withoutVersions(inner)]));
  }
}
