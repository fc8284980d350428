import pytest
from aiokafka.errors import ProducerFenced

from bridge.app.observing import stray
from bridge.telemetry import logs


def _told(problem: BaseException | None, capsys: pytest.CaptureFixture[str]) -> str:
    logs.configure("info", "json")
    stray(None, {"message": "Future exception was never retrieved", "exception": problem})
    return capsys.readouterr().err


def test_an_error_that_nobody_waited_for_is_one_line_without_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    told = _told(LookupError("ops@acme.example"), capsys)
    assert told.count("\n") == 1
    assert "bridge.unexpected" in told
    assert "LookupError" in told
    assert "ops@" not in told


def test_what_aiokafka_leaves_behind_is_no_news(capsys: pytest.CaptureFixture[str]) -> None:
    assert not _told(ProducerFenced(), capsys)
    assert not _told(None, capsys)
