"""The table of options says what the models say, and stands in one document."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import Config
from config.reference import BEGIN, END, main, option_table, with_table

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "configuration.md"


def test_the_option_table_is_up_to_date() -> None:
    """``python -m config.reference --write docs/configuration.md`` repairs it."""
    text = DOCUMENT.read_text(encoding="utf-8")

    assert text == with_table(text)


def test_the_option_table_has_every_option() -> None:
    """Nothing in the models is left out."""
    table = option_table()

    for name in Config.model_fields:
        assert f"**`{name}" in table
    for option in (
        "`http.token`",
        "`endpoint_urls.lambda`",
        "`filter_criteria.filters[].pattern`",
        "`visibility.retry_delay.maximum`",
    ):
        assert f"| {option} |" in table
    assert "| `batch_size` | integer | SQS: `10`; streams, DocumentDB: `100` | 1 to 10000 | all |" in table
    assert "| `connection_uri` | connection URI |  |  | DocumentDB | a MongoDB URI, in place of the cluster's" in table


def test_the_table_is_written_between_its_marks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And nowhere else; a file without marks is refused."""
    file = tmp_path / "x.md"
    file.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")

    main(["--write", str(file)])
    main([])

    assert file.read_text() == f"before\n{BEGIN}\n{option_table()}{END}\nafter\n"
    assert capsys.readouterr().out == option_table()
    with pytest.raises(ValueError, match="no <!-- options:begin -->"):
        with_table("nothing")
