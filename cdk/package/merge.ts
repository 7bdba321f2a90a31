/** One template of two that differ: what is the same stays, and the rest is under a condition. */
import { isDeepStrictEqual } from 'node:util';

/** Part of a template. */
export type Json = string | number | boolean | null | Json[] | Obj;
/** An object in a template. */
export interface Obj {
  [name: string]: Json;
}

const NOTHING: Obj = { Ref: 'AWS::NoValue' };

/** True for an object that is no list. */
export function isObject(part: Json): part is Obj {
  return typeof part === 'object' && part !== null && !Array.isArray(part);
}

/** True for what CloudFormation works out: `Ref` and functions. */
function isIntrinsic(part: Obj): boolean {
  const [name = '', ...others] = Object.keys(part);
  return others.length === 0 && (name === 'Ref' || name.startsWith('Fn::'));
}

/** The part of a template that is `yes` where the condition holds, and else `no`. */
export function merged(condition: string, yes: Json, no: Json): Json {
  if (isDeepStrictEqual(yes, no)) {
    return yes;
  }
  if (Array.isArray(yes) && Array.isArray(no)) {
    return mergedLists(condition, yes, no);
  }
  if (isObject(yes) && isObject(no)) {
    const [one, other] = [yes['Fn::If'], no['Fn::If']];
    if (Array.isArray(one) && Array.isArray(other) && one[0] === other[0]) {
      return { 'Fn::If': mergedLists(condition, one, other) };
    }
    if (!isIntrinsic(yes) && !isIntrinsic(no)) {
      const names = [...new Set([...Object.keys(yes), ...Object.keys(no)])];
      return Object.fromEntries(
        names.map((name) => [name, merged(condition, yes[name] ?? NOTHING, no[name] ?? NOTHING)]),
      );
    }
  }
  return { 'Fn::If': [condition, yes, no] };
}

function mergedLists(condition: string, yes: Json[], no: Json[]): Json {
  const [keys, others] = [yes.map(key), no.map(key)];
  if ([...keys, ...others].every((one) => one !== undefined)) {
    const names = [...new Set([...keys, ...others])];
    return names.map((name) =>
      merged(condition, yes[keys.indexOf(name)] ?? NOTHING, no[others.indexOf(name)] ?? NOTHING),
    );
  }
  return yes.length === no.length
    ? yes.map((item, place) => merged(condition, item, no[place] ?? NOTHING))
    : { 'Fn::If': [condition, yes, no] };
}

/** A statement of a policy is known by its id, or by its actions where the CDK has made it; also under a condition. */
function key(item: Json): string | undefined {
  if (!isObject(item)) {
    return undefined;
  }
  const branches = item['Fn::If'];
  if (Array.isArray(branches)) {
    return branches
      .slice(1)
      .map(key)
      .find((one) => one !== undefined);
  }
  return item['Effect'] === undefined ? undefined : JSON.stringify(item['Sid'] ?? item['Action']);
}
