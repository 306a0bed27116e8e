# Alarms that need nothing on the instance, and one that does: of each shard, whether any recorder of it is ready, as
# tickwal-report tells. What tickwal says of itself besides is in its metrics: docs/operations.md.

locals {
  alarms = {
    instance = {
      namespace   = "AWS/EC2", metric = "StatusCheckFailed", statistic = "Maximum", threshold = 0
      missing     = "breaching", by = "group"
      description = "The instance fails its status check, or there is none. The group replaces it by itself; if it stays so, the zone has none to give, or each one ends at its start."
    }
    volume-stalled = {
      namespace   = "AWS/EBS", metric = "VolumeStalledIOCheck", statistic = "Maximum", threshold = 0
      missing     = "notBreaching", by = "volume"
      description = "The log's volume does not finish what it was asked. Nothing is committed meanwhile."
    }
    volume-busy = {
      namespace   = "AWS/EBS", metric = "VolumeQueueLength", statistic = "Average", threshold = 8
      missing     = "notBreaching", by = "volume"
      description = "Requests wait for the log's volume: more volume_iops or volume_throughput, or a longer COMMIT_LINGER_MS."
    }
  }
  recorder_alarms = {
    for pair in setproduct(keys(local.recorders), keys(local.alarms)) :
    "${pair[0]}-${pair[1]}" => merge(local.alarms[pair[1]], { recorder = pair[0] })
  }
}

resource "aws_cloudwatch_metric_alarm" "recorder" {
  for_each            = local.recorder_alarms
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  statistic           = each.value.statistic
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = 5
  treat_missing_data  = each.value.missing
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  dimensions = each.value.by == "volume" ? {
    VolumeId = aws_ebs_volume.log[each.value.recorder].id
    } : {
    AutoScalingGroupName = aws_autoscaling_group.recorder[each.value.recorder].name
  }
}

resource "aws_cloudwatch_metric_alarm" "shard" {
  for_each            = local.http_listen == "off" ? toset([]) : toset([for shard in range(1, var.shards + 1) : tostring(shard)])
  alarm_name          = "${var.name}-shard-${each.value}-not-ready"
  alarm_description   = "No recorder of shard ${each.value} has been ready for ten minutes: its streams are not recorded, or not delivered. docs/runbook.md."
  namespace           = "tickwal"
  metric_name         = "Ready"
  statistic           = "Maximum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 60
  evaluation_periods  = 10
  # Nobody who says so is as bad.
  treat_missing_data = "breaching"
  alarm_actions      = var.alarm_actions
  ok_actions         = var.alarm_actions
  dimensions         = { Name = var.name, Shard = each.value }
}
