"""Writes the published contract, `topics/`, from the catalogue: schemas, examples and the AsyncAPI document.

    python -m bridge.contract.publish          writes what differs
    python -m bridge.contract.publish --check  names what differs and exits with 1 if anything does

For maintainers and the tests; the bridge itself needs the catalogue alone.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import yaml

from bridge.contract.asyncapi import document
from bridge.contract.catalogue import topics_root
from bridge.contract.examples import examples
from bridge.contract.schemas import documents

_HEAD = b"# Made from catalogue.toml by: python -m bridge.contract.publish\n"


class _Plain(yaml.SafeDumper):
    """YAML without anchors: shared parts are written out."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def files() -> dict[Path, bytes]:
    """Everything that is made, by its path inside `topics/`."""
    schemas = {Path("schemas", f"{name}.json"): _json(schema) for name, schema in documents().items()}
    shown = {Path("examples", f"{each.name}.json"): _json(each.document()) for each in examples()}
    told = yaml.dump(document(), Dumper=_Plain, sort_keys=False, width=120, allow_unicode=True, encoding="utf-8")
    return {**schemas, **shown, Path("asyncapi.yaml"): _HEAD + told}


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def differing(root: Path, wanted: Mapping[Path, bytes]) -> list[Path]:
    """Paths that are missing, differ, or lie in a directory of made files without being made any more."""
    there = {path.relative_to(root) for made in ("schemas", "examples") for path in (root / made).glob("*")}
    stale = there - wanted.keys()
    return sorted(stale | {path for path, content in wanted.items() if _content(root / path) != content})


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _write(root: Path, path: Path, content: bytes | None) -> None:
    target = root / path
    if content is None:
        target.unlink()
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bridge.contract.publish", description="Write topics/.")
    parser.add_argument("--check", action="store_true", help="write nothing, name what differs")
    check = parser.parse_args(arguments).check
    root, wanted = topics_root(), files()
    found = differing(root, wanted)
    for path in found:
        if not check:
            _write(root, path, wanted.get(path))
        sys.stdout.write(f"{'differs' if check else 'written'}: {root.name}/{path}\n")
    return 1 if check and found else 0


if __name__ == "__main__":
    sys.exit(main())
