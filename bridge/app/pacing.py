"""The pace of accounts' scans, as the settings have it. Joins settings, budgets, webhooks and `policy.pacing`."""

from collections.abc import Callable

from bridge.copper.client import CopperAccount
from bridge.policy.pacing import Intervals, Pace, intervals
from bridge.policy.sightings import Lane, Trouble
from bridge.policy.subscribing import Plan
from bridge.settings import Settings


def intervals_of(settings: Settings, entity: str) -> Intervals:
    """Of an entity. Without webhooks nobody tells what an idle entity would miss: it is not slowed down."""
    events = settings.events
    idle = None if settings.webhooks.public_url is None else events.poll_idle_every
    every = events.of(entity).poll_every or events.poll_every
    return intervals(
        every.total_seconds(),
        busy=None if events.poll_busy_every is None else events.poll_busy_every.total_seconds(),
        idle=None if idle is None else idle.total_seconds(),
    )


def following(pace: Pace, account: CopperAccount, entity: str) -> Callable[[bool], float]:
    """What `shard.polling` asks after each scan of the entity."""

    def interval(found: bool) -> float:
        return pace.after(entity, found=found, crowded=account.waiting()[Lane.POLLS] > 0)

    return interval


def told(settings: Settings, outcome: Plan | Trouble) -> bool:
    """Whether webhooks tell of all changes, by how subscriptions were found and left."""
    return settings.webhooks.public_url is not None and isinstance(outcome, Plan) and not outcome.refused
