# Terraform that reads the image which ecr-deploy has deployed, in place of `ignore_changes` as in main.tf: for those who want
# `terraform apply` to move the service to their own revision at once. No test of ecr-deploy runs this file.
#
# ecr-deploy has the setting "parameters": true. Write the first value by hand, so that the first plan finds it:
#   aws ssm put-parameter --name /ecr-deploy/production/web/web/image --type String --value <registry>/shop/web:v1
# Then in main.tf the container has `image = nonsensitive(data.aws_ssm_parameter.image_of_web.value)`, and the service no
# `ignore_changes`. An apply for another reason keeps the image, and one without a change of the task definition but after a push
# registers a revision with the same image.

data "aws_ssm_parameter" "image_of_web" {
  # <cluster>/<service>/<container>
  name = "/ecr-deploy/production/web/web/image"
}
