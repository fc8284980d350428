"""The list of tags with how often each is used. Called by `routes`."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from bridge.sandbox.copper.entities import PLURALS
from bridge.sandbox.copper.store import Store


def count(store: Store, query: Mapping[str, str]) -> list[Any]:
    """`GET /tags`: names only when `tag_names_only=true`, in order of name, or of use with `sort_by=count`."""
    used = {
        plural: Counter(tag for record in store.truth[entity.name].values() for tag in record["tags"])
        for plural, entity in PLURALS.items()
    }
    names = sorted({tag for counter in used.values() for tag in counter})
    rows = [
        {"name": name, "count": sum(counter[name] for counter in used.values())}
        | {f"count_{plural}": counter[name] for plural, counter in used.items()}
        for name in names
    ]
    if query.get("sort_by") == "count":
        rows.sort(key=lambda row: row["count"], reverse=True)
    return [row["name"] for row in rows] if query.get("tag_names_only") == "true" else rows
