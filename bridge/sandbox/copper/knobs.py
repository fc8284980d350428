"""The knobs of the Copper double and the accounts it is started with: plain values.

Set by whoever starts a double, changed while it runs through the control interface. Every default is the calm, correct
Copper; a test turns on the nastiness it wants. Knows nothing of the other modules.
"""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(slots=True)
class Knobs:
    """How nasty the double is. Times are seconds, probabilities 0..1."""

    index_lag: float = 0.0
    """A write shows in search after a time drawn uniformly from 0 to this (live Copper: up to ~40 s seen)."""
    delete_lag: float | None = None
    """The same for deletes, which linger in search meanwhile; None: as `index_lag`."""
    late_probability: float = 0.0
    """Share of writes that show in search only after `late_lag`, beyond every promise."""
    late_lag: float = 300.0
    unstable_ties: bool = True
    """Records with equal sort keys come in another order in every answer."""
    short_page_probability: float = 0.0
    """Share of pages that lose rows at their end although more rows follow."""
    total_over: int = 0
    """X-PW-TOTAL may exceed the truth by up to this."""
    search_depth: int = 100_000
    """Only so many records of one search can be reached by paging."""
    modified_filter_everywhere: bool = False
    """Accept `minimum_modified_date` on people and companies too, which Copper does not document."""
    upsert_reads_index: bool = False
    """Match upserts on the lagging index, so that two in a row may make twins."""
    enrichment: tuple[float, float] | None = None
    """Bounds of the time after a create at which Copper enriches the record, moving `date_modified`; None: off."""

    calls_per_minute: int | None = 180
    """Calls answered in any rolling 60 s per account before 429; None: no limit."""
    bulk_per_second: int | None = 3
    retry_after: int | None = None
    """Value of a `Retry-After` header on 429; Copper documents none."""
    rate_body: Literal["json", "empty", "html"] = "json"

    asks_consent: bool = False
    """The authorize page asks whose account it is, and Allow or Deny, as Copper's does; else it grants at once."""
    redirect_uri: str | None = None
    """The redirect address that is registered: no other is taken, not even a longer one; None: any."""

    webhook_delay: tuple[float, float] = (0.0, 0.0)
    """Bounds of the time from a change to its notification (Copper: up to 15 min)."""
    webhook_aggregation: float = 0.0
    """Changes of one subscription within this time share a notification, at most 30 ids."""
    webhook_drop: float = 0.0
    webhook_duplicate: float = 0.0
    webhook_reorder: float = 0.0
    """Share of notifications that are held back by up to `webhook_reorder_by` so that later ones overtake them."""
    webhook_reorder_by: float = 1.0
    webhook_redeliveries: int = 0
    """How often a notification is repeated while the target does not answer 2xx. Documented: 0; once seen: 8."""
    webhook_redelivery_after: float = 1.0
    webhook_timeout: float = 10.0
    webhook_allow_http: bool = True
    """Accept http targets, which Copper refuses, so that a bridge on this machine can be reached."""


@dataclass(slots=True)
class DoubleAccount:
    """A Copper account to begin with and the credentials it accepts."""

    name: str
    api_key: str = field(repr=False)
    user_email: str
    token: str | None = field(default=None, repr=False)
    """A Bearer token accepted besides the API key; more are handed out by the OAuth token endpoint."""
    leads_enabled: bool = True
    revoked: bool = False
