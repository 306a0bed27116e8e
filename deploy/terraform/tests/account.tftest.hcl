# What an account may lack. `terraform test` (1.11 or later) runs this without any account.

mock_provider "aws" {
  mock_data "aws_subnets" {
    defaults = { ids = ["subnet-a", "subnet-b"] }
  }
  mock_data "aws_region" {
    defaults = { name = "ap-southeast-1" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  bucket  = "my-ticks"
  package = "s3://my-packages/tickwal.deb"
}

run "no_default_vpc" {
  command = plan
  override_data {
    target = data.aws_subnets.default
    values = { ids = [] }
  }
  expect_failures = [data.aws_subnets.default]
}

run "two_replicas_in_two_zones" {
  command = plan
  variables {
    replicas = 2
  }
  override_data {
    target = data.aws_subnet.used["subnet-a"]
    values = { availability_zone = "ap-southeast-1a" }
  }
  override_data {
    target = data.aws_subnet.used["subnet-b"]
    values = { availability_zone = "ap-southeast-1b" }
  }
}

run "two_replicas_in_one_zone" {
  command = plan
  variables {
    replicas = 2
  }
  override_data {
    target = data.aws_subnet.used["subnet-a"]
    values = { availability_zone = "ap-southeast-1a" }
  }
  override_data {
    target = data.aws_subnet.used["subnet-b"]
    values = { availability_zone = "ap-southeast-1a" }
  }
  expect_failures = [check.replicas_in_different_zones]
}

run "settings_that_user_data_cannot_hold" {
  command = plan
  variables {
    settings = { STREAMS = join(",", [for number in range(1000) : "${sha256(tostring(number))}@miniTicker"]) }
  }
  override_resource {
    target          = aws_ebs_volume.log
    override_during = plan
    values          = { id = "vol-0123456789abcdef0" }
  }
  expect_failures = [aws_launch_template.recorder]
}

run "a_shell_without_an_open_port" {
  command = plan
  variables {
    session_manager = true
    architecture    = "amd64"
  }
  override_resource {
    target          = aws_ebs_volume.log
    override_during = plan
    values          = { id = "vol-0123456789abcdef0" }
  }
  assert {
    condition     = length(aws_iam_role_policy_attachment.session_manager) == 1
    error_message = "The role lacks the right to be talked to."
  }
  assert {
    condition     = contains([for each in yamldecode(local.user_data["1-1"]).runcmd : join(" ", each)], "systemd-run --unit=tickwal-agent /usr/local/sbin/tickwal-install ap-southeast-1 https://s3.ap-southeast-1.amazonaws.com/amazon-ssm-ap-southeast-1/latest/debian_amd64/amazon-ssm-agent.deb ")
    error_message = "The agent is not installed."
  }
}

run "a_volume_of_a_snapshot" {
  command = plan
  variables {
    replicas     = 2
    snapshot_ids = { "1-2" = "snap-0123456789abcdef0" }
  }
  override_data {
    target = data.aws_subnet.used["subnet-a"]
    values = { availability_zone = "ap-southeast-1a" }
  }
  override_data {
    target = data.aws_subnet.used["subnet-b"]
    values = { availability_zone = "ap-southeast-1b" }
  }
  assert {
    condition     = aws_ebs_volume.log["1-2"].snapshot_id == "snap-0123456789abcdef0"
    error_message = "The volume is not made of the snapshot."
  }
}
