# Terraform beside ecr-deploy: Terraform owns the task definition and the service, ecr-deploy owns the image that runs.
# No test of ecr-deploy runs this file.
#
# - The first `terraform apply` starts the service with var.first_tag. From then on each push moves it.
# - A change of the task definition here registers a revision and leaves the service alone. With a stage of ecr-deploy that has
#   `base: newest`, the next push takes the change up, with the pushed image:
#   "stages": [{ "name": "all", "tags": ["*", "!latest"], "base": "newest" }]
# - The setting passRoles of ecr-deploy names both roles, see the output.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "first_tag" {
  description = "The tag that the service starts with; there is an image with it in the repository."
  type        = string
}

variable "subnets" {
  type = list(string)
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

resource "aws_ecr_repository" "web" {
  name                 = "shop/web"
  image_tag_mutability = "IMMUTABLE"
}

resource "aws_ecs_cluster" "production" {
  name = "production"
}

data "aws_iam_policy_document" "ecs_tasks" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "task" {
  name               = "app-web-task"
  assume_role_policy = data.aws_iam_policy_document.ecs_tasks.json
}

resource "aws_iam_role" "execution" {
  name               = "app-web-execution"
  assume_role_policy = data.aws_iam_policy_document.ecs_tasks.json
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

resource "aws_ecs_task_definition" "web" {
  family                   = "web"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  task_role_arn            = aws_iam_role.task.arn
  execution_role_arn       = aws_iam_role.execution.arn

  # Without this, Terraform deregisters the revision that it replaces. ecr-deploy may have to go back to it.
  skip_destroy = true

  container_definitions = jsonencode([
    {
      name      = "web"
      image     = "${aws_ecr_repository.web.repository_url}:${var.first_tag}"
      essential = true
    },
  ])
}

resource "aws_ecs_service" "web" {
  name            = "web"
  cluster         = aws_ecs_cluster.production.id
  task_definition = aws_ecs_task_definition.web.arn
  desired_count   = 2
  launch_type     = "FARGATE"

  network_configuration {
    subnets = var.subnets
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  lifecycle {
    # ecr-deploy moves the service from revision to revision; an apply does not move it back.
    ignore_changes = [task_definition]
  }
}

output "pass_roles" {
  description = "For the setting passRoles of ecr-deploy."
  value       = [aws_iam_role.task.arn, aws_iam_role.execution.arn]
}

# Only for `"trigger": "putImage"`, which tells who pushed: CloudTrail has to log management events. One trail in the account is
# enough; leave this out if there is one. With the default trigger ECR itself sends the event, and no trail is needed.

resource "aws_s3_bucket" "trail" {
  bucket_prefix = "push-trail-"
}

data "aws_iam_policy_document" "trail" {
  statement {
    actions   = ["s3:GetBucketAcl"]
    resources = [aws_s3_bucket.trail.arn]
    principals {
      type        = "Service"
      identifiers = ["cloudtrail.amazonaws.com"]
    }
  }
  statement {
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.trail.arn}/AWSLogs/${data.aws_caller_identity.current.account_id}/*"]
    principals {
      type        = "Service"
      identifiers = ["cloudtrail.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "s3:x-amz-acl"
      values   = ["bucket-owner-full-control"]
    }
  }
}

resource "aws_s3_bucket_policy" "trail" {
  bucket = aws_s3_bucket.trail.id
  policy = data.aws_iam_policy_document.trail.json
}

resource "aws_cloudtrail" "pushes" {
  name           = "pushes"
  s3_bucket_name = aws_s3_bucket.trail.id
  depends_on     = [aws_s3_bucket_policy.trail]

  event_selector {
    include_management_events = true
    read_write_type           = "WriteOnly"
  }
}
