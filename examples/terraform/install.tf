# ecr-deploy itself, installed by Terraform. No test of ecr-deploy runs this file; one compares its parameters with those of the
# template, and lets the construct check its stages.
#
# Once for each release, where the folder `template` of the release is:
#   aws cloudformation package --template-file template/template.json --s3-bucket my-ecr-deploy \
#     --use-json --output-template-file packaged.json
# The functions are in the bucket then, and packaged.json names them. Put it beside this file.

resource "aws_s3_object" "ecr_deploy" {
  bucket = "my-ecr-deploy"
  # A name of its own for each release, so that CloudFormation reads it again.
  key    = "ecr-deploy/${filemd5("${path.module}/packaged.json")}.json"
  source = "${path.module}/packaged.json"
}

resource "aws_cloudformation_stack" "ecr_deploy" {
  name         = "ecr-deploy"
  template_url = "https://${aws_s3_object.ecr_deploy.bucket}.s3.amazonaws.com/${aws_s3_object.ecr_deploy.key}"
  capabilities = ["CAPABILITY_IAM"]

  parameters = {
    # The task roles and execution roles of your services, with commas between them.
    PassRoles = "arn:aws:iam::123456789012:role/app-*"
    Stages = jsonencode([
      { "name" : "staging", "clusters" : ["staging"], "tags" : ["main-*", "semver:*"] },
      { "name" : "production", "clusters" : ["production"], "tags" : ["semver:>=1.0.0"], "after" : "staging", "soakSeconds" : 900 }
    ])
  }
}
