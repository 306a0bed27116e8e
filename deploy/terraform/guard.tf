# Refuses to delete what cannot be had again, before anything else is deleted: it depends on everything, so a destroy
# comes to it first. `prevent_destroy` would take no variable.
resource "terraform_data" "guard" {
  input = { allow_destroy = var.allow_destroy }
  # A volume that would be replaced counts like one that would be deleted.
  triggers_replace = [for volume in aws_ebs_volume.log : volume.id]

  provisioner "local-exec" {
    when    = destroy
    command = "test ${self.output.allow_destroy} = true || { echo 'The log, objects and items would be deleted. To do so, apply allow_destroy = true first.' >&2; exit 1; }"
  }

  depends_on = [
    aws_ebs_volume.log, aws_s3_bucket.ticks, aws_dynamodb_table.items, aws_secretsmanager_secret_version.streams,
    aws_autoscaling_group.recorder, aws_iam_role_policy.tickwal, aws_cloudwatch_metric_alarm.recorder,
    aws_dlm_lifecycle_policy.log, aws_s3_bucket_policy.ticks, aws_s3_bucket_lifecycle_configuration.ticks,
    aws_s3_bucket_ownership_controls.ticks, aws_s3_bucket_server_side_encryption_configuration.ticks,
    aws_s3_bucket_public_access_block.ticks, aws_iam_role_policy_attachment.snapshots, aws_iam_role_policy.kms,
    aws_iam_role_policy.snapshots_kms, aws_iam_role_policy_attachment.session_manager,
    aws_iam_role_policy.kinesis, aws_iam_role_policy.report, aws_kinesis_stream.ticks, aws_cloudwatch_metric_alarm.shard,
  ]
}
