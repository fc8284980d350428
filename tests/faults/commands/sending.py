"""Sending orders: the records they are about, and each command's bytes, headers, key and time."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from aiokafka import AIOKafkaProducer

from bridge.contract.commands import encode
from bridge.contract.records import Headers, Position
from bridge.contract.topics import TopicNames
from tests.faults.commands.orders import Order, Twist, email_of, name_of
from tests.faults.traffic import SINCE


async def send(
    producer: AIOKafkaProducer,
    names: TopicNames,
    rows: Sequence[Order],
    random: Random,
    sent: Mapping[Order, list[Position]],
) -> None:
    """Put an account's orders on their topics, each at its time, as often as it says; `sent` is told where they lie."""
    began, records = time.monotonic(), {}
    due = [(at_s, each) for each in rows for at_s in each.at_s]
    for at_s, order in sorted(due, key=lambda row: row[0]):
        await asyncio.sleep(began + at_s - time.monotonic())
        if order not in records:
            records[order] = _encoded(order)
        value, headers = records[order]
        key = f"stray {random.random()}" if order.stray else order.account
        topic = names.commands(order.entity)
        lies = await producer.send_and_wait(topic, value, key=key.encode(), headers=list(headers))
        sent[order].append(Position(topic, lies.partition, lies.offset))


def old_records(entity: str, count: int) -> list[dict[str, Any]]:
    """Records that always were there; old people have addresses."""
    rows = [{"name": name_of(entity, number), "date_created": SINCE, "date_modified": SINCE} for number in range(count)]
    if entity != "person":
        return rows
    return [row | {"emails": [{"email": email_of(number), "category": "work"}]} for number, row in enumerate(rows)]


def _encoded(order: Order) -> tuple[bytes, Headers]:
    account = "nobody" if order.twist is Twist.FOREIGN else order.account
    deadline = None if order.deadline_s is None else time.time() + order.deadline_s
    value, headers = encode(
        order.action,
        account=account,
        command_id=order.id,
        deadline=deadline,
        lane=order.lane,
        reply_topic=order.reply_to,
        **order.members,
    )
    return (b"{garbled" if order.twist is Twist.GARBLED else value), headers
