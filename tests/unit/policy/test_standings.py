import pytest

from bridge.contract.accounts import Connected, Sealed, Standing
from bridge.policy import standings

NEW, OLD = Sealed("new token", "new secret"), Sealed("old token", "old secret")
NOW = 2_000


def entry(standing: Standing, *, forget: bool = False) -> Connected:
    return Connected("acme", OLD, standing, since_ms=1_000, standing_ms=1_500, forget=forget)


def test_who_connects_for_the_first_time_is_connected_from_now_on() -> None:
    assert standings.connected(None, "acme", NEW, NOW) == Connected("acme", NEW, Standing.CONNECTED, NOW, NOW)


@pytest.mark.parametrize("standing", [Standing.CONNECTED, Standing.PAUSED])
def test_a_new_token_changes_nothing_but_the_token(standing: Standing) -> None:
    after = standings.connected(entry(standing), "acme", NEW, NOW)
    assert after == Connected("acme", Sealed("new token", "old secret"), standing, 1_000, 1_500)


def test_who_connects_while_leaving_stays_and_nothing_more_is_forgotten() -> None:
    after = standings.connected(entry(Standing.LEAVING, forget=True), "acme", NEW, NOW)
    assert (after.standing, after.standing_ms, after.forget, after.since_ms) == (Standing.CONNECTED, NOW, False, 1_000)


@pytest.mark.parametrize(
    ("before", "standing"),
    [
        (Standing.CONNECTED, Standing.PAUSED),
        (Standing.PAUSED, Standing.CONNECTED),
        (Standing.CONNECTED, Standing.LEAVING),
        (Standing.PAUSED, Standing.LEAVING),
    ],
)
def test_an_account_is_moved_and_keeps_its_token(before: Standing, standing: Standing) -> None:
    after = standings.moved(entry(before), standing, NOW)
    assert after == Connected("acme", OLD, standing, 1_000, NOW)


@pytest.mark.parametrize("standing", [*Standing])
def test_what_stands_so_already_is_said_to_do_so(standing: Standing) -> None:
    assert standings.moved(entry(standing), standing, NOW) == f"it is {standing} already"


@pytest.mark.parametrize("standing", [Standing.CONNECTED, Standing.PAUSED])
def test_who_leaves_is_neither_paused_nor_resumed(standing: Standing) -> None:
    assert standings.moved(entry(Standing.LEAVING), standing, NOW) == standings.LEAVES


def test_of_who_leaves_everything_may_still_be_forgotten() -> None:
    after = standings.moved(entry(Standing.LEAVING), Standing.LEAVING, NOW, forget=True)
    assert isinstance(after, Connected)
    assert after.forget


def test_nothing_is_done_with_an_account_that_never_connected() -> None:
    assert standings.moved(None, Standing.PAUSED, NOW) == standings.NO_SUCH
