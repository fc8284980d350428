"""The key to sign with comes from the environment or a file, whole or not at all."""

from pathlib import Path

import pytest

from bridge.client import SigningKey, signing_key

ID = {"COPPER_SIGNING_KEY_ID": "shop"}


def test_a_key_is_read_from_variables_or_a_file_and_none_is_none(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("canary\n")
    assert signing_key({}) is None
    assert signing_key(ID | {"COPPER_SIGNING_SECRET": "canary"}) == SigningKey("shop", b"canary")
    assert signing_key(ID | {"COPPER_SIGNING_SECRET_FILE": str(file)}) == SigningKey("shop", b"canary")


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (ID, "needs its secret"),
        ({"COPPER_SIGNING_SECRET": "canary"}, "must be the key's name"),
        ({"COPPER_SIGNING_KEY_ID": "Canary;", "COPPER_SIGNING_SECRET": "canary"}, "must be the key's name"),
        (ID | {"COPPER_SIGNING_SECRET": "canary", "COPPER_SIGNING_SECRET_FILE": "/dev/null"}, "needs its secret"),
        (ID | {"COPPER_SIGNING_SECRET_FILE": "/dev/null"}, "names an empty file"),
        (ID | {"COPPER_SIGNING_SECRET_FILE": "/nowhere"}, "cannot be read"),
    ],
)
def test_half_a_key_is_an_error_that_tells_no_secret(environ: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        signing_key(environ)
    assert "canary" not in str(caught.value).lower()
