"""Every request is signed as botocore would sign it, with keys from wherever AWS's own tools find them."""

import base64
import itertools
import json
import os
import random
import time

import pytest

from support.gateway import CheckingGateway, Key, Metadata
from support.ticks import combined, mini_tickers, odd_events

SECONDS = float(os.environ.get("KEYS_SECONDS", "40"))
"""How long keys expire and the metadata service fails; ten minutes for a thorough run."""


@pytest.fixture
def gateway(ministack, secrets):
    between = CheckingGateway(ministack.port)
    yield between
    between.stop()
    secrets.extend(between.handed_out)


@pytest.fixture
def session(ministack, secrets):
    """Makes keys of a role that may do everything, as STS hands them out; they end when the test says."""
    iam, sts = ministack.client("iam"), ministack.client("sts")
    secrets.append(Metadata.TOKEN)
    name = f"role-{random.randrange(1 << 40)}"
    trust = [
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::000000000000:oidc-provider/oidc.example"},
         "Action": "sts:AssumeRoleWithWebIdentity"},
    ]
    arn = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust})
    )["Role"]["Arn"]
    may = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam.put_role_policy(
        RoleName=name, PolicyName="all", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [may]})
    )
    numbers = itertools.count(1)

    def make(seconds: float | None = None) -> Key:
        got = sts.assume_role(RoleArn=arn, RoleSessionName=f"s{next(numbers)}")["Credentials"]
        secrets.extend([got["SecretAccessKey"], got["SessionToken"]])
        # Whole seconds, as the metadata service writes them.
        expires = int(time.time() + seconds) if seconds else None
        return Key(got["AccessKeyId"], got["SecretAccessKey"], got["SessionToken"], expires)

    make.arn = arn
    return make


def place_environment(place, gateway) -> dict[str, str]:
    """Where everything is, without keys."""
    environment = place.environment(gateway.url)
    return {name: value for name, value in environment.items() if not name.startswith("AWS_ACCESS") and "SECRET_ACCESS" not in name}


def ship(tickwal, exchange, count: int = 120, **environment: str):
    """Runs until this many ticks are delivered."""
    ticks = mini_tickers(count - len(odd_events())) + odd_events()
    run = tickwal.start("run", BINANCE_WS_URL=exchange.url, **environment)
    for tick in ticks:
        exchange.client().send(combined(*tick).encode())
    run.wait_until(lambda: tickwal.log.is_shipped(count), "all is shipped")
    return run


@pytest.mark.parametrize("encryption", [{}, {"S3_SSE": "AES256"}])
def test_botocore_would_sign_every_request_the_same(tickwal, make_place, make_exchange, gateway, encryption):
    place = make_place("btcusdt@miniTicker")
    gateway.know(Key(place.keys.id, place.keys.secret))
    run = ship(
        tickwal, make_exchange(), S3_JSONL_DIR_PATH="a=b/é+ ü:%41/~x'(y)*&,;@$", S3_FILENAME="né me",
        **place.environment(gateway.url), **encryption,
    )
    run.terminate()
    # Once more from the start: the objects are there, so that each is looked at.
    replayed = tickwal.run_to_end(
        "replay", "--from-offset", "1", "--to", "s3", S3_JSONL_DIR_PATH="a=b/é+ ü:%41/~x'(y)*&,;@$",
        S3_FILENAME="né me", **place.environment(gateway.url), **encryption,
    )
    assert replayed.code == 0, replayed.err
    assert gateway.complaints == []
    operations = {seen.operation for seen in gateway.seen}
    assert {"PutObject", "GetObject", "HeadObject", "UpdateItem", "GetSecretValue"} <= operations, operations
    header = "x-amz-server-side-encryption"
    for seen in gateway.seen:
        wanted = encryption.get("S3_SSE") if seen.operation == "PutObject" else None
        assert seen.headers.get(header) == wanted, seen
    assert any("/_logs/" in seen.path for seen in gateway.seen if seen.operation == "PutObject")


def test_the_gateway_refuses_what_is_signed_wrongly(gateway, ministack):
    """The check above is worth nothing if it cannot fail."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError

    gateway.know(Key("AKIDTEST", "right"))
    for secret, refused in (("wrong", True), ("right", False)):
        client = boto3.client(
            "dynamodb", endpoint_url=gateway.url, region_name="ap-southeast-1", aws_access_key_id="AKIDTEST",
            aws_secret_access_key=secret, config=Config(retries={"max_attempts": 1}),
        )
        with pytest.raises(ClientError):
            client.describe_table(TableName="absent")
        assert bool(gateway.complaints) == refused
        gateway.seen.clear()


def test_a_role_is_assumed_with_the_keys_of_another_profile(tickwal, make_place, make_exchange, gateway, session, ministack, tmp_path):
    place = make_place("btcusdt@miniTicker")
    gateway.know(Key(ministack.admin.id, ministack.admin.secret))
    config = tmp_path / "credentials-config"
    config.write_text(
        f"[profile ship]\nrole_arn = {session.arn}\nsource_profile = admin\nduration_seconds = 900\n"
        f"[profile admin]\naws_access_key_id = {ministack.admin.id}\naws_secret_access_key = {ministack.admin.secret}\n"
    )
    # Keys that STS makes for tickwal itself are unknown to the gateway: behind it MiniStack checks them.
    run = ship(
        tickwal, make_exchange(), PIPELINE_IAM_USER="ship", AWS_CONFIG_FILE=str(config),
        **(place_environment(place, gateway) | {"AWS_ENDPOINT_URL": ministack.url, "AWS_ENDPOINT_URL_STS": gateway.url}),
    )
    run.terminate()
    assert {seen.operation for seen in gateway.seen} == {"AssumeRole"}
    assert gateway.complaints == [] and len(gateway.handed_out) >= 2


def test_a_process_hands_out_keys(tickwal, make_place, make_exchange, gateway, session, tmp_path):
    place = make_place("btcusdt@miniTicker")
    key = session()
    gateway.know(key)
    document = {"Version": 1, "AccessKeyId": key.id, "SecretAccessKey": key.secret, "SessionToken": key.token}
    (tmp_path / "credentials.json").write_text(json.dumps(document))
    config = tmp_path / "credentials-config"
    config.write_text(f"[default]\ncredential_process = /bin/cat '{tmp_path}/credentials.json'\n")
    run = ship(tickwal, make_exchange(), AWS_CONFIG_FILE=str(config), **place_environment(place, gateway))
    run.terminate()
    assert gateway.complaints == []


def test_a_token_of_somebody_else_is_worth_a_role(tickwal, make_place, make_exchange, gateway, session, tmp_path, secrets, ministack):
    place = make_place("btcusdt@miniTicker")
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, {"iss": "https://oidc.example", "sub": "pod"})]
    jwt = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + ".webidentitytoken"
    secrets += [jwt, "webidentitytoken"]
    token = tmp_path / "credentials-token"
    token.write_text(jwt + "\n")
    run = ship(
        tickwal, make_exchange(), AWS_WEB_IDENTITY_TOKEN_FILE=str(token), AWS_ROLE_ARN=session.arn, LOG_LEVEL="trace",
        **(place_environment(place, gateway) | {"AWS_ENDPOINT_URL": ministack.url, "AWS_ENDPOINT_URL_STS": gateway.url}),
    )
    run.terminate()
    assert [seen.operation for seen in gateway.seen] == ["AssumeRoleWithWebIdentity"]
    assert gateway.complaints == []


def test_a_container_hands_out_keys(tickwal, make_place, make_exchange, gateway, session, secrets):
    place = make_place("btcusdt@miniTicker")
    secrets.append("containertoken")
    key = session(3_600)
    gateway.know(key)
    metadata = Metadata(lambda: key)
    try:
        run = ship(
            tickwal, make_exchange(), AWS_CONTAINER_CREDENTIALS_FULL_URI=metadata.url + "/v1/credentials?id=7",
            AWS_CONTAINER_AUTHORIZATION_TOKEN="containertoken", **place_environment(place, gateway),
        )
        run.terminate()
    finally:
        metadata.stop()
    assert gateway.complaints == [] and metadata.asked == 1


def test_a_role_that_may_not_be_assumed_and_a_circle_are_named(tickwal, make_place, simulate, ministack, tmp_path):
    place = make_place("btcusdt@miniTicker")
    config = tmp_path / "credentials-config"
    config.write_text(
        "[profile absent]\nrole_arn = arn:aws:iam::000000000000:role/absent\nsource_profile = user\n"
        f"[profile user]\naws_access_key_id = {place.keys.id}\naws_secret_access_key = {place.keys.secret}\n"
        "[profile one]\nrole_arn = arn:x\nsource_profile = two\n[profile two]\nrole_arn = arn:x\nsource_profile = one\n"
        "[profile sso]\nsso_session = mine\n"
    )
    environment = {**place.environment(ministack.url), "AWS_CONFIG_FILE": str(config), "BINANCE_WS_URL": simulate()}
    for profile, words in (
        ("absent", b"role/absent cannot be assumed"), ("one", b"circle: one, two, one"),
        ("sso", b"aws configure export-credentials --profile sso"),
    ):
        ended = tickwal.run_to_end("doctor", PIPELINE_IAM_USER=profile, **environment)
        assert ended.code == 1 and words in ended.out, ended.out


def test_keys_that_expire_all_the_time_from_a_service_that_fails_half_the_time(
    tickwal, make_place, make_exchange, gateway, session
):
    place = make_place("btcusdt@miniTicker")
    # Half of the requests fail, one alone and three in a row.
    fails = itertools.cycle([True, False, True, True, True, False, False, False])
    moods = itertools.cycle([500, b"garbage", 503, b'{"Code":"Failed"}', b""])
    handed_out = []

    def make() -> Key:
        key = session(15)
        gateway.know(key)
        handed_out.append(key)
        return key

    metadata = Metadata(make, lambda number: next(moods) if next(fails) else None)
    exchange = make_exchange()
    try:
        run = tickwal.start(
            "run", BINANCE_WS_URL=exchange.url, AWS_EC2_METADATA_SERVICE_ENDPOINT=metadata.url,
            AWS_EC2_METADATA_DISABLED="false", LOG_LEVEL="debug",
            MAX_BATCH_SIZE="10", **place_environment(place, gateway),
        )
        begun, latest, sent = time.monotonic(), 0.0, 0
        ticks = mini_tickers(20_000)
        while time.monotonic() < begun + SECONDS:
            for _ in range(10):
                exchange.client().send(combined(*ticks[sent % len(ticks)]).encode())
                sent += 1
            asked = time.monotonic()
            run.wait_until(lambda: tickwal.log.is_shipped(sent), f"{sent} ticks are shipped", 30)
            latest = max(latest, time.monotonic() - asked)
            time.sleep(0.2)
        run.terminate()
    finally:
        metadata.stop()
    print(f"{sent} ticks, {len(handed_out)} keys, {metadata.failed} of {metadata.asked} requests for keys failed, "
          f"slowest delivery {latest:.1f} s, {len(gateway.complaints)} refusals")
    assert len(handed_out) >= SECONDS / 15 and metadata.failed > 0
    assert not [complaint for complaint in gateway.complaints if "expired" not in complaint], gateway.complaints
    # A run of failures may outlast the keys; asked every second or more often, that is over soon.
    assert latest < 20
