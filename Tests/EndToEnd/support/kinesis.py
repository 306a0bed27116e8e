"""A Kinesis stream of MiniStack's, and an endpoint before it that refuses a part of the records."""

import base64
import json
import random
import threading
from dataclasses import dataclass

from .gateway import _Handler, _Listening

PUT_RECORDS = "Kinesis_20131202.PutRecords"


@dataclass(frozen=True)
class Arrived:
    """A record of the stream, as it was put."""

    key: str
    data: bytes
    row: dict


class Stream:
    def __init__(self, stack, name: str, shards: int = 2):
        self.name = name
        self._client = stack.client("kinesis")
        self._client.create_stream(StreamName=name, ShardCount=shards)
        self._client.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})

    def arrived(self) -> list[Arrived]:
        """What is in it, in the order in which it came: sequence numbers of all its shards grow together here."""
        found = []
        for shard in self._client.list_shards(StreamName=self.name)["Shards"]:
            iterator = self._client.get_shard_iterator(
                StreamName=self.name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while True:
                answer = self._client.get_records(ShardIterator=iterator, Limit=1_000)
                found += answer["Records"]
                if not answer["Records"] and answer["MillisBehindLatest"] == 0:
                    break
                iterator = answer["NextShardIterator"]
        found.sort(key=lambda record: record["SequenceNumber"])
        return [Arrived(record["PartitionKey"], record["Data"], json.loads(record["Data"])) for record in found]


class RefusingKinesis(_Listening):
    """Refuses a share of the records of each request, half of them as throttled, and loses some answers to requests
    that were carried out."""

    def __init__(self, stack, share: float, lost: float = 0, seed: int = 1):
        self._client = stack.client("kinesis")
        self._share, self._lost = share, lost
        self._dice = random.Random(seed)
        self._lock = threading.Lock()
        self.sent = self.refused = self.requests = self.answers_lost = 0
        super().__init__()

    def _handle(self, handler: _Handler) -> None:
        body = json.loads(handler.body())
        assert handler.headers["X-Amz-Target"] == PUT_RECORDS
        records = body["Records"]
        with self._lock:
            codes = [self._code() for _ in records]
            is_lost = self._dice.random() < self._lost
            self.requests += 1
            self.sent += len(records)
            self.refused += sum(code is not None for code in codes)
            self.answers_lost += is_lost
        taken = [
            {"Data": base64.b64decode(record["Data"]), "PartitionKey": record["PartitionKey"]}
            for record, code in zip(records, codes) if code is None
        ]
        results = iter(self._client.put_records(StreamName=body["StreamName"], Records=taken)["Records"] if taken else [])
        if is_lost:
            handler.close_connection = True
            return
        told = [
            {"ErrorCode": code, "ErrorMessage": f"refused by {type(self).__name__}"} if code
            else {name: value for name, value in next(results).items() if name in ("SequenceNumber", "ShardId")}
            for code in codes
        ]
        answer = {"FailedRecordCount": len(records) - len(taken), "Records": told, "EncryptionType": "NONE"}
        handler.answer(200, json.dumps(answer).encode(), {"Content-Type": "application/x-amz-json-1.1"})

    def _code(self) -> str | None:
        number = self._dice.random()
        if number >= self._share:
            return None
        return "ProvisionedThroughputExceededException" if number < self._share / 2 else "InternalFailure"
