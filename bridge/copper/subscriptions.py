"""Webhook subscriptions at Copper: list them, and make them what they should be.

Called by `bridge.app` for each account, now and then. What to do is decided by `policy.subscribing`; this carries it
out. Copper lists headers in clear, so nothing of its answers is put into words here.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bridge.copper import calls
from bridge.copper.client import CopperAccount
from bridge.policy.sightings import Lane, Trouble, Why
from bridge.policy.subscribing import Plan, Subscription, Synced, Wanted, plan


async def reconcile(
    account: CopperAccount,
    wanted: Sequence[Wanted],
    *,
    target: str | None,
    headers: Mapping[str, str],
    made: Collection[int] = (),
) -> Synced | Trouble:
    """List, plan, apply. Gives what was done, or the first trouble: doing it again goes on from there.

    `target` is the bridge's own address for this account and tells its subscriptions from everybody else's, as do the
    ids of those it has `made`; `headers` are what Copper sends with each notification.
    """
    existing = await listed(account)
    if isinstance(existing, Trouble):
        return existing
    todo = plan(wanted, existing, target=target, headers=headers, made=made)
    created = await apply(account, todo, target=target, headers=headers)
    if isinstance(created, Trouble):
        return created
    return Synced(todo, tuple(sorted((*todo.keep, *created))))


async def listed(account: CopperAccount) -> tuple[Subscription, ...] | Trouble:
    """Every subscription of the account, foreign ones too."""
    rows = await account.call(calls.list_subscriptions(), Lane.CHECKS)
    return rows if isinstance(rows, Trouble) else tuple(map(_subscription, rows))


async def apply(
    account: CopperAccount, todo: Plan, *, target: str | None, headers: Mapping[str, str]
) -> list[int] | Trouble:
    """Carry a plan out in its order, up to the first trouble; the ids of what was created.

    One that is already gone needs no deleting.
    """
    sent = {"target": target, "headers": dict(headers)}
    steps = [
        *(calls.update_subscription(number, sent) for number in todo.update),
        *(calls.delete_subscription(number) for number in todo.delete),
        *(calls.create_subscription({"type": each.entity, "event": each.event, **sent}) for each in todo.create),
    ]
    created = []
    for step in steps:
        answer = await account.call(step, Lane.CHECKS)
        if isinstance(answer, Trouble) and not (step.method == "DELETE" and answer.why is Why.NOT_FOUND):
            return answer
        if step.method == "POST" and not isinstance(answer, Trouble):
            created.append(int(answer["id"]))
    return created


def _subscription(row: Mapping[str, Any]) -> Subscription:
    headers = row.get("headers")
    return Subscription(
        id=row["id"],
        target=str(row.get("target")),
        entity=str(row.get("type")),
        event=str(row.get("event")),
        headers={str(name): str(value) for name, value in headers.items()} if isinstance(headers, dict) else {},
    )
