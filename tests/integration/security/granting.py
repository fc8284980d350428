"""Grants as ACLs of a broker."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from bridge.contract.grants import Grant

_OPERATIONS = {
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "Create": AclOperation.CREATE,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
}
_RESOURCES = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional-id": ResourceType.TRANSACTIONAL_ID,
}


async def allow(admin: AdminClient, user: str, grants: Iterable[Grant]) -> None:
    """Let the user do exactly this, and nothing that was allowed before."""
    await asyncio.to_thread(_allow, admin, user, list(grants))


def _allow(admin: AdminClient, user: str, grants: list[Grant]) -> None:
    anything: Any = None  # in a filter that is any name, though its annotations know nothing of it
    everything = AclBindingFilter(
        ResourceType.ANY,
        anything,
        ResourcePatternType.ANY,
        f"User:{user}",
        anything,
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    for done in admin.delete_acls([everything]).values():
        done.result()
    bindings = list(_bindings(user, grants))
    if bindings:
        for done in admin.create_acls(bindings).values():
            done.result()


def _bindings(user: str, grants: list[Grant]) -> Iterator[AclBinding]:
    for grant in grants:
        pattern = ResourcePatternType.PREFIXED if grant.prefixed else ResourcePatternType.LITERAL
        for name in grant.names:
            for operation in grant.operations:
                yield AclBinding(
                    _RESOURCES[grant.resource],
                    name,
                    pattern,
                    f"User:{user}",
                    "*",
                    _OPERATIONS[operation],
                    AclPermissionType.ALLOW,
                )
