data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

data "aws_subnets" "default" {
  count = length(var.subnet_ids) == 0 ? 1 : 0
  filter {
    name   = "default-for-az"
    values = ["true"]
  }
  lifecycle {
    postcondition {
      condition     = length(self.ids) > 0
      error_message = "This region has no default VPC with subnets: name subnets with a way to the internet in subnet_ids."
    }
  }
}

data "aws_subnet" "used" {
  for_each = toset(local.subnet_ids)
  id       = each.value
}

check "replicas_in_different_zones" {
  assert {
    condition     = var.replicas <= length(distinct([for subnet in data.aws_subnet.used : subnet.availability_zone]))
    error_message = "There are more replicas than zones of subnet_ids: two of them would be lost together with one zone."
  }
}

data "aws_ami" "debian" {
  count       = var.ami_id == null ? 1 : 0
  most_recent = true
  # Debian's own account: https://wiki.debian.org/Cloud/AmazonEC2Image
  owners = ["136693071363"]
  filter {
    name   = "name"
    values = ["debian-12-${var.architecture}-*"]
  }
}

locals {
  subnet_ids = length(var.subnet_ids) > 0 ? var.subnet_ids : sort(data.aws_subnets.default[0].ids)
  region     = data.aws_region.current.name
  partition  = data.aws_partition.current.partition
  account    = data.aws_caller_identity.current.account_id

  ami_id        = var.ami_id == null ? data.aws_ami.debian[0].id : var.ami_id
  instance_type = coalesce(var.instance_type, var.architecture == "arm64" ? "t4g.small" : "t3a.small")

  # One recorder for each shard and replica. Everything that is one recorder's is made for each of these.
  recorders = {
    for pair in setproduct(range(1, var.shards + 1), range(1, var.replicas + 1)) : "${pair[0]}-${pair[1]}" => {
      name      = "${var.name}-${pair[0]}-${pair[1]}"
      shard     = pair[0]
      subnet_id = local.subnet_ids[(pair[1] - 1) % length(local.subnet_ids)]
    }
  }

  # What tickwal gets; see docs/settings.md.
  environment = {
    for key, recorder in local.recorders : key => merge(
      {
        REGION                   = local.region
        S3_BUCKET                = aws_s3_bucket.ticks.bucket
        S3_JSONL_DIR_PATH        = var.folder
        DYNAMO_TABLE_NAME        = aws_dynamodb_table.items.name
        RETENTION_TTL_DAYS       = tostring(var.retention_ttl_days)
        BINANCE_WEBSOCKET_SECRET = aws_secretsmanager_secret.streams.name
        TESTNET                  = tostring(var.testnet)
      },
      var.kinesis_stream == null ? {} : { KINESIS_WRITE = "1", KINESIS_STREAM = aws_kinesis_stream.ticks[0].name },
      var.shards > 1 ? { STREAM_SHARD = "${recorder.shard}/${var.shards}" } : {},
      var.settings,
    )
  }

  # Where it says whether it is ready.
  http_listen = lookup(var.settings, "HTTP_LISTEN", "127.0.0.1:9464")

  package = startswith(var.package, "s3://") ? "arn:${local.partition}:s3:::${trimprefix(var.package, "s3://")}" : null
}
