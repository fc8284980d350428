"""What an update is about: an edit, or only what interactions and Copper's own enrichment leave behind.

Called by `policy.changes` for every update. Which fields are quiet is a column of the catalogue.
"""

from collections.abc import Sequence

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.events import ChangeClass
from bridge.policy.sightings import Record

ENRICHMENT_SECONDS = 10
"""After a record's creation: Copper's own samples show a derived website after 2 s, a lead's company after 6 s."""


def classify(entity: str, before: Record, after: Record, changed: Sequence[str]) -> ChangeClass:
    """The class of an update; `changed` as `contract.events.changed_fields` gives it.

    Enrichment fills what was empty, within seconds of the creation; everything else that is done to such fields, or
    later, is an edit.
    """
    fields = CATALOGUE.entities[entity].fields
    quiet = {fields[name].quiet if name in fields else None for name in changed}
    if not changed or not quiet <= {ChangeClass.INTERACTION.value, ChangeClass.ENRICHMENT.value}:
        return ChangeClass.EDIT
    if ChangeClass.ENRICHMENT.value not in quiet:
        return ChangeClass.INTERACTION
    young = after["date_modified"] - after["date_created"] <= ENRICHMENT_SECONDS
    enriched = [name for name in changed if fields[name].quiet == ChangeClass.ENRICHMENT]
    filled = all(not before.get(name) and after.get(name) for name in enriched)
    return ChangeClass.ENRICHMENT if young and filled else ChangeClass.EDIT
