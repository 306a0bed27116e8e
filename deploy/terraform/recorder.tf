# The volume of each log. It is nobody's part: an instance that ends leaves it, and the next one attaches it.

resource "aws_ebs_volume" "log" {
  for_each          = local.recorders
  availability_zone = data.aws_subnet.used[each.value.subnet_id].availability_zone
  type              = "gp3"
  size              = var.volume_gib
  iops              = var.volume_iops
  throughput        = var.volume_throughput
  encrypted         = true
  kms_key_id        = var.kms_key_arn
  snapshot_id       = lookup(var.snapshot_ids, each.key, null)
  tags              = { Name = "${each.value.name}-log", "tickwal-log" = each.value.name }
}

resource "aws_security_group" "recorder" {
  name        = "${var.name}-recorder"
  description = "tickwal: nothing comes in"
  vpc_id      = data.aws_subnet.used[local.subnet_ids[0]].vpc_id
  tags        = { Name = "${var.name}-recorder" }
}

resource "aws_vpc_security_group_egress_rule" "recorder" {
  for_each          = toset([for port in var.egress_ports : tostring(port)])
  security_group_id = aws_security_group.recorder.id
  description       = "TCP ${each.value}"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.value)
  to_port           = tonumber(each.value)
}

locals {
  user_data = {
    for key, recorder in local.recorders : key => templatefile("${path.module}/boot/cloud-init.yaml.tftpl", {
      region         = local.region
      volume_id      = aws_ebs_volume.log[key].id
      name           = var.name
      shard          = recorder.shard
      http_listen    = local.http_listen
      package        = var.package
      package_sha256 = var.package_sha256 == null ? "" : var.package_sha256
      # https://docs.aws.amazon.com/systems-manager/latest/userguide/agent-install-deb.html
      agent = !var.session_manager ? "" : join("", [
        "https://s3.${local.region}.${data.aws_partition.current.dns_suffix}/amazon-ssm-${local.region}/latest/",
        "debian_${var.architecture}/amazon-ssm-agent.deb"
      ])
      # A value is one line in single quotes, as systemd reads it.
      environment = join("", [
        for name, value in local.environment[key] : "${name}='${replace(replace(value, "\\", "\\\\"), "'", "\\'")}'\n"
      ])
      files = {
        "/usr/local/sbin/tickwal-needs"                    = ["0755", file("${path.module}/boot/tickwal-needs")]
        "/usr/local/sbin/tickwal-volume"                   = ["0755", file("${path.module}/boot/tickwal-volume")]
        "/usr/local/sbin/tickwal-attach"                   = ["0755", file("${path.module}/boot/tickwal-attach")]
        "/usr/local/sbin/tickwal-install"                  = ["0755", file("${path.module}/boot/tickwal-install")]
        "/usr/local/sbin/tickwal-owner"                    = ["0755", file("${path.module}/boot/tickwal-owner")]
        "/usr/local/sbin/tickwal-report"                   = ["0755", file("${path.module}/boot/tickwal-report")]
        "/etc/systemd/system/tickwal-report.service"       = ["0644", file("${path.module}/boot/tickwal-report.service")]
        "/etc/systemd/system/tickwal.service.d/owner.conf" = ["0644", file("${path.module}/boot/owner.conf")]
        "/etc/systemd/system/tickwal-volume.service"       = ["0644", file("${path.module}/boot/tickwal-volume.service")]
        "/etc/systemd/system/var-lib-tickwal.mount"        = ["0644", file("${path.module}/boot/var-lib-tickwal.mount")]
        "/etc/systemd/system/tickwal-grow.service"         = ["0644", file("${path.module}/boot/tickwal-grow.service")]
        "/etc/systemd/system/tickwal-grow.timer"           = ["0644", file("${path.module}/boot/tickwal-grow.timer")]
        # Its unit's name is the path in the mount, as systemd-escape has it.
        "/etc/systemd/system/dev-disk-by\\x2dlabel-tickwal.device.d/wait.conf" = ["0644", file("${path.module}/boot/device.conf")]
      }
    })
  }
}

resource "aws_launch_template" "recorder" {
  for_each      = local.recorders
  name          = each.value.name
  image_id      = local.ami_id
  instance_type = local.instance_type
  user_data     = base64gzip(local.user_data[each.key])

  # Whoever starts a new version gets it: there is one instance at a time.
  update_default_version = true

  iam_instance_profile {
    name = aws_iam_instance_profile.recorder[each.key].name
  }
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
  vpc_security_group_ids = var.public_ip == null ? [aws_security_group.recorder.id] : null
  dynamic "network_interfaces" {
    for_each = var.public_ip == null ? [] : [var.public_ip]
    content {
      associate_public_ip_address = network_interfaces.value
      security_groups             = [aws_security_group.recorder.id]
      delete_on_termination       = true
    }
  }
  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      volume_type           = "gp3"
      volume_size           = 8
      encrypted             = true
      delete_on_termination = true
    }
  }
  tag_specifications {
    resource_type = "instance"
    tags          = { Name = each.value.name, tickwal = each.value.name }
  }
  lifecycle {
    precondition {
      # 16 KiB before base64: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html
      condition     = length(base64gzip(local.user_data[each.key])) <= 21848
      error_message = "With these settings an instance's user data has more than the 16 KiB that EC2 takes. Long lists of streams belong in var.streams, which is a secret's."
    }
  }
}

# One instance at a time, in the volume's zone. When it dies, or fails its status check, the group starts another one,
# which waits for the volume, attaches it, and goes on.
resource "aws_autoscaling_group" "recorder" {
  for_each                  = local.recorders
  name                      = each.value.name
  min_size                  = 1
  max_size                  = 1
  desired_capacity          = 1
  vpc_zone_identifier       = [each.value.subnet_id]
  health_check_type         = "EC2"
  health_check_grace_period = 300
  # Without it apply ends well where no instance can start: of this type in this zone, with this image, in this account.
  wait_for_capacity_timeout = var.wait_for_instances

  launch_template {
    id      = aws_launch_template.recorder[each.key].id
    version = aws_launch_template.recorder[each.key].latest_version
  }
  # A change of settings or package replaces the instance: the old one ends first, since two cannot have the volume.
  instance_refresh {
    strategy = "Rolling"
    preferences {
      min_healthy_percentage = 0
    }
  }
  tag {
    key                 = "tickwal"
    value               = each.value.name
    propagate_at_launch = true
  }
  depends_on = [aws_iam_role_policy.boot, aws_iam_role_policy.tickwal, aws_vpc_security_group_egress_rule.recorder]
}
