import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as murmur2_of_aiokafka
from hypothesis import given
from hypothesis import strategies as st

from bridge.contract.sharding import murmur2, partition_of, shard_of

# Kafka's own test vectors (UtilsTest.testMurmur2), signed there.
VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("data", "digest"), VECTORS.items())
def test_murmur2_gives_the_digests_that_kafkas_java_client_is_tested_with(data: bytes, digest: int) -> None:
    assert murmur2(data) == digest % 2**32


@given(st.binary(max_size=40))
def test_murmur2_agrees_with_a_client_library_on_any_bytes(data: bytes) -> None:
    assert murmur2(data) == murmur2_of_aiokafka(data) % 2**32


@given(st.binary(min_size=1, max_size=40), st.integers(1, 64))
def test_a_key_lies_where_the_default_partitioner_of_a_client_puts_it(key: bytes, partitions: int) -> None:
    everything = list(range(partitions))
    assert partition_of(key, partitions) == DefaultPartitioner()(key, everything, everything)


def test_a_producer_that_keys_by_the_accounts_name_hits_the_accounts_shard() -> None:
    assert shard_of("müller-söhne", 4) == DefaultPartitioner()("müller-söhne".encode(), [0, 1, 2, 3], [0, 1, 2, 3])
