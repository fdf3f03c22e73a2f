"""Updates by an adapted model: rows whose embeddings are known are not decoded again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from adapted_bundle import adapted_bundle
from command_line import Completed, RunCommand
from voices import write_voice

from batchemo.bundles import Bundle
from batchemo.inference.loaded import cached_models

Make = Callable[..., Bundle]
Scan = Callable[..., Completed]
OUTPUTS = {"embedding": {"name": "hidden", "size": 5}, "familiarity": {"name": "familiarity"}}
CALIBRATION = {"method": "familiarity_temperature", "temperature": 0.5, "slope": 1.0}
TABLES = ("r.parquet", "s.parquet", "e.parquet")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, seconds in enumerate((1.1, 7.3, 2.2, 5.0, 0.9, 3.3)):
        write_voice(tmp_path / "corpus" / f"{seed}.wav", seconds=seconds, seed=seed)
    (tmp_path / "corpus" / "broken.wav").write_bytes(b"no sound")
    return tmp_path / "corpus"


@pytest.fixture
def base(make_bundle: Make) -> Bundle:
    return make_bundle(name="base", waveform=True, outputs=OUTPUTS, calibration=CALIBRATION)


@pytest.fixture
def mine(base: Bundle, tmp_path: Path) -> Bundle:
    return adapted_bundle(base, tmp_path / "mine")


@pytest.fixture
def scan(batchemo: RunCommand, inline_workers: None, folder: Path, tmp_path: Path) -> Scan:
    """Scan into r, s and e.parquet of a folder."""

    def run(bundle: Bundle, *words: object, into: str = "out", code: int = 3) -> Completed:
        cached_models.cache_clear()
        out = tmp_path / into
        out.mkdir(exist_ok=True)
        r, s, e = (out / name for name in TABLES)
        outputs = ("-o", r, "--segments", s, "--embeddings", e)
        ran = batchemo("scan", folder, "-m", bundle.path, *outputs, *words)
        assert ran.code == code, ran.err
        return ran

    return run


def contents(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in TABLES]


def test_the_tables_are_those_of_a_scan(
    scan: Scan, base: Bundle, mine: Bundle, tmp_path: Path
) -> None:
    scan(base)
    embeddings = (tmp_path / "out" / "e.parquet").read_bytes()

    assert "0 recordings analysed" in scan(mine, "--update").out

    scan(mine, into="fresh")
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")
    assert (tmp_path / "out" / "e.parquet").read_bytes() == embeddings
    assert pq.read_table(tmp_path / "out" / "r.parquet")["model"].to_pylist()[0].startswith("mine")


def test_the_report_says_how_many_rows_were_predicted_again(
    scan: Scan, base: Bundle, mine: Bundle
) -> None:
    assert "again" not in scan(base).out
    # One of the seven is no recording: a failure needs no prediction.
    words = "0 recordings analysed, 1 failed (0 new), 7 unchanged, 6 rows predicted again"
    assert words in scan(mine, "--update").out
    assert "again" not in scan(mine, "--update").out


def test_a_model_with_labels_of_its_own_has_them_in_the_table(
    scan: Scan, base: Bundle, tmp_path: Path
) -> None:
    own = adapted_bundle(base, tmp_path / "own", ["calm", "bored", "happy"])
    scan(base)

    assert "0 recordings analysed" in scan(own, "--update").out

    scan(own, into="fresh")
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


def test_a_model_that_is_adapted_anew_goes_on_from_the_one_before(
    scan: Scan, base: Bundle, mine: Bundle, tmp_path: Path
) -> None:
    scan(base)
    scan(mine, "--update")
    again = adapted_bundle(base, tmp_path / "mine", seed=4)

    assert "0 recordings analysed" in scan(again, "--update").out

    scan(again, into="fresh")
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


def test_what_is_new_or_without_embeddings_is_decoded(
    scan: Scan, base: Bundle, mine: Bundle, folder: Path, tmp_path: Path
) -> None:
    late = folder / "3.wav"
    content = late.read_bytes()
    late.unlink()
    scan(base)
    late.write_bytes(content)

    assert "1 recording analysed" in scan(mine, "--update").out

    scan(mine, into="fresh")
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


def test_without_embeddings_everything_is_decoded(
    scan: Scan, base: Bundle, mine: Bundle, tmp_path: Path
) -> None:
    scan(base)
    (tmp_path / "out" / "e.parquet").unlink()
    assert "7 recordings analysed" in scan(mine, "--update").out


def test_embeddings_of_another_model_are_not_used(
    scan: Scan, base: Bundle, mine: Bundle, make_bundle: Make, tmp_path: Path
) -> None:
    scan(make_bundle(name="base", waveform=True, outputs=OUTPUTS, seed=5, folder=tmp_path / "b"))
    assert "7 recordings analysed" in scan(mine, "--update").out


def test_other_settings_are_another_model(scan: Scan, base: Bundle, mine: Bundle) -> None:
    scan(base)
    assert "7 recordings analysed" in scan(mine, "--update", "--hop", "0.7").out


def test_rows_of_other_labels_that_cannot_be_predicted_again_are_refused(
    scan: Scan, base: Bundle, make_bundle: Make, folder: Path, tmp_path: Path
) -> None:
    scan(make_bundle(name="other", waveform=True, outputs=OUTPUTS, seed=5))
    (folder / "0.wav").rename(tmp_path / "0.wav")
    scan(base, "--update")  # Keeps the row of the other model.
    own = adapted_bundle(base, tmp_path / "own", ["calm", "bored"])

    assert "the embeddings of some rows are not known" in scan(own, "--update", code=2).err


def test_the_same_command_without_update_replaces_nothing(
    scan: Scan, base: Bundle, mine: Bundle, tmp_path: Path
) -> None:
    scan(base)
    before = contents(tmp_path / "out")
    assert "--update" in scan(mine, code=2).err
    assert contents(tmp_path / "out") == before


def test_a_dry_run_counts_what_would_be_decoded(scan: Scan, base: Bundle, mine: Bundle) -> None:
    scan(base)
    assert "unchanged 7 recordings" in scan(mine, "--update", "--dry-run", code=0).out
