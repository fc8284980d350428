"""Checks of the cluster: is it reached, what may this user do there, are the topics as they must be.

Called by `bridge.app.checking` with what `bridge.kafka` has found and tried. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bridge.policy.checks import Line, Part, fine, some, warning, wrong
from bridge.policy.topics import APPLY, SAFE_REPLICAS, Difference, Missing

Manage = Literal["create", "verify", "off"]


@dataclass(frozen=True, slots=True)
class Tried:
    """What was tried: each thing with the error that refused it, and nothing about what was let through."""

    transaction: str = ""
    writes: Mapping[str, str] = field(default_factory=dict)
    reads: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)


def unreached(servers: str, why: str) -> Line:
    """Why Kafka cannot be used at all."""
    fix = (
        "make kafka.bootstrap_servers, security_protocol and credentials those of a listener that this machine reaches"
    )
    return wrong(Part.KAFKA, f"{servers} cannot be used: {why}", fix)


def permissions(tried: Tried, *, instance: str, prefix: str, topics: int) -> Iterator[Line]:
    """What this user may do, in the words of kafka-acls. `topics` are there to try it on."""
    wanted = (
        ("begin and abort a transaction", _one(tried.transaction), f"Write on transactional ids like {instance}.*"),
        ("write to the topics", tried.writes, f"Write on topics like {prefix}.*"),
        ("read the topics", tried.reads, f"Read on topics like {prefix}.*"),
        ("take part in the groups", tried.groups, f"Read on the groups {instance} and {instance}-positions"),
    )
    for what, refused, fix in wanted:
        if refused:
            yield wrong(Part.KAFKA, f"may not {what}: {_refusals(refused)}", f"allow {fix} to this user")
    if not any(refused for _, refused, _ in wanted):
        yield fine(Part.KAFKA, f"may begin transactions, take part in the groups, and read and write {topics} topics")


def brokers(count: int, servers: str) -> Line:
    """That the cluster is reached."""
    return fine(Part.KAFKA, f"{count} broker{'' if count == 1 else 's'} at {servers}")


def topics(
    differ: Sequence[Difference], *, count: int, replicas: int, manage: Manage, refusals: Sequence[str] = ()
) -> Iterator[Line]:
    """Whether the topics are as they must be. `refusals` are why those missing could not be made."""
    missing = [each for each in differ if isinstance(each, Missing)]
    if missing:
        yield _missing([each.topic for each in missing], manage, refusals)
    for (what, fix, vital), names in _alike(each for each in differ if not isinstance(each, Missing)).items():
        judge = wrong if vital else warning
        yield judge(Part.TOPICS, f"{some(names)}: {what}", fix)
    if not differ:
        yield fine(Part.TOPICS, f"all {count} topics are as they should be")
    if replicas < SAFE_REPLICAS:
        fix = f"three brokers, and topics.replication_factor: {SAFE_REPLICAS} before the topics are made"
        yield warning(
            Part.TOPICS, f"topics.replication_factor is {replicas}: a broker that fails may lose records", fix
        )


def _missing(names: Sequence[str], manage: Manage, refusals: Sequence[str]) -> Line:
    if refusals:
        fix = "allow Create, or set topics.replication_factor to what the brokers can hold, or have the topics made"
        return wrong(Part.TOPICS, f"{len(names)} topics are missing and cannot be made: {refusals[0]}", fix)
    if manage == "create":
        return fine(Part.TOPICS, f"{len(names)} topics are missing and will be made at the start")
    return wrong(Part.TOPICS, f"{len(names)} topics are missing: {some(names)}", APPLY)


def _alike(differ: Iterable[Difference]) -> dict[tuple[str, str, bool], list[str]]:
    found: dict[tuple[str, str, bool], list[str]] = {}
    for each in differ:
        found.setdefault((each.what, each.fix, each.vital), []).append(each.topic)
    return found


def _one(refusal: str) -> Mapping[str, str]:
    return {"": refusal} if refusal else {}


def _refusals(refused: Mapping[str, str]) -> str:
    by_error: dict[str, list[str]] = {}
    for name, error in refused.items():
        by_error.setdefault(error, []).append(name)
    return "; ".join(f"{error} {some(names)}".rstrip() for error, names in by_error.items())
