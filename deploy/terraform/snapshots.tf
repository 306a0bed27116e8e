# A snapshot is for a volume that is lost. What it holds besides is at the destinations.

data "aws_iam_policy_document" "dlm" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["dlm.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "snapshots" {
  count              = var.snapshots_kept > 0 ? 1 : 0
  name               = "${var.name}-snapshots-${local.region}"
  assume_role_policy = data.aws_iam_policy_document.dlm.json
}

resource "aws_iam_role_policy_attachment" "snapshots" {
  count      = var.snapshots_kept > 0 ? 1 : 0
  role       = aws_iam_role.snapshots[0].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AWSDataLifecycleManagerServiceRole"
}

# The managed policy has no right to a key of one's own.
# https://docs.aws.amazon.com/ebs/latest/userguide/dlm-prerequisites.html
resource "aws_iam_role_policy" "snapshots_kms" {
  count  = var.snapshots_kept > 0 && var.kms_key_arn != null ? 1 : 0
  name   = "kms"
  role   = aws_iam_role.snapshots[0].id
  policy = jsonencode({ Version = local.kms.Version, Statement = local.volume_key })
}

resource "aws_dlm_lifecycle_policy" "log" {
  for_each           = var.snapshots_kept > 0 ? local.recorders : {}
  description        = "Daily snapshots of the log of ${each.value.name}"
  execution_role_arn = aws_iam_role.snapshots[0].arn
  state              = "ENABLED"

  policy_details {
    resource_types = ["VOLUME"]
    target_tags    = { "tickwal-log" = each.value.name }
    schedule {
      name      = "daily"
      copy_tags = true
      create_rule {
        interval      = 24
        interval_unit = "HOURS"
        times         = ["03:00"]
      }
      retain_rule {
        count = var.snapshots_kept
      }
    }
  }
}
