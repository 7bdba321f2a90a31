/** A stack as it is synthesized, with its resources by the paths of their constructs. No function is built. */
import { App, type CfnElement, CfnResource } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { EcrDeployStack, type EcrDeployStackProps } from '../app/ecr-deploy-stack';
import type { EcrDeployProps } from '../lib/settings';

/** The packages of the seven steps and the constructs that hold their functions. */
export const STEPS: Readonly<Record<string, string>> = {
  'find-task-definitions': 'FindTaskDefinitions',
  'register-revision': 'RegisterRevision',
  'update-service': 'UpdateService',
  'check-stability': 'CheckStability',
  'roll-back': 'RollBack',
  conclude: 'Conclude',
  'find-missed-pushes': 'FindMissedPushes',
};

/** The state machines and the constructs that hold them. */
export const WORKFLOWS: Readonly<Record<string, string>> = {
  push: 'PushMachine',
  'deploy-image': 'DeployImage',
  'deploy-service': 'DeployService',
  'tell-end': 'TellEnd',
  sweep: 'Sweep',
};

/** The one setting that has no default. */
export const REQUIRED: EcrDeployProps = { passRoles: ['arn:aws:iam::123456789012:role/app-*'] };

/** The context that turns bundling off, which is where CDK would call cargo-lambda. */
export const WITHOUT_BUNDLING = { 'aws:cdk:bundling-stacks': [] };

/** Part of a template: plain JSON. */
export type Json = any;

/** One resource of a template. */
export interface Resource {
  /** Of its construct, without the stack and without the `Resource` that CDK adds: `EcrDeploy/RollBack/Role`. */
  readonly path: string;
  readonly type: string;
  readonly properties: Json;
}

/** A stack that was synthesized with some settings. */
export class Synthesized {
  readonly stack: EcrDeployStack;
  readonly template: Template;
  readonly resources: readonly Resource[];
  private readonly paths: ReadonlyMap<string, string>;

  constructor(settings: Partial<EcrDeployProps> = {}, props: Partial<EcrDeployStackProps> = {}) {
    const app = new App({ context: WITHOUT_BUNDLING });
    this.stack = new EcrDeployStack(app, 'ecr-deploy', { ...REQUIRED, ...settings, ...props });
    this.template = Template.fromStack(this.stack);
    this.paths = new Map(
      this.stack.node
        .findAll()
        .filter((node) => CfnResource.isCfnResource(node))
        .map((resource) => [
          this.logicalId(resource),
          resource.node.path.replace(`${this.stack.node.path}/`, '').replace(/\/Resource$/, ''),
        ]),
    );
    this.resources = Object.entries<Json>(this.template.toJSON()['Resources']).map(([id, resource]) => ({
      path: this.paths.get(id) ?? id,
      type: resource.Type,
      properties: resource.Properties ?? {},
    }));
  }

  /** The properties of the one resource with this path. */
  properties(path: string): Json {
    const found = this.resources.find((resource) => resource.path === path);
    if (found === undefined) {
      throw new Error(`no resource ${path} among ${this.resources.map((resource) => resource.path).join(', ')}`);
    }
    return found.properties;
  }

  /** Every resource of a type. */
  ofType(type: string): Resource[] {
    return this.resources.filter((resource) => resource.type === type);
  }

  /** The definition of a state machine as it is written in the template, placeholders and all. */
  definition(construct: string): string {
    return this.text(this.properties(`EcrDeploy/${construct}/StateMachine`).DefinitionString);
  }

  /** A value of the template in one line: `${AWS::Region}` and `${path of a construct}` stand for references. */
  text(value: Json): string {
    if (typeof value !== 'object' || value === null) {
      return String(value);
    }
    if (Array.isArray(value)) {
      return value.map((item) => this.text(item)).join(', ');
    }
    if ('Ref' in value) {
      return `\${${this.paths.get(value.Ref) ?? value.Ref}}`;
    }
    if ('Fn::GetAtt' in value) {
      const [id, attribute] = value['Fn::GetAtt'];
      return `\${${this.paths.get(id) ?? id}.${attribute}}`;
    }
    if ('Fn::Join' in value) {
      const [separator, parts] = value['Fn::Join'];
      return parts.map((part: Json) => this.text(part)).join(separator);
    }
    return JSON.stringify(value);
  }

  private logicalId(element: CfnElement): string {
    return this.stack.resolve(element.logicalId);
  }
}
