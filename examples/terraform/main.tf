# A queue on an emulator; its mapping to a function, how the function is called asynchronously, and its URL on Headrace.
#
#   headrace run examples/terraform
#   terraform init && terraform apply

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "headrace" {
  description = "Lambda's API of Headrace."
  default     = "http://127.0.0.1:9001"
}

variable "emulator" {
  description = "Where the queue is."
  default     = "http://localhost:4566"
}

variable "queue" {
  default = "orders"
}

variable "batch_size" {
  default = 10
}

variable "enabled" {
  default = true
}

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true

  endpoints {
    lambda = var.headrace
    sqs    = var.emulator
  }
}

resource "aws_sqs_queue" "orders" {
  name                       = var.queue
  visibility_timeout_seconds = 60
}

# Headrace's configuration has the function; only what is around it is made here.
data "aws_lambda_function" "orders" {
  function_name = "orders"
}

resource "aws_lambda_event_source_mapping" "orders" {
  event_source_arn        = aws_sqs_queue.orders.arn
  function_name           = data.aws_lambda_function.orders.function_name
  batch_size              = var.batch_size
  enabled                 = var.enabled
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = 2
  }

  filter_criteria {
    filter {
      pattern = jsonencode({ body = { id = [{ exists = true }] } })
    }
  }

  tags = { team = "orders" }
}

resource "aws_lambda_function_event_invoke_config" "orders" {
  function_name          = data.aws_lambda_function.orders.function_name
  maximum_retry_attempts = 1
}

resource "aws_lambda_function_url" "orders" {
  function_name      = data.aws_lambda_function.orders.function_name
  authorization_type = "NONE"
}

output "mapping" {
  value = aws_lambda_event_source_mapping.orders.uuid
}

output "url" {
  value = aws_lambda_function_url.orders.function_url
}
