# The bucket

resource "aws_s3_bucket" "ticks" {
  bucket = var.bucket
  # Without it Terraform deletes no bucket that has an object.
  force_destroy = var.allow_destroy
}

resource "aws_s3_bucket_public_access_block" "ticks" {
  bucket                  = aws_s3_bucket.ticks.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "ticks" {
  bucket = aws_s3_bucket.ticks.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "ticks" {
  bucket = aws_s3_bucket.ticks.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
    bucket_key_enabled = var.kms_key_arn != null
  }
}

resource "aws_s3_bucket_versioning" "ticks" {
  bucket = aws_s3_bucket.ticks.id
  versioning_configuration {
    status = var.versioning ? "Enabled" : "Suspended"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "ticks" {
  bucket = aws_s3_bucket.ticks.id

  rule {
    id     = "uploads-that-were-given-up"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  dynamic "rule" {
    for_each = var.versioning ? [30] : []
    content {
      id     = "what-was-replaced"
      status = "Enabled"
      filter {}
      noncurrent_version_expiration {
        noncurrent_days = rule.value
      }
    }
  }

  # By prefix, so that the notes in _logs/ and the gaps stay: a log whose note is gone cannot tell that it is a copy.
  dynamic "rule" {
    for_each = var.expire_objects_days > 0 ? [var.expire_objects_days] : []
    content {
      id     = "expire-ticks"
      status = "Enabled"
      filter {
        prefix = "${var.folder}/dt="
      }
      expiration {
        days = rule.value
      }
    }
  }

  dynamic "rule" {
    for_each = var.archive_objects_days > 0 ? [var.archive_objects_days] : []
    content {
      id     = "archive-ticks"
      status = "Enabled"
      filter {
        prefix = "${var.folder}/dt="
      }
      transition {
        days          = rule.value
        storage_class = "GLACIER_IR"
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.ticks]
}

data "aws_iam_policy_document" "tls_only" {
  statement {
    sid       = "TLSOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.ticks.arn, "${aws_s3_bucket.ticks.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "ticks" {
  count      = var.require_tls ? 1 : 0
  bucket     = aws_s3_bucket.ticks.id
  policy     = data.aws_iam_policy_document.tls_only.json
  depends_on = [aws_s3_bucket_public_access_block.ticks]
}

# The table

resource "aws_dynamodb_table" "items" {
  name                        = var.table
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "stream_type"
  range_key                   = "iso_timestamp"
  deletion_protection_enabled = !var.allow_destroy

  attribute {
    name = "stream_type"
    type = "S"
  }
  attribute {
    name = "iso_timestamp"
    type = "S"
  }
  ttl {
    attribute_name = "ttl_days"
    enabled        = true
  }
}

# The stream, for programs that want ticks while they are new

resource "aws_kinesis_stream" "ticks" {
  count            = var.kinesis_stream == null ? 0 : 1
  name             = var.kinesis_stream
  shard_count      = var.kinesis_shards
  retention_period = var.kinesis_retention_hours
  encryption_type  = var.kms_key_arn == null ? "NONE" : "KMS"
  kms_key_id       = var.kms_key_arn
  stream_mode_details {
    stream_mode = var.kinesis_shards == null ? "ON_DEMAND" : "PROVISIONED"
  }
}

# The list of streams

resource "aws_secretsmanager_secret" "streams" {
  name                    = var.secret
  description             = "Streams that tickwal records"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.allow_destroy ? 0 : 7
}

resource "aws_secretsmanager_secret_version" "streams" {
  secret_id     = aws_secretsmanager_secret.streams.id
  secret_string = jsonencode({ streams = var.streams })
}
