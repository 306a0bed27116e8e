# One source: deploy/iam has the rights for the default names, tested one by one; here the names are replaced.

locals {
  # Through marks, since a name may hold another one's default; longer names first, as one is the beginning of another.
  policy_text = file("${path.module}/../iam/policy.json")
  policy_marked = replace(replace(replace(replace(replace(replace(
    local.policy_text,
    "ap-southeast-1:111122223333", "<place>"), "crypto-live-bucket/batch_jsonl", "<folder>"),
    "crypto-live-bucket", "<bucket>"), "crypto-live-miniticker", "<table>"),
  "crypto-live.binance_ws", "<secret>"), "arn:aws:", "<partition>")
  rights = replace(replace(replace(replace(replace(replace(
    local.policy_marked,
    "<place>", "${local.region}:${local.account}"), "<folder>", "${var.bucket}/${var.folder}"),
    "<bucket>", var.bucket), "<table>", var.table),
  "<secret>", var.secret), "<partition>", "arn:${local.partition}:")

  kms = jsondecode(file("${path.module}/../iam/kms.json"))
  kms_rights = [
    for statement in local.kms.Statement : merge(
      statement,
      { Resource = var.kms_key_arn },
      can(statement.Condition.StringEquals) ? {
        Condition = { StringEquals = { "kms:ViaService" = "ec2.${local.region}.${data.aws_partition.current.dns_suffix}" } }
      } : {},
    )
  ]
  # What asks for a condition is for the volume: whoever attaches it, or makes a snapshot of it.
  data_key   = [for statement in local.kms_rights : statement if !can(statement.Condition)]
  volume_key = [for statement in local.kms_rights : statement if can(statement.Condition)]
  kinesis    = jsondecode(file("${path.module}/../iam/kinesis.json"))

  boot = jsondecode(file("${path.module}/../iam/boot.json"))
  boot_resources = {
    for key, recorder in local.recorders : key => {
      SeeTheVolume         = "*"
      AttachTheVolume      = aws_ebs_volume.log[key].arn
      AttachToThisInstance = "arn:${local.partition}:ec2:${local.region}:${local.account}:instance/*"
      FetchThePackage      = local.package
    }
  }
}

data "aws_iam_policy_document" "ec2" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "recorder" {
  for_each           = local.recorders
  name               = "${each.value.name}-${local.region}"
  assume_role_policy = data.aws_iam_policy_document.ec2.json
}

resource "aws_iam_role_policy" "tickwal" {
  for_each = local.recorders
  name     = "tickwal"
  role     = aws_iam_role.recorder[each.key].id
  policy   = jsonencode(jsondecode(local.rights))
}

# The key of bucket, volume, secret and Kinesis stream. Whoever attaches a volume lets EBS use the key in his name.
# https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html
resource "aws_iam_role_policy" "kms" {
  for_each = var.kms_key_arn == null ? {} : local.recorders
  name     = "kms"
  role     = aws_iam_role.recorder[each.key].id
  policy   = jsonencode({ Version = local.kms.Version, Statement = concat(local.data_key, local.volume_key) })
}

resource "aws_iam_role_policy" "kinesis" {
  for_each = var.kinesis_stream == null ? {} : local.recorders
  name     = "kinesis"
  role     = aws_iam_role.recorder[each.key].id
  policy = jsonencode({
    Version   = local.kinesis.Version
    Statement = [for statement in local.kinesis.Statement : merge(statement, { Resource = aws_kinesis_stream.ticks[0].arn })]
  })
}

resource "aws_iam_role_policy" "report" {
  for_each = local.http_listen == "off" ? {} : local.recorders
  name     = "report"
  role     = aws_iam_role.recorder[each.key].id
  policy   = jsonencode(jsondecode(file("${path.module}/../iam/report.json")))
}

resource "aws_iam_role_policy_attachment" "session_manager" {
  for_each   = var.session_manager ? local.recorders : {}
  role       = aws_iam_role.recorder[each.key].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_role_policy" "boot" {
  for_each = local.recorders
  name     = "boot"
  role     = aws_iam_role.recorder[each.key].id
  policy = jsonencode({
    Version = local.boot.Version
    Statement = [
      for statement in local.boot.Statement : merge(
        statement,
        { Resource = local.boot_resources[each.key][statement.Sid] },
        can(statement.Condition) ? { Condition = { StringEquals = { "aws:ResourceTag/tickwal" = each.value.name } } } : {},
      )
      if local.boot_resources[each.key][statement.Sid] != null
    ]
  })
}

resource "aws_iam_instance_profile" "recorder" {
  for_each = local.recorders
  name     = "${each.value.name}-${local.region}"
  role     = aws_iam_role.recorder[each.key].name
}
