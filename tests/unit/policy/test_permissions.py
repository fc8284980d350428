import pytest

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.failures import Code
from bridge.policy.permissions import Permissions, checked

ACTIONS = [(row.entity, row.name) for row in CATALOGUE.actions]


@pytest.mark.parametrize(("entity", "action"), ACTIONS)
def test_everything_is_let_through_that_nobody_forbids(entity: str, action: str) -> None:
    assert Permissions().refusal("acme", entity, action) is None


@pytest.mark.parametrize(("entity", "action"), ACTIONS)
def test_an_empty_list_lets_nothing_through(entity: str, action: str) -> None:
    refused = Permissions(everywhere=()).refusal("acme", entity, action)
    assert refused is not None
    assert refused.code is Code.FORBIDDEN
    assert f"{entity}.{action}" in refused.detail


@pytest.mark.parametrize(
    ("permissions", "account", "action", "setting"),
    [
        (Permissions(("company.*",)), "acme", ("company", "delete"), None),
        (Permissions(("company.*",)), "acme", ("lead", "get"), "commands.allowed"),
        (Permissions(("*.get", "lead.upsert")), "acme", ("lead", "upsert"), None),
        (Permissions(("*.get", "lead.upsert")), "acme", ("lead", "get-by-email"), "commands.allowed"),
        (Permissions(accounts={"acme": ("*.get",)}), "acme", ("task", "get"), None),
        (Permissions(accounts={"acme": ("*.get",)}), "acme", ("task", "update"), "accounts.acme.commands_allowed"),
        (Permissions(accounts={"acme": ("*.get",)}), "globex", ("task", "update"), None),
        (Permissions(accounts={"acme": ()}), "acme", ("task", "get"), "accounts.acme.commands_allowed"),
        (Permissions(("*.get",), {"acme": ("task.*",)}), "acme", ("task", "update"), "commands.allowed"),
        (Permissions(("task.delete",), deletes=False), "acme", ("task", "delete"), "commands.allow_delete"),
        (Permissions(deletes=False), "acme", ("task", "update"), None),
    ],
)
def test_both_lists_must_let_an_action_through_and_a_refusal_names_the_one_that_did_not(
    permissions: Permissions, account: str, action: tuple[str, str], setting: str | None
) -> None:
    refused = permissions.refusal(account, *action)
    assert (refused is None) == (setting is None)
    assert refused is None or refused.detail.endswith(f"({setting})")


@pytest.mark.parametrize("pattern", ["*", "*.*", "company.*", "*.get", "*.get*", "lead.upsert", "[lp]*.create"])
def test_a_pattern_that_matches_some_action_is_fine(pattern: str) -> None:
    assert checked((pattern,)) == (pattern,)


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [("companies.*", "company.*"), ("*.got", "*.get"), ("lead.get_by_email", "lead.get-by-email"), ("", None)],
)
def test_a_pattern_that_matches_nothing_is_refused_with_what_may_be_meant(pattern: str, meant: str | None) -> None:
    with pytest.raises(ValueError, match="matches no action") as caught:
        checked(("*", pattern))
    assert str(caught.value).endswith(f'did you mean "{meant}"?' if meant else "matches no action")
