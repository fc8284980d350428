"""What is shown of subscriptions: each once, with what is to be done about it, and nothing secret of anybody's."""

from bridge.app.subscriptions import Reviewed
from bridge.cli.webhooks import rows_of
from bridge.policy.subscribing import MOST, Subscription, Wanted, plan

OURS = "https://bridge.acme.example/webhooks/copper/acme"
HEADERS = {"X-Bridge-Token": "canary"}


def subscription(number: int, event: str, target: str = OURS, **headers: str) -> Subscription:
    return Subscription(number, target, "lead", event, headers or HEADERS)


def rows(existing: list[Subscription], *, made: tuple[int, ...] = ()) -> list[tuple[str, str, str | None]]:
    wanted = [Wanted("lead", event) for event in ("new", "update", "delete")]
    reviewed = Reviewed(existing, plan(wanted, existing, target=OURS, headers=HEADERS, made=made))
    return [(row["event"], row["state"], row["target"]) for row in rows_of("acme", reviewed)]


def test_ours_theirs_those_to_change_and_those_that_are_missing() -> None:
    existing = [
        subscription(1, "new"),
        subscription(2, "update", X_Bridge_Token="old"),
        subscription(3, "new"),
        subscription(4, "new", "https://user:canary@hooks.example/canary"),
        subscription(5, "delete", "https://former.example/canary"),
        subscription(6, "new", "canary"),
    ]
    assert rows(existing, made=(5,)) == [
        ("new", "ours", OURS),
        ("update", "differs", "bridge.acme.example"),
        ("new", "extra", "bridge.acme.example"),
        ("new", "foreign", "hooks.example"),
        ("delete", "differs", "former.example"),
        ("new", "foreign", "?"),
    ]


def test_what_an_account_has_no_room_for_is_refused() -> None:
    full = [subscription(number, "new", "https://hooks.example") for number in range(MOST - 1)]
    assert rows(full)[-3:] == [("new", "missing", None), ("update", "refused", None), ("delete", "refused", None)]
