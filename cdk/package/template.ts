/**
 * The CloudFormation template for whoever has no CDK: the stack of the app with parameters in place of some settings. It is
 * synthesized by the construct for each choice that a parameter leaves open. Where the results differ, the template has a
 * condition. So it holds what the construct makes, and no second text of it.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { App, DefaultStackSynthesizer, type IStackSynthesizer } from 'aws-cdk-lib';
import { Architecture, type CfnFunction } from 'aws-cdk-lib/aws-lambda';
import { EcrDeployStack } from '../app/ecr-deploy-stack';
import type { EcrDeployProps } from '../lib/settings';
import { Step } from '../lib/step';
import { type Json, merged, type Obj } from './merge';
import { CLUSTER, CONDITIONS, INTERFACE, PARAMETERS, parametrized, ROLE, RULES, STACK } from './parameters';
import { unversioned } from './unversioned';

/** The program of all functions, as a release holds it for each processor. */
export const ZIP = 'bootstrap.zip';

/**
 * For who checks the template by cfn-lint. Its E3601 takes the definition of a state machine as it stands in the template: it
 * wants `arn:aws:` where a substitution gives the partition, and a number where JSONata calculates one.
 */
const CFN_LINT: Obj = { config: { ignore_checks: ['E3601'] } };

/** The name of the template for a processor: that of most installations has none in it. */
export function templateName(architecture: string): string {
  return architecture === 'arm64' ? 'template.json' : `template-${architecture}.json`;
}

/** Writes the template for each processor. The program of its functions is in `<architecture>/` beside it. */
export function writeTemplates(folder: string, architectures: readonly string[]): void {
  mkdirSync(folder, { recursive: true });
  for (const architecture of architectures) {
    const text = `${JSON.stringify(template(architecture), undefined, 1)}\n`;
    writeFileSync(join(folder, templateName(architecture)), text);
  }
}

/**
 * The template for a processor.
 *
 * @throws Error if two choices differ in a way that no condition can tell
 */
export function template(architecture: string): Obj {
  const synthesize = (props: Partial<EcrDeployProps>) => {
    const one = { ...props, passRoles: [ROLE] };
    const [all, some] = [synthesized(architecture, one), synthesized(architecture, { ...one, clusters: [CLUSTER] })];
    return merged('EveryCluster', all, some) as Obj;
  };
  const [plain, tags, latest] = [{}, { tagLatest: true }, { deployLatest: true }].map(synthesize) as [Obj, Obj, Obj];
  const whole = merged('MayTag', tags, plain) as { Resources: Record<string, Obj>; Outputs: Obj };
  // Which tags start an execution is all in which deployLatest differs, besides the settings of the functions.
  const patterns = withPatterns(plain, latest);
  if (!isDeepStrictEqual(patterns.rest, plain)) {
    throw new Error(
      'the template with deployLatest differs from the one without in more than the patterns of its rules',
    );
  }
  for (const [id, pattern] of Object.entries(patterns.of)) {
    const { Properties: properties } = whole.Resources[id] as { Properties: Obj };
    properties['EventPattern'] = merged('EveryTag', pattern, properties['EventPattern'] ?? {});
  }
  return {
    AWSTemplateFormatVersion: '2010-09-09',
    Description: 'ecr-deploy: deploys images that are pushed to ECR to the ECS services that run them, and rolls back',
    Metadata: { 'AWS::CloudFormation::Interface': INTERFACE, 'cfn-lint': CFN_LINT },
    Parameters: PARAMETERS,
    Rules: RULES,
    Conditions: CONDITIONS,
    Resources: whole.Resources,
    Outputs: whole.Outputs,
  };
}

/** The patterns of the rules of one template, by the ids of the rules, and all of it with the patterns of another one. */
function withPatterns(from: Obj, given: Obj): { of: Record<string, Json>; rest: Obj } {
  const rest = structuredClone(given) as { Resources: Record<string, { Type: string; Properties: Obj }> };
  const of: Record<string, Json> = {};
  for (const [id, { Type, Properties }] of Object.entries(rest.Resources)) {
    if (Type === 'AWS::Events::Rule' && Properties['EventPattern'] !== undefined) {
      of[id] = Properties['EventPattern'];
      const { Properties: others } = (from['Resources'] as Record<string, { Properties: Obj }>)[id] ?? {
        Properties: {},
      };
      Properties['EventPattern'] = others['EventPattern'] ?? {};
    }
  }
  return { of, rest };
}

/** The resources and outputs of the stack with some settings, its functions by their file, its parameters in place. */
function synthesized(name: string, props: Pick<EcrDeployProps, 'passRoles'> & Partial<EcrDeployProps>): Obj {
  const outdir = mkdtempSync(join(tmpdir(), 'ecr-deploy-template-'));
  try {
    const context = { 'aws:cdk:bundling-stacks': [] };
    const app = new App({ outdir, analyticsReporting: false, treeMetadata: false, context });
    // Its optional members may be undefined, which the CDK's interface does not tell.
    const synthesizer = new DefaultStackSynthesizer({ generateBootstrapVersionRule: false }) as IStackSynthesizer;
    const architecture = name === 'arm64' ? Architecture.ARM_64 : Architecture.X86_64;
    const stack = new EcrDeployStack(app, STACK, { ...props, synthesizer, architecture });
    const { Resources, Outputs } = app.synth().getStackByName(STACK).template as Synthesized;
    for (const step of stack.ecrDeploy.node.findAll().filter((node) => node instanceof Step)) {
      const id = stack.getLogicalId(step.function.node.defaultChild as CfnFunction);
      Object.assign(Resources[id]?.Properties ?? {}, { Code: `./${name}/${ZIP}` });
    }
    for (const resource of Object.values(Resources)) {
      // The paths of constructs, which are for the CDK alone.
      delete resource.Metadata;
    }
    return parametrized({ Resources: unversioned(Resources), Outputs }) as Obj;
  } finally {
    rmSync(outdir, { recursive: true });
  }
}

/** A template of the CDK, as far as it is read here. */
interface Synthesized {
  readonly Resources: Readonly<Record<string, { readonly Properties: Obj; Metadata?: Obj }>>;
  readonly Outputs: Obj;
}
