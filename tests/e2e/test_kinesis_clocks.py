"""Headrace on a machine whose clock is wrong, end to end: the service's clock decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.harness import Workplace, ended
from tests.e2e.streams import READING, mapping_of, stream

if TYPE_CHECKING:
    from pathlib import Path

    from pollers.emulators import Emulator

pytestmark = pytest.mark.timeout(300)

ACCEPT = (
    READING
    + """
    def handler(event, context):
        for record in event["Records"]:
            accept(record)
"""
)
WRONG = """
import time

right = time.time
time.time = lambda: right() + {skew}
"""
"""Found by every Python process before anything else, as ``sitecustomize``."""


@pytest.mark.parametrize("skew", [120, 86_400, -3_600])
async def test_a_wrong_clock_discards_nothing_before_it_ran(tmp_path: Path, kinesis_local: Emulator, skew: int) -> None:
    """Records of some seconds ago, with a maximum age of a minute."""
    workplace = Workplace(tmp_path, kinesis_local)
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(WRONG.format(skew=skew))
    async with stream(kinesis_local) as source:
        await source.put(["1", "2", "3", "4", "5"])
        workplace.function(ACCEPT)
        workplace.configure({"s": mapping_of(source.arn, maximum_record_age_in_seconds=60)})
        with workplace.headrace("--until-idle", "1", environment={"PYTHONPATH": str(tmp_path / "clock")}) as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert [note["id"] for note in workplace.notes()] == ["1", "2", "3", "4", "5"]
        assert not workplace.logged("records discarded; the mapping has no on-failure destination")
