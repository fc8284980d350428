"""Dead letters as text: a line, a page, a JSON object. Any bytes give text that does no harm to a terminal. Pure."""

from collections.abc import Iterator

import orjson

from bridge.contract.announcements import Told
from bridge.contract.dead_letters import Letter
from bridge.contract.moments import utc
from bridge.policy.redriving import Kept, State, Step

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def of_letter(letter: Letter, state: State, now: float) -> str:
    """`copper.lead.commands-dlt-1-42  3h  invalid  1 redrive  waiting  The command breaks its schema: …`."""
    times = f"{letter.redrives} redrive{'' if letter.redrives == 1 else 's'}"
    age = _age(now - letter.record.timestamp_ms / 1000)
    return f"{letter.position}  {age}  {safe(letter.code)}  {times}  {state}  {safe(letter.message)}"


def letter_object(letter: Letter, state: State) -> str:
    """The same as a line of JSON."""
    return orjson.dumps(
        {
            "position": str(letter.position),
            "written": utc(letter.record.timestamp_ms / 1000),
            "entity": letter.entity,
            "command": str(letter.command.position),
            "command_id": letter.command_id,
            "key": None if letter.command.key is None else shown(letter.command.key),
            "error": letter.code,
            "message": letter.message,
            "redrives": letter.redrives,
            "state": state,
            "truncated": letter.truncated,
        }
    ).decode()


def page_of(letter: Letter, state: State, *, value: bool) -> Iterator[str]:
    """Everything about a letter, a fact a line, the command's value last."""
    command = letter.command
    rows = {
        "letter": str(letter.position),
        "written": utc(letter.record.timestamp_ms / 1000),
        "state": state,
        "error": safe(letter.code),
        "message": safe(letter.message),
        "redrives": str(letter.redrives),
        "command": str(command.position),
        "sent": _moment(command.timestamp_ms),
        "id": safe(letter.command_id),
        "key": "-" if command.key is None else shown(command.key),
    }
    yield from (f"{name:<9} {text}" for name, text in rows.items())
    yield from (f"header    {safe(name)}: {shown(raw)}" for name, raw in command.headers)
    if letter.truncated:
        yield "value     too large to be kept"
    elif value:
        yield f"value     {'-' if command.value is None else shown(command.value)}"


def of_step(step: Step | Kept, names: tuple[str, str] = ("redriven", "parked")) -> str:
    """What was done, or with other `names` would be done, for a letter."""
    where = step.letter.position
    if isinstance(step, Kept):
        return f"kept  {where}: {step.reason}"
    if step.told is Told.LETTER_PARKED:
        return f"{names[1]}  {where}  to {step.record.topic}: put back {step.letter.redrives} times in vain"
    return f"{names[0]}  {where}  to {step.record.topic}: time {step.letter.redrives + 1}"


def safe(text: str) -> str:
    """The text on one line, with escapes for what a terminal would obey."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def shown(raw: bytes) -> str:
    """Bytes as text on one line, or in hexadecimal when they are none."""
    try:
        return safe(raw.decode())
    except UnicodeDecodeError:
        return f"0x{raw.hex()}"


def _moment(at_ms: int) -> str:
    """A time; of a forged letter it may be none that a calendar has."""
    try:
        return utc(at_ms / 1000)
    except (ValueError, OverflowError):
        return f"{at_ms} ms"


def _age(seconds: float) -> str:
    whole = max(0, int(seconds))
    size, unit = next(((size, unit) for size, unit in _UNITS if whole >= size), _UNITS[-1])
    return f"{whole // size}{unit}"
