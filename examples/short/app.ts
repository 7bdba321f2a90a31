import { App, Stack } from "aws-cdk-lib";
import { EcrDeploy } from "ecr-deploy";

const stack = new Stack(new App(), "ecr-deploy");
new EcrDeploy(stack, "EcrDeploy", { passRoles: ["arn:aws:iam::123456789012:role/app-*"] });
