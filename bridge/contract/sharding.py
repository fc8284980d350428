"""Which partition number an account has in every topic of the bridge.

Called wherever a record is written or judged to lie in the right place. It is the choice of Kafka's own default
partitioner for the account's name as key, so that any client that keys by the account hits the right shard at once.
"""

_SEED = 0x9747B28C
_MULTIPLIER = 0x5BD1E995
_WORD = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """MurmurHash2, 32 bits unsigned, with the seed Kafka's Java client uses."""
    length = len(data)
    whole = length & ~3
    digest = _SEED ^ length
    for start in range(0, whole, 4):
        word = int.from_bytes(data[start : start + 4], "little") * _MULTIPLIER & _WORD
        word = (word ^ word >> 24) * _MULTIPLIER & _WORD
        digest = digest * _MULTIPLIER & _WORD ^ word
    if whole < length:
        digest = (digest ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER & _WORD
    digest = (digest ^ digest >> 13) * _MULTIPLIER & _WORD
    return digest ^ digest >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """The partition Kafka's default partitioner gives a key: sign bit dropped, then the remainder by `partitions`."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def shard_of(account: str, partitions: int) -> int:
    """The shard of an account: the partition of its name as a key."""
    return partition_of(account.encode(), partitions)
