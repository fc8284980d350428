"""A settings file to begin with: every group and key with its meaning and default, made from the models themselves.

Called by `config init`. What is a setting is commented out as `#key: value` and what explains it as `# Text`, so that
taking away one `#` says it. Secrets have no line of their own: they do not belong into a file.
"""

import textwrap
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from bridge.settings.reporting import Place, variable
from bridge.settings.showing import plain, written
from bridge.settings.whole import Settings

ACCOUNT = "acme"
_SAID = {("accounts", ACCOUNT, "user_email"): "ops@acme.example"}
"""What every file has to say in some way, and therefore is no comment."""
_WIDTH = 120
_HEAD = """\
# yaml-language-server: $schema=bridge.schema.json
# Editors complete and check this file with that line and: copper-bridge config schema > bridge.schema.json
#
# Settings of copper-bridge. What begins with # and no space behind it is a setting at its default: take the # away to
# change it. Durations carry a unit: 250ms, 15s, 5m, 6h, 2d. The environment wins over this file; secrets belong there,
# or into mounted files. What holds in the end, and why: copper-bridge config show
"""


def template() -> str:
    """The whole file. It can be used as it is, once the account's key is in its variable or secret file."""
    return "\n".join([*_HEAD.splitlines(), *_group(Settings, (), set())]) + "\n"


def _group(group: type[BaseModel], place: Place, explained: set[type[BaseModel]]) -> Iterator[str]:
    """The keys of a group. What another group of the same kind has explained is not explained again."""
    again = group in explained
    explained.add(group)
    for name, field in group.model_fields.items():
        yield from _key(field, (*place, name), explained, again=again)


def _key(field: FieldInfo, place: Place, explained: set[type[BaseModel]], *, again: bool) -> Iterator[str]:
    inner = _inner(field.annotation)
    words = field.description or (inner.__doc__ if inner else "") or ""
    if not again:
        yield from ([""] if len(place) == 1 else [])
        yield from _prose(words.partition("\n\n")[0], place)
    if inner is None:
        yield from _setting(field, place)
        return
    yield f"{_indent(place)}{place[-1]}:"
    if place == ("accounts",):
        place = (*place, ACCOUNT)
        yield from _prose("By a name of yours, [a-z0-9-]+; it is the key of the account's commands and events.", place)
        yield f"{_indent(place)}{ACCOUNT}:"
    yield from _group(inner, place, explained)


def _setting(field: FieldInfo, place: Place) -> Iterator[str]:
    if _is_secret(field.annotation):
        file = f"{'/'.join(place)} in secrets_dir{_by_name(field)}"
        yield from _prose(f"{place[-1]}: set {variable(place)}, or mount a file {file}.", place)
    elif place in _SAID:
        yield f"{_indent(place)}{place[-1]}: {_SAID[place]}"
    else:
        yield f"{_indent(place)}#{place[-1]}: {written(plain(field.default))}"


def _by_name(field: FieldInfo) -> str:
    return ", each with __ and its name behind it" if isinstance(field.default, dict) else ""


def _prose(text: str, place: Place) -> list[str]:
    begin = f"{_indent(place)}# "
    return textwrap.wrap(" ".join(text.split()), _WIDTH, initial_indent=begin, subsequent_indent=begin)


def _indent(place: Place) -> str:
    return "  " * (len(place) - 1)


def _inner(annotation: Any) -> type[BaseModel] | None:
    """The group that an annotation speaks of: itself, or inside `dict[…]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _inner(part))), None)


def _is_secret(annotation: Any) -> bool:
    """Whether an annotation speaks of a secret, or of several."""
    return annotation is SecretStr or any(map(_is_secret, get_args(annotation)))
