from cryptography.fernet import Fernet

from bridge.app.sealing import Opened, Sealing
from bridge.contract.accounts import Sealed

KEYS = {f"2026-{month:02}": Fernet.generate_key().decode() for month in (1, 2)}
OLD, NEW = ({name: KEYS[name]} for name in KEYS)
SECRETS = Opened("the token", "the secret")


def test_what_was_sealed_is_opened_and_cannot_be_read() -> None:
    sealed = Sealing(KEYS).seal("acme", SECRETS)
    assert "the" not in sealed.token + sealed.secret
    assert Sealing(KEYS).opened("acme", sealed) == SECRETS


def test_what_was_sealed_for_one_account_opens_for_no_other() -> None:
    sealed = Sealing(KEYS).seal("acme", SECRETS)
    assert Sealing(KEYS).opened("acm", sealed) is None


def test_the_key_whose_name_sorts_last_seals() -> None:
    sealed = Sealing(KEYS).seal("acme", SECRETS)
    assert Sealing(NEW).opened("acme", sealed) == SECRETS
    assert Sealing(OLD).opened("acme", sealed) is None


def test_a_new_key_leaves_readable_what_an_old_one_has_sealed_and_says_so() -> None:
    sealed = Sealing(OLD).seal("acme", SECRETS)
    assert Sealing(KEYS).opened("acme", sealed) == SECRETS
    assert Sealing(KEYS).outdated(sealed)
    assert not Sealing(KEYS).outdated(Sealing(KEYS).seal("acme", SECRETS))


def test_garbage_and_the_ciphertext_of_strangers_open_to_nothing() -> None:
    stranger = Sealing({"x": Fernet.generate_key().decode()}).seal("acme", SECRETS)
    for sealed in (Sealed("", ""), Sealed("ä", "ä"), stranger):
        assert Sealing(KEYS).opened("acme", sealed) is None
