from cryptography.fernet import Fernet

from bridge.app.sealing import Sealing

KEYS = {f"2026-{month:02}": Fernet.generate_key().decode() for month in (1, 2)}
OLD, NEW = ({name: KEYS[name]} for name in KEYS)


def test_what_was_sealed_is_opened_and_cannot_be_read() -> None:
    sealed = Sealing(KEYS).seal("token")
    assert "token" not in sealed
    assert Sealing(KEYS).opened(sealed) == "token"


def test_the_key_whose_name_sorts_last_seals() -> None:
    sealed = Sealing(KEYS).seal("token")
    assert Sealing(NEW).opened(sealed) == "token"
    assert Sealing(OLD).opened(sealed) is None


def test_a_new_key_leaves_readable_what_an_old_one_has_sealed_and_says_so() -> None:
    sealed = Sealing(OLD).seal("token")
    assert Sealing(KEYS).opened(sealed) == "token"
    assert Sealing(KEYS).outdated(sealed)
    assert not Sealing(KEYS).outdated(Sealing(KEYS).seal("token"))


def test_garbage_and_the_ciphertext_of_strangers_open_to_nothing() -> None:
    assert Sealing(KEYS).opened("") is None
    assert Sealing(KEYS).opened(Sealing({"x": Fernet.generate_key().decode()}).seal("token")) is None
