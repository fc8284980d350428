"""Changes to bytes that find what a reader did not think of: seeded, so that every one can be made again."""

from collections.abc import Callable, Sequence
from random import Random

WORDS = [b"NaN", b"-Infinity", b"1e999", b"-0", b"9" * 400, b"18446744073709551616", b"-1", b"1.0", b"null", b"true",
         b'""', b"{}", b"[]", b'"\\ud800"', b'"\\u0000"', b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"\xef\xbb\xbf",
         b'"id":7,', b'"account":"nobody",', b'"action":{"action":"get"},', b'"../users/me"', b'"//evil.example"',
         b"66120934", b'"acme"', b"\r\n", b"%2e%2e%2f"]  # fmt: skip
DEEP = [b"[" * depth + b"]" * depth for depth in (10, 13, 990, 1023, 1025)]

Change = Callable[[Random, bytes, Sequence[bytes], Sequence[bytes]], bytes]


def changed(random: Random, raw: bytes, others: Sequence[bytes], words: Sequence[bytes] = WORDS) -> bytes:
    """The bytes, changed once to three times; `others` are what parts may come from, `words` what is put in."""
    for _ in range(random.randint(1, 3)):
        raw = random.choice(CHANGES)(random, raw, others, words) if raw else random.randbytes(8)
    return raw


def _flip(random: Random, raw: bytes, _others: Sequence[bytes], _words: Sequence[bytes]) -> bytes:
    flipped = bytearray(raw)
    for _ in range(random.randint(1, 8)):
        flipped[random.randrange(len(flipped))] ^= 1 << random.randrange(8)
    return bytes(flipped)


def _cut(random: Random, raw: bytes, _others: Sequence[bytes], _words: Sequence[bytes]) -> bytes:
    start, end = sorted((random.randrange(len(raw)), random.randrange(len(raw))))
    return raw[:start] + raw[end:]


def _splice(random: Random, raw: bytes, others: Sequence[bytes], _words: Sequence[bytes]) -> bytes:
    other = random.choice(others)
    return raw[: random.randrange(len(raw))] + other[random.randrange(len(other)) :]


def _insert(random: Random, raw: bytes, _others: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    at = random.randrange(len(raw))
    return raw[:at] + random.choice(words) + raw[at:]


def _other_value(random: Random, raw: bytes, _others: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """Another value after one of the colons, the rest as it was: JSON, more often than not."""
    parts = raw.split(b":")
    at = random.randrange(len(parts))
    _, comma, rest = parts[at].partition(b",")
    parts[at] = random.choice(random.choice([words, words, DEEP])) + comma + rest
    return b":".join(parts)


def _nest(random: Random, raw: bytes, _others: Sequence[bytes], _words: Sequence[bytes]) -> bytes:
    at, depth = random.randrange(len(raw)), random.choice([10, 13, 1023, 1025, 5000])
    opening, closing = random.choice([(b"[", b"]"), (b'{"a":', b"}")])
    return raw[:at] + opening * depth + b"1" + closing * depth + raw[at:]


def _twice(random: Random, raw: bytes, others: Sequence[bytes], _words: Sequence[bytes]) -> bytes:
    """Every key a second time, with other values."""
    return raw[:-1] + b"," + random.choice(others)[1:]


CHANGES: list[Change] = [
    _flip, _flip, _cut, _splice, _insert, _insert, _other_value, _other_value, _twice, _nest]  # fmt: skip
