"""The ledger against a real Kafka: what is committed is known, what is not is not, and a fence holds."""

import asyncio

import pytest
from aiokafka.producer import sender

from bridge.contract.records import Outgoing
from bridge.kafka.ledger import Draft
from bridge.policy.sessions import Ending, RecordTooLarge, SessionEnded
from tests.integration.kafka.conftest import SHARD, Desk


async def test_what_is_committed_is_in_the_log_and_in_the_memory(desk: Desk) -> None:
    memory = desk.memory()
    ledger, _ = await desk.session(memory)

    await ledger.commit(desk.write(1, 2))

    assert memory.known.count("company") == 2
    kept = memory.known.record("company", "acme/2")
    assert kept is not None
    assert (kept.value, kept.modified, kept.hash) == (b"{}", 1002, "0123456789abcdef")
    await ledger.close()  # a reader sees records once the markers are written; a fence waits for them
    await desk.session(desk.memory("successor"))
    assert await desk.committed(desk.names.changes("company")) == ["acme/1", "acme/2"]


async def test_writers_that_wait_share_a_transaction_and_see_each_others_drafts(desk: Desk) -> None:
    memory = desk.memory()
    ledger, _ = await desk.session(memory)
    seen: list[int] = []

    def counting(number: int) -> None:
        def write(draft: Draft) -> None:
            seen.append(memory.drafted.count("company"))
            draft.add(desk.state(number))

        writers.append(ledger.commit(write))

    writers: list[object] = []
    for number in range(5):
        counting(number)
    await asyncio.gather(*writers)  # type: ignore[call-overload]

    assert seen == [0, 1, 2, 3, 4]
    assert desk.outcomes.count("committed") == 1


async def test_a_reader_of_the_memory_sees_nothing_before_the_commit(desk: Desk) -> None:
    memory = desk.memory()
    ledger, _ = await desk.session(memory)
    before: list[int] = []

    def write(draft: Draft) -> None:
        draft.add(desk.state(1))
        before.append(memory.known.count("company"))

    await ledger.commit(write)

    assert before == [0]
    assert memory.known.count("company") == 1


async def test_a_writer_that_fails_takes_only_its_own_records_with_it(desk: Desk) -> None:
    memory = desk.memory()
    ledger, _ = await desk.session(memory)

    def failing(draft: Draft) -> None:
        draft.add(desk.state(7))
        raise ValueError("no good")

    good, bad = ledger.commit(desk.write(1)), ledger.commit(failing)
    results = await asyncio.gather(good, bad, return_exceptions=True)

    assert isinstance(results[1], ValueError)
    assert memory.known.record("company", "acme/7") is None
    assert memory.known.record("company", "acme/1") is not None


async def test_an_oversize_record_is_refused_before_it_can_fail_a_transaction(desk: Desk) -> None:
    ledger, _ = await desk.session(desk.memory())

    with pytest.raises(RecordTooLarge):
        await ledger.commit(lambda draft: draft.add(desk.change(1, size=3_000_000)))

    await ledger.commit(desk.write(2))


async def test_a_batch_the_broker_refuses_commits_nothing_and_ends_the_session(desk: Desk) -> None:
    """aiokafka's commit_transaction returns without an error although a batch failed: every future is awaited first."""
    memory = desk.memory()
    ledger, running = await desk.session(memory)

    def write(draft: Draft) -> None:
        draft.add(desk.state(1))
        draft.add(desk.change(1, size=1_500_000))  # this topic takes a megabyte

    with pytest.raises(SessionEnded) as ended:
        await ledger.commit(write)

    assert ended.value.ending is Ending.IN_DOUBT
    assert memory.known.count("company") == 0
    with pytest.raises(SessionEnded):
        await running
    await desk.session(memory)
    assert memory.known.count("company") == 0
    assert await desk.committed(desk.names.state("company")) == []


async def test_a_large_transaction_goes_out_in_several_batches_in_order(desk: Desk) -> None:
    memory = desk.memory()
    ledger, _ = await desk.session(memory)

    def write(draft: Draft) -> None:
        for number in range(40):
            draft.add(desk.change(number, size=60_000))
        draft.add(desk.state(1))

    await ledger.commit(write)
    await desk.session(desk.memory("successor"))

    assert await desk.committed(desk.names.changes("company")) == [f"acme/{number}" for number in range(40)]


async def test_a_fenced_session_can_commit_nothing_more(desk: Desk) -> None:
    memory = desk.memory()
    ledger, running = await desk.session(memory)
    await ledger.commit(desk.write(1))
    successor = desk.memory("successor")
    await desk.session(successor)

    with pytest.raises(SessionEnded) as ended:
        await ledger.commit(desk.write(2))

    assert ended.value.ending is Ending.FENCED
    with pytest.raises(SessionEnded):
        await running
    assert successor.known.count("company") == 1
    assert await desk.committed(desk.names.changes("company")) == ["acme/1"]


async def test_a_slow_commit_is_followed_by_a_new_producer_and_work_goes_on(desk: Desk) -> None:
    memory = desk.memory()
    ledger, _ = await desk.session(memory, doubt_seconds=0.0)

    for number in range(3):
        await ledger.commit(desk.write(number))

    assert desk.outcomes.count("renewed") >= 2
    assert memory.known.count("company") == 3


async def test_who_has_lost_the_shard_does_not_fence_its_successor_after_a_slow_commit(desk: Desk) -> None:
    ledger, running = await desk.session(desk.memory(), doubt_seconds=0.0, held=lambda: False)

    with pytest.raises(SessionEnded) as ended:
        await ledger.commit(desk.write(1))

    assert ended.value.ending is Ending.LOST
    assert "renewed" not in desk.outcomes
    with pytest.raises(SessionEnded):
        await running
    successor = desk.memory("successor")
    await desk.session(successor)
    assert successor.known.count("company") == 1, "what was committed stands"


async def test_a_renewal_that_finds_anothers_records_ends_the_session(desk: Desk) -> None:
    """Fenced and fenced back: between the two, somebody else was the owner and may know what we do not."""
    memory = desk.memory()
    ledger, running = await desk.session(memory, doubt_seconds=0.0)
    other, _ = await desk.session(desk.memory("other"))
    await other.commit(desk.write(9))

    with pytest.raises(SessionEnded):
        await ledger.commit(desk.write(1))

    with pytest.raises(SessionEnded):
        await running


async def test_a_new_session_replays_what_a_lost_memory_does_not_know(desk: Desk) -> None:
    ledger, _ = await desk.session(desk.memory())
    await ledger.commit(desk.write(1, 2, 3))
    await ledger.commit(lambda draft: draft.add(desk.state(2, None)))

    rebuilt = desk.memory("empty")
    await desk.session(rebuilt)

    assert rebuilt.known.count("company") == 2
    tombstone = rebuilt.known.record("company", "acme/2")
    assert tombstone is not None
    assert tombstone.value is None


async def test_a_warm_memory_replays_the_tail_only(desk: Desk) -> None:
    memory = desk.memory()
    ledger, _ = await desk.session(memory)
    await ledger.commit(desk.write(1))
    stale = dict(memory.offsets())
    await ledger.commit(desk.write(2))
    await desk.session(desk.memory("fence"))

    changelog = desk.changelog()
    _, ends = await changelog.bounds()
    replayed: list[bytes | None] = []
    count = await changelog.replay(stale, ends, lambda records, _ends: replayed.extend(r.key for r in records))

    assert (count, replayed) == (1, [b"acme/2"])


async def test_a_caller_that_goes_away_before_its_turn_leaves_nothing_behind(desk: Desk) -> None:
    memory = desk.memory()
    ledger, _ = await desk.session(memory)
    ready, impatient = ledger.commit(desk.write(1)), asyncio.create_task(ledger.commit(desk.write(2)))
    impatient.cancel()
    await asyncio.gather(ready, impatient, return_exceptions=True)

    await ledger.commit(desk.write(3))

    assert memory.known.record("company", "acme/2") is None
    assert memory.known.count("company") == 2


async def test_a_foreign_partition_is_chosen_as_kafkas_own_partitioner_does(desk: Desk) -> None:
    ledger, _ = await desk.session(desk.memory())
    foreign = Outgoing(desk.names.changes("person"), None, b"some key", b"{}")

    await ledger.commit(lambda draft: draft.add(foreign))
    await desk.session(desk.memory("fence"))

    # murmur2(b"some key") & 0x7fffffff is odd: partition 1 of 2
    assert await desk.committed(desk.names.changes("person")) == ["some key"]
    assert SHARD == 1


def test_the_private_pause_between_transactions_is_still_where_we_set_it() -> None:
    """Private to aiokafka 0.14: if this fails after an upgrade, measure back-to-back commits again."""
    assert sender.BACKOFF_OVERRIDE == 0.005


async def test_who_is_in_no_hurry_shares_the_transaction_of_who_comes_by_or_begins_one_in_time(desk: Desk) -> None:
    ledger, _ = await desk.session(desk.memory())
    patient = asyncio.create_task(ledger.commit(desk.write(1), within=3600))
    await asyncio.sleep(0)
    await ledger.commit(desk.write(2))
    await patient
    await ledger.commit(desk.write(3), within=0.05)
    waiting = asyncio.create_task(ledger.commit(desk.write(4), within=3600))
    await asyncio.sleep(0)
    await ledger.drained()
    await waiting
