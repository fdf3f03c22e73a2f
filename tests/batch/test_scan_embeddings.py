"""`scan --embeddings`: a row for each recording, kept by updates, the same bytes however it ran."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from command_line import Completed, RunCommand
from voices import write_voice

import batchemo as package
from batchemo.batch.events import Event, Progressed
from batchemo.batch.options import ScanOptions
from batchemo.batch.scan import run_scan
from batchemo.bundles import Bundle, open_classifier
from batchemo.inference.settings import ModelSettings
from batchemo.sources import SourceOptions
from batchemo.tables.embeddings import WINDOWS_PER_GROUP, embedding_groups, read_embeddings
from batchemo.tables.schema import EmbeddingShape, embeddings_schema
from batchemo.workers.executor import InlineExecutor

Make = Callable[..., Bundle]
OUTPUTS = {"embedding": {"name": "hidden", "size": 5}, "familiarity": {"name": "familiarity"}}
LENGTHS = (1.1, 7.3, 2.2, 5.0, 0.9, 3.3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, seconds in enumerate(LENGTHS):
        write_voice(tmp_path / "corpus" / f"{seed}.wav", seconds=seconds, seed=seed)
    (tmp_path / "corpus" / "broken.wav").write_bytes(b"no sound")
    return tmp_path / "corpus"


@pytest.fixture
def able(make_bundle: Make) -> Bundle:
    """A model that gives an embedding of five numbers."""
    return make_bundle(name="able", waveform=True, outputs=OUTPUTS)


@pytest.fixture
def scan(
    batchemo: RunCommand, inline_workers: None, folder: Path, tmp_path: Path
) -> Callable[..., Completed]:
    def run(bundle: Bundle, *words: object, code: int = 3) -> Completed:
        out, table = tmp_path / "r.parquet", tmp_path / "e.parquet"
        ran = batchemo("scan", folder, "-m", bundle.path, "-o", out, "--embeddings", table, *words)
        assert ran.code == code, ran.err
        return ran

    return run


def test_there_is_a_row_for_each_row_of_the_recordings_table(
    scan: Callable[..., Completed], able: Bundle, tmp_path: Path
) -> None:
    scan(able, "--segments", tmp_path / "s.parquet")

    recordings = pq.read_table(tmp_path / "r.parquet").to_pylist()
    rows = pq.read_table(tmp_path / "e.parquet").to_pylist()

    assert [row["file"] for row in rows] == [row["file"] for row in recordings]
    for row, recording in zip(rows, recordings, strict=True):
        if recording["status"] == "failed":
            assert row["embedding"] is None
            assert row["by_window"] is None
            continue
        windows = row["by_window"]
        assert len(windows) == recording["windows"]
        with_speech = [window for window in windows if window["embedding"] is not None]
        mean = np.mean([window["embedding"] for window in with_speech], axis=0)
        assert row["embedding"] == mean.astype(np.float32).tolist()
    segments = pq.read_table(tmp_path / "s.parquet").to_pylist()
    by_window = [window for row in rows for window in row["by_window"] or ()]
    for name in ("start", "end", "familiarity"):
        assert [window[name] for window in by_window] == [row[name] for row in segments]
    assert len(segments) > len(recordings)


def test_logits_are_those_of_the_probabilities(
    scan: Callable[..., Completed], able: Bundle, tmp_path: Path
) -> None:
    scan(able)
    short = pq.read_table(tmp_path / "e.parquet").to_pylist()[0]["by_window"]
    row = pq.read_table(tmp_path / "r.parquet").to_pylist()[0]

    [window] = short
    powers = np.exp(np.array(window["logits"], np.float64))
    expected = [row[f"p_{label}"] for label in able.labels]
    assert expected == pytest.approx((powers / powers.sum()).tolist(), abs=1e-6)


def test_the_metadata_names_the_model(
    scan: Callable[..., Completed], able: Bundle, tmp_path: Path
) -> None:
    scan(able, "--min-confidence", "0.5")

    found = read_embeddings(tmp_path / "e.parquet")

    assert found.run["model"] == "able"
    assert found.run["digest"] == able.digest
    options = {"channel": "mix", "backend": "onnx", "batch_size": 4, "device": "cpu"}
    assert found.run["options"] == options
    assert found.matrix.shape == (len(LENGTHS), 5)
    assert found.recordings[0] == (str(tmp_path / "corpus"), "0.wav")


@pytest.mark.process
def test_bytes_are_those_of_any_number_of_workers(
    able: Bundle, folder: Path, tmp_path: Path
) -> None:
    contents = []
    for jobs in (1, 2):
        tables = {name: tmp_path / f"{jobs}.{name}.parquet" for name in ("output", "embeddings")}
        package.scan(folder, model=able.path, jobs=jobs, **tables)
        contents.append([path.read_bytes() for path in tables.values()])
    assert contents[0] == contents[1]


def test_an_interrupted_scan_ends_in_the_same_bytes(
    scan: Callable[..., Completed], able: Bundle, folder: Path, tmp_path: Path
) -> None:
    scan(able)
    expected = (tmp_path / "e.parquet").read_bytes()
    for name in ("r.parquet", "e.parquet"):
        (tmp_path / name).unlink()
    options = ScanOptions(
        SourceOptions((str(folder),)),
        (ModelSettings(str(able.path)),),
        output=str(tmp_path / "r.parquet"),
        embeddings=str(tmp_path / "e.parquet"),
    )

    def interrupt(event: Event) -> None:
        if isinstance(event, Progressed):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_scan(options, interrupt, executor=InlineExecutor)
    report = run_scan(options, executor=InlineExecutor).report

    assert report.kept == 4
    assert (tmp_path / "e.parquet").read_bytes() == expected


def test_the_same_command_again_changes_nothing(
    scan: Callable[..., Completed], able: Bundle, tmp_path: Path
) -> None:
    scan(able)
    before = (tmp_path / "e.parquet").read_bytes()
    ran = scan(able).out
    assert "0 recordings analysed" in ran
    assert "7 unchanged" in ran
    assert (tmp_path / "e.parquet").read_bytes() == before


def test_an_update_keeps_them(
    scan: Callable[..., Completed], able: Bundle, folder: Path, tmp_path: Path
) -> None:
    late = folder / "3.wav"
    content = late.read_bytes()
    late.unlink()
    scan(able)
    late.write_bytes(content)

    ran = scan(able, "--update").out
    assert "1 recording analysed" in ran
    assert "6 unchanged" in ran
    updated = (tmp_path / "e.parquet").read_bytes()

    scan(able, "--overwrite")
    assert updated == (tmp_path / "e.parquet").read_bytes()


@pytest.mark.parametrize("harm", ["missing", "damaged", "of another scan", "no embeddings"])
def test_an_update_computes_those_that_are_lost(
    scan: Callable[..., Completed], able: Bundle, make_bundle: Make, tmp_path: Path, harm: str
) -> None:
    table = tmp_path / "e.parquet"
    scan(make_bundle(name="able", waveform=True, outputs=OUTPUTS, seed=3, folder=tmp_path / "b"))
    foreign = table.read_bytes()
    scan(able, "--overwrite")
    expected = table.read_bytes()
    if harm == "missing":
        table.unlink()
    elif harm == "damaged":
        table.write_bytes(expected[:-8])
    elif harm == "of another scan":
        table.write_bytes(foreign)
    else:
        pq.write_table(pq.read_table(table).drop_columns(["by_window"]), table)

    ran = scan(able, "--update").out
    assert "6 recordings analysed" in ran
    assert "1 unchanged" in ran
    assert table.read_bytes() == expected


def test_a_row_that_is_kept_of_another_model_has_none(
    scan: Callable[..., Completed], able: Bundle, make_bundle: Make, folder: Path, tmp_path: Path
) -> None:
    scan(make_bundle(name="other", waveform=True, outputs=OUTPUTS, seed=3))
    (folder / "0.wav").unlink()

    scan(able, "--update")

    rows = pq.read_table(tmp_path / "e.parquet").to_pylist()
    without = [row["file"] for row in rows if row["embedding"] is None]
    assert sorted(without) == ["0.wav", "broken.wav"]


def test_a_model_without_an_embedding_is_refused(
    scan: Callable[..., Completed], tiny_bundle: Bundle
) -> None:
    assert "the model tiny gives none" in scan(tiny_bundle, code=2).err


def test_several_models_are_refused(
    scan: Callable[..., Completed], able: Bundle, tiny_bundle: Bundle
) -> None:
    assert "those of one model" in scan(able, "-m", tiny_bundle.path, code=2).err


def test_csv_and_standard_output_are_refused(
    batchemo: RunCommand, able: Bundle, folder: Path, tmp_path: Path
) -> None:
    words = ("scan", folder, "-m", able.path, "--embeddings")
    csv = batchemo(*words, tmp_path / "e.csv", "-o", tmp_path / "r.csv")
    assert (csv.code, "only Parquet can hold" in csv.err) == (2, True)
    stdout = batchemo(*words, tmp_path / "e.parquet", "-o", "-")
    assert (stdout.code, "need a file for the main table" in stdout.err) == (2, True)


def test_other_tables_are_no_embeddings(
    scan: Callable[..., Completed], able: Bundle, tmp_path: Path
) -> None:
    scan(able)
    with pytest.raises(package.BatchemoError, match="this is no table of embeddings"):
        read_embeddings(tmp_path / "r.parquet")


def test_embedding_and_logits_of_a_window_are_the_models(able: Bundle) -> None:
    samples = np.full((1, int(able.window * able.rate)), 0.25, np.float32)
    result = open_classifier(able).run(samples)
    assert result.logits is not None
    assert result.logits.shape == (1, len(able.labels))
    assert result.probabilities[0] == pytest.approx(
        np.exp(result.logits[0]) / np.exp(result.logits[0]).sum(), abs=1e-6
    )


def test_groups_depend_on_the_rows_alone() -> None:
    schema = embeddings_schema(EmbeddingShape(2, 2))
    window = {"start": 0.0, "end": 1.0, "embedding": [1.0, 2.0], "logits": [0.0, 1.0]}
    rows = [
        {"root": "/d", "file": str(index), "embedding": [1.0, 2.0], "by_window": [window] * 900}
        for index in range(12)
    ]
    rows[3] = {"root": "/d", "file": "3", "embedding": None, "by_window": None}
    import pyarrow as pa

    table = pa.Table.from_pylist(rows, schema)

    def sizes(rows_a_batch: int) -> list[int]:
        batches = table.to_batches(max_chunksize=rows_a_batch)
        groups = list(embedding_groups(batches, schema))
        assert pa.concat_tables(groups).to_pylist() == table.to_pylist()
        return [group.num_rows for group in groups]

    assert WINDOWS_PER_GROUP // 900 == 4
    assert sizes(1) == sizes(5) == sizes(12) == [6, 5, 1]
