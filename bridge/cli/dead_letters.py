"""`dlt ls`, `show` and `redrive`: dead letters from the terminal, through `bridge.client.dead_letters`."""

import contextlib
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from pathlib import Path
from typing import Any

import typer

from bridge.cli.arguments import commanded, instant, position
from bridge.cli.exits import Exit, exit_code
from bridge.cli.letters import letter_object, of_letter, of_step, page_of
from bridge.cli.reaching import Where
from bridge.client.dead_letters import Found, letters, redrive
from bridge.contract.catalogue import CATALOGUE
from bridge.contract.topics import TopicNames
from bridge.policy.redriving import Kept, Search, State, Step, decide

_USUAL = TopicNames()


def meant(
    *,
    entity: str | None = None,
    error: str | None = None,
    since: str | None = None,
    until: str | None = None,
    command_id: str | None = None,
    key: str | None = None,
    position: str | None = None,
    parked: bool = False,
    names: TopicNames = _USUAL,
) -> Search:
    """What the options ask for."""
    now = time.time()
    return Search(
        position=None if position is None else _place(position, names),
        entity=None if entity is None else commanded(entity),
        code=error,
        command_id=command_id,
        key=None if key is None else key.encode(),
        since_ms=None if since is None else round(instant(since, now) * 1000),
        until_ms=None if until is None else round(instant(until, now) * 1000),
        parked=parked,
    )


def list_letters(where: Where, search: Search, *, every: bool, count: int | None, as_objects: bool) -> int:
    """Print the letters that are meant; the exit code."""

    async def work() -> int:
        listed = 0
        async with contextlib.aclosing(letters(where.kafka, where.names, search)) as found:
            async for each in _some(found, count, every=every):
                line = letter_object(each.letter, each.state) if as_objects else None
                typer.echo(line or of_letter(each.letter, each.state, time.time()))
                listed += 1
        if not listed:
            typer.echo("no such letters" if every else "no such letters wait", err=True)
        return Exit.OK

    return exit_code(work())


def show_letter(where: Where, position: str, *, value: bool, raw: bool) -> int:
    """Print one letter; the exit code."""

    async def work() -> int:
        search = Search(position=_place(position, where.names))
        found = [(each.letter, each.state) async for each in letters(where.kafka, where.names, search)]
        if not found:
            return _absent(position)
        ((letter, state),) = found
        if raw:
            sys.stdout.buffer.write(letter.command.value or b"")
        else:
            typer.echo("\n".join(page_of(letter, state, value=value)))
        return Exit.OK

    return exit_code(work())


def put_back(
    where: Where,
    search: Search,
    *,
    value: Path | None,
    limit: int,
    count: int | None,
    dry_run: bool,
    yes: bool,
) -> int:
    """Put the letters back that are meant, and print what became of each; the exit code."""
    if value is not None and search.position is None:
        raise typer.BadParameter("a mended value is for one letter: name its POSITION", param_hint="--value")
    mended = None if value is None else _bytes_of(value)

    async def plan() -> AsyncGenerator[Step | Kept]:
        """What is to be done with each letter that is meant, as they are read: there may be very many."""
        async with contextlib.aclosing(letters(where.kafka, where.names, search)) as found:
            async for each in _some(found, count, every=search.position is not None):
                letter, state = each.letter, each.state
                yield decide(letter, state, where.names, partitions=each.partitions, park_after=limit, value=mended)

    async def work() -> int:
        steps, code = 0, None
        async for each in plan():
            if dry_run or isinstance(each, Kept):
                code = max(code or Exit.OK, _told([each], ("would redrive", "would park")))
            steps += isinstance(each, Step)
        if dry_run or not steps:
            return _absent(search.position) if code is None else code
        if steps > 1 and not yes:
            raise typer.BadParameter(f"{steps} letters: look with --dry-run, then say --yes", param_hint="--yes")
        return max(code or Exit.OK, await _take(where, plan(), steps))

    return exit_code(work())


async def _some(found: AsyncIterable[Found], most: int | None, *, every: bool) -> AsyncGenerator[Found]:
    """The first so many, of all or of those that wait."""
    number = 0
    async for each in found:
        if every or each.state is State.WAITING:
            yield each
            number += 1
        if number == most:
            return


async def _take(where: Where, plan: AsyncGenerator[Step | Kept], most: int) -> int:
    """Take the first so many steps: what has come since they were counted is another matter."""

    async def steps() -> AsyncGenerator[Step]:
        left = most
        async for each in plan:
            if isinstance(each, Step):
                yield each
                left -= 1
            if not left:
                return

    code: int = Exit.OK
    async with contextlib.aclosing(plan), contextlib.aclosing(redrive(where.kafka, where.names, steps())) as done:
        async for taken in done:
            code = max(code, _told(taken))
    return code


def _told(taken: Sequence[Step | Kept], words: tuple[str, str] = ("redriven", "parked")) -> int:
    for each in taken:
        typer.echo(of_step(each, words), err=isinstance(each, Kept))
    return Exit.COMMAND if any(isinstance(each, Kept) for each in taken) else Exit.OK


def _absent(position: object) -> int:
    typer.echo("no such letters wait" if position is None else f"no dead letter at {position}", err=True)
    return Exit.OK if position is None else Exit.COMMAND


def _place(text: str, names: TopicNames) -> Any:
    return position(text, [names.parked, *map(names.dead_letters, CATALOGUE.entities)])


def _bytes_of(path: Path) -> bytes:
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}", param_hint="--value") from None
