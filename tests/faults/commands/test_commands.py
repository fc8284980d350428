"""Commands in a bad world: each carried out once, answered once, and told the truth about."""

import os
from pathlib import Path
from random import Random

import pytest

from bridge.contract.catalogue import CATALOGUE
from tests.faults.commands.trial import Form, tried

SHORT = Form(
    commands=1000,
    accounts=16,
    replicas=3,
    span_s=45,
    kills=6,
    pauses=1,
    stops=1,
    every_s=(1.0, 4.0),
    patience_s=60,
)
LONG = Form(
    commands=10_000,
    accounts=16,
    replicas=3,
    span_s=600,
    kills=60,
    pauses=8,
    stops=8,
    every_s=(1.0, 10.0),
    patience_s=300,
)


async def _try(servers: str, directory: Path, form: Form) -> None:
    seed = int(os.environ.get("SEED") or Random().randrange(10**6))  # noqa: S311 - a seed
    print(f"\nseed {seed}")
    verdict = await tried(servers, directory, seed, form)
    print(verdict.told())
    assert verdict.figures["commands"] >= form.commands
    assert verdict.figures["actions"] == len(CATALOGUE.actions), f"seed {seed}: not every action was asked for"
    assert not verdict.faults(), verdict.complaint(seed)


@pytest.mark.figures
@pytest.mark.timeout(400)
async def test_a_thousand_commands_have_one_effect_one_answer_and_the_truth(
    bootstrap_servers: str, tmp_path: Path
) -> None:
    await _try(bootstrap_servers, tmp_path, SHORT)


@pytest.mark.figures
@pytest.mark.nightly
@pytest.mark.timeout(3600)
async def test_ten_thousand_commands_have_one_effect_one_answer_and_the_truth(
    bootstrap_servers: str, tmp_path: Path
) -> None:
    await _try(bootstrap_servers, tmp_path, LONG)
