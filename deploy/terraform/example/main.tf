# From an empty account to a recorder:
#   make deb; aws s3 cp the package to a bucket of yours; terraform init; terraform apply
# For a root of your own copy this file, and name the module by its repository and version.

terraform {
  required_version = ">= 1.5"
}

provider "aws" {
  region = "ap-southeast-1"
}

variable "bucket" {
  description = "Name of the bucket to make."
  type        = string
}

variable "package" {
  description = "Where the Debian package is: s3://bucket/key or https://…"
  type        = string
}

variable "allow_destroy" {
  description = "Whether what was recorded may be deleted."
  type        = bool
  default     = false
}

variable "snapshot_ids" {
  description = "Snapshots to make lost volumes of."
  type        = map(string)
  default     = {}
}

module "tickwal" {
  source        = "../"
  bucket        = var.bucket
  package       = var.package
  allow_destroy = var.allow_destroy
  snapshot_ids  = var.snapshot_ids
  streams       = ["btcusdt@miniTicker", "ethusdt@miniTicker"]
}

output "environment" {
  description = "Settings of the recorder."
  value       = module.tickwal.environment["1-1"]
}
