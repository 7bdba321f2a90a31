from aws_cdk import App, Stack
from ecr_deploy import EcrDeploy

app = App()
EcrDeploy(Stack(app, "ecr-deploy"), "EcrDeploy", pass_roles=["arn:aws:iam::123456789012:role/app-*"])
app.synth()
