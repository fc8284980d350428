import asyncio
from contextlib import ExitStack, suppress

from bridge.policy.sightings import Lane
from bridge.shard.room import Room


async def _taken(room: Room, lane: Lane, count: int, stack: ExitStack) -> int:
    """How many of so many places of that lane can be had at once; they are held as long as the stack is open."""
    for number in range(count):
        place = stack.enter_context(room.place(lane))
        try:
            async with asyncio.timeout(1):
                await place.take()
        except TimeoutError:
            return number
    return count


async def test_no_more_pages_are_held_at_once_than_there_is_room_for() -> None:
    with ExitStack() as stack:
        assert await _taken(Room(3), Lane.SNAPSHOTS, 5, stack) == 3


async def test_polls_do_not_wait_for_the_room_of_snapshots() -> None:
    room = Room(2)
    with ExitStack() as stack:
        await _taken(room, Lane.SNAPSHOTS, 2, stack)
        assert await _taken(room, Lane.POLLS, 2, stack) == 2


async def test_a_page_that_is_done_with_or_has_failed_makes_room_for_the_next() -> None:
    room = Room(1)
    with suppress(LookupError), room.place(Lane.POLLS) as place:
        await place.take()
        raise LookupError
    with ExitStack() as stack:
        assert await _taken(room, Lane.POLLS, 1, stack) == 1


async def test_who_waits_for_permission_to_call_holds_no_room() -> None:
    room = Room(1)
    with room.place(Lane.POLLS), ExitStack() as stack:
        assert await _taken(room, Lane.POLLS, 1, stack) == 1


async def test_who_left_early_leaves_nobody_elses_place() -> None:
    room = Room(1)
    with ExitStack() as stack:
        with room.place(Lane.POLLS) as place:
            await place.take()
            place.leave()
            assert await _taken(room, Lane.POLLS, 1, stack) == 1
        assert await _taken(room, Lane.POLLS, 1, stack) == 0
