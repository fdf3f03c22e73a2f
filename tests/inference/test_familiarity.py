"""How like the training recordings a recording is: from the graph to the tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from command_line import RunCommand
from voices import write_voice

from batchemo.app.results import combine_models
from batchemo.bundles import Bundle
from batchemo.inference.model_set import load_model_set
from batchemo.inference.settings import ModelSettings
from batchemo.inference.single import open_predictor
from batchemo.tables.read import read_recordings_table

Make = Callable[..., Bundle]
Row = dict[str, Any]

FAMILIARITY = {"familiarity": {"name": "familiarity"}}
LENGTHS = (1.1, 7.3, 2.2, 5.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, seconds in enumerate(LENGTHS):
        write_voice(tmp_path / "corpus" / f"{seed}.wav", seconds=seconds, seed=seed)
    return tmp_path / "corpus"


@pytest.fixture
def able(make_bundle: Make) -> Bundle:
    """A model that says how familiar a window is."""
    return make_bundle(name="able", waveform=True, outputs=FAMILIARITY)


@pytest.fixture
def other(make_bundle: Make) -> Bundle:
    """Another one, with other windows."""
    return make_bundle(name="other", seed=1, waveform=True, outputs=FAMILIARITY, window=2.0, hop=1)


@pytest.fixture
def unable(make_bundle: Make) -> Bundle:
    """A model that does not say."""
    return make_bundle(name="unable", seed=2)


@pytest.fixture
def scan(batchemo: RunCommand, inline_workers: None, folder: Path, tmp_path: Path) -> Any:
    """Scan the folder with some bundles; return the rows of recordings and segments by file."""

    def run(*bundles: Bundle, words: tuple[object, ...] = ("--overwrite",)) -> tuple[Any, Any]:
        options = [word for bundle in bundles for word in ("-m", bundle.path)]
        out, segments = tmp_path / "r.parquet", tmp_path / "s.parquet"
        ran = batchemo("scan", folder, *options, "-o", out, "--segments", segments, *words)
        assert ran.code == 0, ran.err
        return pq.read_table(out).to_pylist(), pq.read_table(segments).to_pylist()

    return run


def of_windows(segments: list[Row], file: str) -> list[float]:
    """Return the familiarity of a recording's windows with speech."""
    windows = [row for row in segments if row["file"] == file]
    assert all((row["familiarity"] is None) == (row["emotion"] is None) for row in windows)
    return [row["familiarity"] for row in windows if row["familiarity"] is not None]


def test_a_recordings_is_the_mean_over_its_windows_with_speech(scan: Any, able: Bundle) -> None:
    rows, segments = scan(able)

    for row in rows:
        windows = of_windows(segments, row["file"])
        assert row["familiarity"] == np.float32(np.mean(windows, dtype=np.float64))
    assert len({row["familiarity"] for row in rows}) == len(LENGTHS)


def test_it_is_null_for_a_model_that_does_not_say(scan: Any, unable: Bundle) -> None:
    rows, segments = scan(unable)

    assert {row["familiarity"] for row in [*rows, *segments]} == {None}
    assert all(row["status"] == "ok" for row in rows)


def test_of_several_models_it_is_the_mean_of_those_that_say(
    scan: Any, able: Bundle, other: Bundle, unable: Bundle
) -> None:
    alone = [[row["familiarity"] for row in scan(bundle)[0]] for bundle in (able, other)]

    rows, segments = scan(able, unable, other)

    expected = np.mean(alone, axis=0, dtype=np.float64).astype(np.float32)
    assert [row["familiarity"] for row in rows] == expected.tolist()
    by_model = {
        name: {row["familiarity"] is None for row in segments if row["model"] == name}
        for name in ("able", "unable", "other")
    }
    assert by_model["unable"] == {True}
    assert False in by_model["able"]
    assert False in by_model["other"]


def test_an_update_keeps_it_with_the_rows_and_windows(
    scan: Any, able: Bundle, folder: Path, tmp_path: Path
) -> None:
    late = folder / "3.wav"
    content = late.read_bytes()
    late.unlink()
    scan(able)
    late.write_bytes(content)

    updated = scan(able, words=("--update",))

    assert updated == scan(able)
    assert None not in {row["familiarity"] for row in updated[0]}


def test_a_table_from_before_the_column_is_updated(
    scan: Any, unable: Bundle, tmp_path: Path
) -> None:
    whole = scan(unable)
    for name in ("r.parquet", "s.parquet"):
        table = pq.read_table(tmp_path / name).drop_columns("familiarity")
        pq.write_table(table, tmp_path / name)

    assert scan(unable, words=("--update",)) == whole


def test_csv_has_the_same(
    scan: Any, able: Bundle, batchemo: RunCommand, folder: Path, tmp_path: Path
) -> None:
    rows, _ = scan(able)
    batchemo("scan", folder, "-m", able.path, "-o", tmp_path / "r.csv")

    found = read_recordings_table(tmp_path / "r.csv")

    assert found["familiarity"].to_pylist() == [row["familiarity"] for row in rows]


def test_predict_gives_that_of_a_scan(
    scan: Any, able: Bundle, batchemo: RunCommand, folder: Path
) -> None:
    rows, segments = scan(able)
    [result] = open_predictor([folder / "1.wav"], ModelSettings(str(able.path))).rows()

    assert result.familiarity == rows[1]["familiarity"]
    assert result.windows is not None
    known = [f for *_, f in result.windows.iter_windows() if f is not None]
    assert known == of_windows(segments, "1.wav")
    text = batchemo("predict", folder / "1.wav", "-m", able.path).out
    assert f"  familiarity {result.familiarity:.2f}" in text


@pytest.mark.parametrize(("sign", "told"), [(1, False), (-1, True)])
def test_predict_says_where_a_label_is_not_to_be_trusted(
    make_bundle: Make, batchemo: RunCommand, folder: Path, sign: int, told: bool
) -> None:
    bundle = make_bundle(waveform=True, outputs=FAMILIARITY, seed=_seed_with_sign(sign))
    text = batchemo("predict", folder / "1.wav", "-m", bundle.path).out
    assert ("so the label is not to be trusted" in text) == told


def test_the_page_combines_models_as_a_scan_does(
    able: Bundle, other: Bundle, unable: Bundle, folder: Path
) -> None:
    settings = [ModelSettings(str(bundle.path)) for bundle in (able, unable, other)]
    [expected] = open_predictor([folder / "1.wav"], *settings).rows()
    alone = [next(open_predictor([folder / "1.wav"], each).rows()) for each in settings]

    combined = combine_models(alone, load_model_set(settings).bundles)

    assert combined.familiarity == expected.familiarity
    assert combined.windows is not None
    assert expected.windows is not None
    assert (
        combined.windows.known_familiarity().tobytes()
        == expected.windows.known_familiarity().tobytes()
    )


def _seed_with_sign(sign: int) -> int:
    """Return a seed with which the tiny graph finds loud windows familiar, or unfamiliar."""
    return next(
        seed for seed in range(100) if np.random.default_rng(seed).normal(scale=20) * sign > 15
    )
