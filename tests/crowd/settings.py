"""The settings of a bridge that serves a crowd: a file with the accounts, a directory with their tokens."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.crowd.copper import account_name, token_of

ENTITIES = 6


def settings(
    servers: str, base_url: str, prefix: str, *, accounts: int, partitions: int, every: float, directory: Path
) -> dict[str, Any]:
    """What all processes of one bridge share; the tokens are written to files below `directory`."""
    secrets = directory / "secrets"
    names = [account_name(number) for number in range(accounts)]
    for name in names:
        (secrets / "accounts" / name).mkdir(parents=True)
        (secrets / "accounts" / name / "access_token").write_text(token_of(name))
    return {
        "instance": prefix,
        "copper": {"base_url": base_url},
        "accounts": {name: {} for name in names},
        "kafka": {"bootstrap_servers": servers},
        "topics": {"prefix": prefix, "partitions": partitions, "replication_factor": 1},
        "events": {"poll_every": f"{every:g}s"},
        "log": {"format": "json"},
        "secrets_dir": str(secrets),
    }


def snapshots_done(lines: list[dict[str, Any]]) -> Mapping[tuple[str, str], int]:
    """Account and entity to the records of its first snapshot, as the log tells."""
    done = (line for line in lines if line["event"] == "snapshot.done")
    return {(line["account"], line["entity"]): line["records"] for line in done}
