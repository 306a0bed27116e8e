"""deploy/terraform, applied to MiniStack; then the program with its outputs as environment and its role's rights.

`make test` applies what the program needs. `make terraform-test` (TERRAFORM_WHOLE=1) applies all
of it, plans again, and destroys: S3's lifecycle alone takes the provider a minute there.
"""

import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.aws import REGION, Keys
from support.ticks import combined, mini_tickers

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "deploy/terraform"
MIRROR = Path(os.environ.get("TERRAFORM_MIRROR", "/opt/tf-plugins"))
WHOLE = bool(os.environ.get("TERRAFORM_WHOLE"))
BUCKET, TABLE = "terraform-bucket", "terraform-table"

ENOUGH = ["aws_iam_role_policy.tickwal", "aws_launch_template.recorder", "aws_dynamodb_table.items",
          "aws_secretsmanager_secret_version.streams", "aws_s3_bucket.ticks", "aws_iam_role_policy.kinesis"]

STAND_IN = {"aws_cloudwatch_metric_alarm"}
"""Kinds of which MiniStack does not give back what was put, so that a second plan would change them again; moto does."""

ROOT_MODULE = """
provider "aws" {
  region                      = "ap-southeast-1"
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_region_validation      = true
}
variable "allow_destroy" {
  type    = bool
  default = false
}
variable "shards" {
  type    = number
  default = 1
}
variable "snapshots_kept" {
  type    = number
  default = 0
}
variable "kms_key_arn" {
  type    = string
  default = null
}
module "tickwal" {
  shards         = var.shards
  kms_key_arn    = var.kms_key_arn
  kinesis_stream = "terraform-ticks"
  kinesis_shards = 1
  replicas       = var.shards
  source         = "./deploy/terraform"
  name           = "test"
  bucket         = "terraform-bucket"
  table          = "terraform-table"
  secret         = "terraform-secret"
  package        = "s3://packages/tickwal.deb"
  ami_id         = "ami-12345678"
  testnet        = true
  settings       = { MAX_BATCH_SIZE = "100", S3_FILENAME = "it's \\\\ odd" }
  allow_destroy  = var.allow_destroy
  # Not known to the stand-in: snapshots by rule, and groups that start instances. It is reached without TLS.
  snapshots_kept     = var.snapshots_kept
  require_tls        = false
  wait_for_instances = "0"
}
output "all" {
  value = {
    environment = module.tickwal.environment, user_data = module.tickwal.user_data, roles = module.tickwal.roles
    volumes     = module.tickwal.volumes
  }
}
"""

pytestmark = [
    pytest.mark.xdist_group("terraform"),
    pytest.mark.skipif(not shutil.which("terraform"), reason="there is no terraform on this machine"),
    pytest.mark.skipif(
        not list(MIRROR.glob("registry.terraform.io/hashicorp/aws/5.*")),
        reason=f"there is no mirror with the AWS provider at {MIRROR}; set TERRAFORM_MIRROR",
    ),
]


class Terraform:
    def __init__(self, folder: Path, url: str, keys: Keys):
        self.folder = folder
        shutil.copytree(ROOT / "deploy", folder / "deploy")
        (folder / "main.tf").write_text(ROOT_MODULE)
        (folder / "rc").write_text(
            f'provider_installation {{\n filesystem_mirror {{\n path = "{MIRROR}"\n include = ["registry.terraform.io/*/*"]\n }}\n}}\n'
        )
        self._environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), "TF_CLI_CONFIG_FILE": str(folder / "rc"),
            "TF_IN_AUTOMATION": "1", "AWS_ENDPOINT_URL": url, "AWS_EC2_METADATA_DISABLED": "true", "CHECKPOINT_DISABLE": "1",
            **keys.environment,
        }

    def run(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            ["terraform", *arguments], cwd=self.folder, env=self._environment, capture_output=True, text=True, timeout=300,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == code, f"terraform {arguments}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout + done.stderr

    def outputs(self) -> dict:
        return json.loads(self.run("output", "-json"))["all"]["value"]


@pytest.fixture(scope="module")
def applied(tmp_path_factory, ministack):
    """The module's resources. The server ends with the session."""
    made = Terraform(tmp_path_factory.mktemp("terraform"), ministack.url, ministack.admin)
    made.run("init", "-input=false", "-no-color")
    made.run("validate", "-no-color")
    targets = [] if WHOLE else [f"-target=module.tickwal.{name}" for name in ENOUGH]
    try:
        made.run("apply", "-auto-approve", "-no-color", "-input=false", *targets)
    except AssertionError as failure:
        # The provider sends a request again whose answer it has not seen. EC2 knows it by its ClientToken; MiniStack does
        # not look at that, and has the template of the first one.
        if "InvalidLaunchTemplateName.AlreadyExistsException" not in str(failure):
            raise
        ec2 = ministack.client("ec2")
        for template in ec2.describe_launch_templates()["LaunchTemplates"]:
            ec2.delete_launch_template(LaunchTemplateId=template["LaunchTemplateId"])
        made.run("apply", "-auto-approve", "-no-color", "-input=false", *targets)
    return made


def test_the_module_is_formatted_and_every_variable_is_described():
    subprocess.run(["terraform", "fmt", "-check", "-recursive", MODULE], check=True)
    for name in ("variables", "outputs"):
        blocks = re.split(r"^(?:variable|output) ", (MODULE / f"{name}.tf").read_text(), flags=re.MULTILINE)[1:]
        assert blocks and [block.split('"')[1] for block in blocks if "description" not in block] == []


def test_the_program_delivers_with_the_outputs_and_rights_of_the_module(applied, tickwal, ministack, secrets, simulate):
    outputs = applied.outputs()
    iam = ministack.client("iam")
    [role] = outputs["roles"].values()
    name = role.rsplit("/", 1)[1]
    answer = iam.get_role_policy(RoleName=name, PolicyName="tickwal")["PolicyDocument"]
    policy = json.loads(answer) if isinstance(answer, str) else answer
    expected = json.loads((ROOT / "deploy/iam/policy.json").read_text())
    assert [each["Sid"] for each in policy["Statement"]] == [each["Sid"] for each in expected["Statement"]]
    for default in ("crypto-live", "111122223333"):
        assert default not in json.dumps(policy)
    answer = iam.get_role_policy(RoleName=name, PolicyName="kinesis")["PolicyDocument"]
    assert "crypto-live" not in json.dumps(answer) and "terraform-ticks" in json.dumps(answer)

    # On an instance EC2 takes the role; here the administrator does, whom the role's trust must name for that.
    before = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    iam.update_assume_role_policy(
        RoleName=name, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )

    def keys_of_the_role() -> dict[str, str]:
        given = ministack.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        secrets.append(given["SecretAccessKey"])
        return Keys(given["AccessKeyId"], given["SecretAccessKey"]).environment | {"AWS_SESSION_TOKEN": given["SessionToken"]}

    environment = outputs["environment"]["1-1"] | {"AWS_ENDPOINT_URL": ministack.url, "BINANCE_WS_URL": simulate("--rate", "50")}
    assert environment["S3_BUCKET"] == BUCKET and environment["REGION"] == REGION
    tickwal.environment |= environment | {"S3_FILENAME": "odd", "WAL_PATH": str(tickwal.path)} | keys_of_the_role()
    checks = json.loads(tickwal.run_to_end("doctor", "--json").out)["checks"]
    assert [check for check in checks if check["verdict"] == "failed"] == []
    run = tickwal.start("run")
    run.wait_until(
        lambda: tickwal.log.head > 20 and set(tickwal.log.next_offsets()) == {"s3", "dynamodb", "kinesis"}
        and min(tickwal.log.next_offsets().values()) > 20, "delivers", 90)
    assert run.terminate().code == 0
    s3 = ministack.client("s3")
    assert s3.list_objects_v2(Bucket=BUCKET, Prefix="batch_jsonl/dt=")["KeyCount"] > 0
    assert ministack.client("dynamodb").scan(TableName=TABLE)["Count"] > 0

    # One right less, and it says which.
    less = policy | {"Statement": [each for each in policy["Statement"] if each["Sid"] != "WriteItems"]}
    iam.put_role_policy(RoleName=name, PolicyName="tickwal", PolicyDocument=json.dumps(less))
    try:
        file = tickwal.folder / "ticks.jsonl"
        file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(3)))
        tickwal.succeed("import", file)
        ship = tickwal.start("ship", **keys_of_the_role())
        ship.wait_until_said("dynamodb:UpdateItem")
        ship.kill()
    finally:
        iam.put_role_policy(RoleName=name, PolicyName="tickwal", PolicyDocument=json.dumps(policy))
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(before))


def test_what_an_instance_runs_at_its_start_is_valid(applied):
    outputs = applied.outputs()
    [text] = outputs["user_data"].values()
    path = applied.folder / "user-data"
    path.write_text(text)
    [volume] = outputs["volumes"].values()
    assert f"Amazon_Elastic_Block_Store_{volume.replace('-', '')}" in text
    assert "\n      NAME=test\n      SHARD=1\n      HTTP_LISTEN=127.0.0.1:9464\n" in text
    yaml = pytest.importorskip("yaml")
    assert set(re.findall(r"^(?:ExecStart|ExecStartPre)=\+?(\S+)", "\n".join(
        base64.b64decode(each["content"]).decode() for each in yaml.safe_load(text)["write_files"] if "encoding" in each
    ), re.MULTILINE)) <= {each["path"] for each in yaml.safe_load(text)["write_files"]} | {"/usr/sbin/resize2fs"}
    files = {each["path"]: each for each in yaml.safe_load(text)["write_files"]}
    # systemd takes a drop-in by its exact name, and says nothing of one for nobody.
    assert "/etc/systemd/system/dev-disk-by\\x2dlabel-tickwal.device.d/wait.conf" in files
    assert {path.name for path in (MODULE / "boot").iterdir()} - {Path(path).name for path in files} == {
        "cloud-init.yaml.tftpl", "device.conf"}
    assert {each[0] for each in yaml.safe_load(text)["runcmd"]} - {"systemctl", "systemd-run"} <= set(files)
    settings = base64.b64decode(files["/etc/default/tickwal"]["content"]).decode()
    assert "S3_FILENAME='it\\'s \\\\ odd'\n" in settings and f"S3_BUCKET='{BUCKET}'\n" in settings
    if not shutil.which("cloud-init"):
        pytest.skip("cloud-init is not here")
    done = subprocess.run(["cloud-init", "schema", "--config-file", path], capture_output=True, text=True)
    assert done.returncode == 0 and "Valid cloud-config" in done.stdout, done.stdout + done.stderr


def test_a_key_of_ones_own_may_be_used_for_the_volume_too(applied):
    """Planned: the rights that EBS asks for of whoever attaches a volume, with the key's and the region's names."""
    key = f"arn:aws:kms:{REGION}:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    names = ("iam_role_policy.kms", "iam_role_policy.snapshots_kms", "iam_role_policy.report", "ebs_volume.log")
    targets = [f"-target=module.tickwal.aws_{name}" for name in names]
    assert [each for each in changes(applied, *targets) if "kms" in each["address"]] == []
    planned = {each["address"]: each["change"]["after"] for each in changes(applied, *targets, "-var", f"kms_key_arn={key}")}
    policy = json.loads(planned['module.tickwal.aws_iam_role_policy.kms["1-1"]']["policy"])
    by_sid = {each["Sid"]: each for each in policy["Statement"]}
    assert {each["Resource"] for each in policy["Statement"]} == {key}
    assert by_sid["LetTheVolumeUseTheKey"]["Condition"] == {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    assert by_sid["LetTheVolumeUseTheKey"]["Action"] == "kms:CreateGrant"
    assert by_sid["AttachAnEncryptedVolume"]["Condition"] == {"StringEquals": {"kms:ViaService": f"ec2.{REGION}.amazonaws.com"}}
    # As the page of EBS lists them, beside kms:CreateGrant.
    assert set(by_sid["AttachAnEncryptedVolume"]["Action"]) == {
        "kms:DescribeKey", "kms:Decrypt", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncrypt*"}
    assert set(by_sid["ReadAndWriteWhatIsEncrypted"]["Action"]) == {"kms:GenerateDataKey", "kms:Decrypt"}
    assert planned['module.tickwal.aws_ebs_volume.log["1-1"]']["kms_key_id"] == key
    assert not any("snapshots" in name for name in planned)

    # So may who makes its snapshots, and nothing else with the key.
    more = ("-var", f"kms_key_arn={key}", "-var", "snapshots_kept=7")
    planned = {each["address"]: each["change"]["after"] for each in changes(applied, *targets, *more)}
    policy = json.loads(planned["module.tickwal.aws_iam_role_policy.snapshots_kms[0]"]["policy"])
    assert policy["Statement"] == [by_sid["AttachAnEncryptedVolume"], by_sid["LetTheVolumeUseTheKey"]]


def test_what_an_account_lacks_is_said_before_anything_is_made(applied):
    """deploy/terraform/tests, with a provider that answers as an account would."""
    version = json.loads(applied.run("version", "-json"))["terraform_version"]
    if tuple(map(int, version.split("-")[0].split(".")[:2])) < (1, 11):
        pytest.skip(f"this is Terraform {version}; what it says while planning can be set from 1.11 on")
    shutil.copytree(MODULE, module := applied.folder / "alone/deploy/terraform")
    shutil.copytree(ROOT / "deploy/iam", applied.folder / "alone/deploy/iam")
    for arguments in (["init", "-input=false", "-no-color"], ["test", "-no-color"]):
        said = applied.run(f"-chdir={module}", *arguments)
    assert re.search(r"Success! [1-9]\d* passed, 0 failed", said), said


@pytest.mark.skipif(not WHOLE, reason="takes minutes: make terraform-test")
def test_a_second_plan_is_empty_and_destroy_asks_first(applied, ministack):
    assert {change["type"] for change in changes(applied)} <= STAND_IN
    s3 = ministack.client("s3")
    s3.put_object(Bucket=BUCKET, Key="batch_jsonl/dt=2026-11-22/x", Body=b"x")
    before = applied.run("state", "list")
    said = applied.run("destroy", "-auto-approve", "-no-color", code=1)
    assert "The log, objects and items would be deleted. To do so, apply allow_destroy = true first." in said
    assert applied.run("state", "list") == before
    s3.head_object(Bucket=BUCKET, Key="batch_jsonl/dt=2026-11-22/x")
    applied.run("apply", "-auto-approve", "-no-color", "-var", "allow_destroy=true")
    applied.run("destroy", "-auto-approve", "-no-color", "-var", "allow_destroy=true")
    with pytest.raises(s3.exceptions.ClientError):
        s3.head_bucket(Bucket=BUCKET)


@pytest.mark.skipif(not WHOLE, reason="takes minutes: make terraform-test")
def test_several_recorders_are_one_more_variable(tmp_path, ministack):
    """Planned, not applied: two shards of two replicas each, with snapshots."""
    made = Terraform(tmp_path, ministack.url, ministack.admin)
    made.run("init", "-input=false", "-no-color")
    planned = [change for change in changes(made, "-var", "shards=2", "-var", "snapshots_kept=7")]
    assert {tuple(change["change"]["actions"]) for change in planned} == {("create",)}
    for kind in ("aws_ebs_volume", "aws_autoscaling_group", "aws_iam_role_policy.boot", "aws_dlm_lifecycle_policy"):
        own = [change for change in planned if kind in change["address"]]
        assert sorted(change["index"] for change in own) == ["1-1", "1-2", "2-1", "2-2"], kind
    shards = [change["change"]["after"] for change in planned if change["address"].startswith("module.tickwal.aws_cloudwatch_metric_alarm.shard")]
    assert [(each["dimensions"], each["treat_missing_data"]) for each in shards] == [
        ({"Name": "test", "Shard": shard}, "breaching") for shard in ("1", "2")]
    zones = {
        change["index"]: change["change"]["after"]["availability_zone"] for change in planned
        if change["type"] == "aws_ebs_volume"
    }
    assert zones["1-1"] == zones["2-1"] != zones["1-2"] == zones["2-2"]


def changes(terraform: Terraform, *arguments: str) -> list[dict]:
    terraform.run("plan", "-no-color", "-out=plan", *arguments)
    plan = json.loads(terraform.run("show", "-json", "plan"))
    return [each for each in plan["resource_changes"] if each["change"]["actions"] not in (["no-op"], ["read"])]
