import hypothesis.strategies as st
import pytest
from hypothesis import given

from bridge.policy import linking
from bridge.policy.linking import CONSENT_SECONDS, Refused

KEYS = (b"new", b"old")
NOW = 1_800_000_000.0
UNTIL = int(NOW) + 60


@pytest.mark.parametrize("key", KEYS)
def test_a_link_is_good_whichever_of_the_keys_has_signed_it(key: bytes) -> None:
    assert linking.link_refusal(KEYS, "acme", str(UNTIL), linking.signature(key, "acme", UNTIL), NOW) is None


@pytest.mark.parametrize(
    ("account", "expires"), [("acme2", UNTIL), ("acm", UNTIL), ("acme", UNTIL + 1), ("acme", int(NOW) * 10)]
)
def test_a_link_made_for_another_account_or_time_is_forged(account: str, expires: int) -> None:
    signed = linking.signature(KEYS[0], "acme", UNTIL)
    assert linking.link_refusal(KEYS, account, str(expires), signed, NOW) is Refused.FORGED


def test_a_link_of_a_key_that_is_gone_is_forged() -> None:
    signed = linking.signature(b"gone", "acme", UNTIL)
    assert linking.link_refusal(KEYS, "acme", str(UNTIL), signed, NOW) is Refused.FORGED


def test_a_link_is_good_until_its_time_and_not_after() -> None:
    signed = linking.signature(KEYS[0], "acme", UNTIL)
    assert linking.link_refusal(KEYS, "acme", str(UNTIL), signed, float(UNTIL)) is None
    assert linking.link_refusal(KEYS, "acme", str(UNTIL), signed, UNTIL + 1.0) is Refused.EXPIRED


@given(st.text(), st.text())
def test_no_text_passes_for_a_link(expires: str, signature: str) -> None:
    assert linking.link_refusal(KEYS, "acme", expires, signature, NOW) is Refused.FORGED


STATE = linking.state(KEYS[0], "acme", "chance")


@pytest.mark.parametrize("key", KEYS)
def test_a_consent_counts_for_the_state_that_was_made_for_it(key: bytes) -> None:
    state = linking.state(key, "acme", "chance")
    kept = linking.pending("acme", state, NOW)
    assert linking.account_of(KEYS, state) == "acme"
    assert linking.consent_refusal(kept, state, NOW + CONSENT_SECONDS) is None
    assert linking.consent_refusal(kept, state, NOW + CONSENT_SECONDS + 1) is Refused.TOO_LATE


@pytest.mark.parametrize("given", ["", "acme.", STATE[:-1], f"{STATE}0", "acme2.chance", "chance", STATE.upper()])
def test_a_consent_with_another_state_was_never_asked_for(given: str) -> None:
    assert linking.consent_refusal(linking.pending("acme", STATE, NOW), given, NOW) is Refused.UNKNOWN_STATE
    assert linking.consent_refusal(None, given, NOW) is Refused.UNKNOWN_STATE
    assert linking.account_of(KEYS, given) is None


def test_a_state_that_we_have_not_signed_is_nobodys_whatever_is_kept() -> None:
    for stranger in (linking.state(b"a stranger's", "acme", "chance"), STATE.replace("acme", "acm"), "acme.chance."):
        assert linking.account_of(KEYS, stranger) is None


def test_a_links_signature_is_no_states() -> None:
    assert linking.account_of(KEYS, f"acme.{UNTIL}.{linking.signature(KEYS[0], 'acme', UNTIL)}") is None


def test_what_is_kept_of_a_state_does_not_tell_it() -> None:
    assert "chance" not in repr(linking.pending("acme", STATE, NOW))


@given(st.text())
def test_any_text_may_come_as_a_state(given: str) -> None:
    assert linking.account_of(KEYS, given) is None
