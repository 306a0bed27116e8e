output "environment" {
  description = "Settings of each recorder, by shard and replica (\"1-1\"): what `tickwal doctor` and `status` want to know elsewhere."
  value       = local.environment
}

output "bucket" {
  description = "Bucket of the objects."
  value       = aws_s3_bucket.ticks.bucket
}

output "table" {
  description = "Table of the items."
  value       = aws_dynamodb_table.items.name
}

output "secret" {
  description = "Secret with the list of streams."
  value       = aws_secretsmanager_secret.streams.name
}

output "roles" {
  description = "ARN of each recorder's role."
  value       = { for key, role in aws_iam_role.recorder : key => role.arn }
}

output "volumes" {
  description = "Id of each log's volume."
  value       = { for key, volume in aws_ebs_volume.log : key => volume.id }
}

output "groups" {
  description = "Auto-scaling group of each recorder."
  value       = { for key, group in aws_autoscaling_group.recorder : key => group.name }
}

output "user_data" {
  description = "What each instance runs when it starts, as text."
  value       = local.user_data
}
