"""What a scan promises, kept on real recordings with the shipped model. By hand: `-m slow`."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import soundfile
import soxr
from scan_commands import COMMAND

pytestmark = [pytest.mark.corpora, pytest.mark.process, pytest.mark.slow]

RATE = 48_000


def scan(*words: str | Path, code: int = 0) -> None:
    ended = subprocess.run([*COMMAND, "scan", *map(str, words), "-q"], timeout=600)
    assert ended.returncode == code


@pytest.fixture(scope="module")
def ravdess(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RAVDESS as its users have it: 16-bit wavs of 48 kHz."""
    corpora = os.environ.get("BATCHEMO_CORPORA")
    if not corpora:
        pytest.skip("BATCHEMO_CORPORA does not name the folder of the recordings")
    folder = tmp_path_factory.mktemp("corpora") / "ravdess"
    for source in sorted(Path(corpora, "ravdess").rglob("*.flac")):
        signal_, rate = soundfile.read(source)
        target = folder / source.parent.name / f"{source.stem}.wav"
        target.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(target, soxr.resample(signal_, rate, RATE), RATE, subtype="PCM_16")
    return folder


@pytest.fixture(scope="module")
def reference(ravdess: Path) -> Path:
    """The table and the windows of an undisturbed scan with one worker."""
    folder = ravdess.parent / "reference"
    folder.mkdir()
    scan(ravdess, "-o", folder / "r.parquet", "--segments", folder / "s.parquet", "-j", "1")
    return folder


def same(folder: Path, reference: Path) -> bool:
    return all(
        (folder / name).read_bytes() == (reference / name).read_bytes()
        for name in ("r.parquet", "s.parquet")
    )


def outputs(folder: Path) -> list[str | Path]:
    return ["-o", folder / "r.parquet", "--segments", folder / "s.parquet"]


def test_two_workers_write_the_same_bytes_as_one(
    ravdess: Path, reference: Path, tmp_path: Path
) -> None:
    scan(ravdess, *outputs(tmp_path), "-j", "2")
    assert same(tmp_path, reference)


@pytest.mark.parametrize("round_", range(5))
def test_a_killed_scan_goes_on_to_the_same_bytes(
    ravdess: Path, reference: Path, tmp_path: Path, round_: int
) -> None:
    words = ["scan", str(ravdess), *map(str, outputs(tmp_path)), "-q"]
    process = subprocess.Popen([*COMMAND, *words])
    time.sleep(random.Random(round_).uniform(0.3, 6))
    process.send_signal(signal.SIGKILL)
    process.wait()
    scan(ravdess, *outputs(tmp_path))
    assert same(tmp_path, reference)


def test_half_of_the_rows_from_an_earlier_run_give_the_same_bytes(
    ravdess: Path, reference: Path, tmp_path: Path
) -> None:
    half = tmp_path / "later"
    names = sorted(path for path in ravdess.rglob("*.wav"))[::2]
    for path in names:
        (half / path.parent.name).mkdir(parents=True, exist_ok=True)
        path.rename(half / path.parent.name / path.name)
    scan(ravdess, *outputs(tmp_path))
    for path in names:
        (half / path.parent.name / path.name).rename(path)
    scan(ravdess, *outputs(tmp_path), "--update")
    assert same(tmp_path, reference)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_another_batch_size_changes_no_label(
    ravdess: Path, reference: Path, tmp_path: Path, size: int
) -> None:
    scan(ravdess, *outputs(tmp_path), "--batch-size", str(size))
    a, b = (pq.read_table(folder / "r.parquet") for folder in (tmp_path, reference))
    assert a["emotion"].to_pylist() == b["emotion"].to_pylist()
    for name in [name for name in a.column_names if name.startswith("p_")]:
        pairs = zip(a[name].to_pylist(), b[name].to_pylist(), strict=True)
        assert max(abs(x - y) for x, y in pairs) <= 1e-5


def test_broken_files_change_no_good_row(ravdess: Path, reference: Path, tmp_path: Path) -> None:
    examples = Path(__file__).parents[2] / "examples" / "broken"
    broken = ravdess / "Actor_07 broken"
    shutil.copytree(examples, broken)
    try:
        scan(ravdess, "-o", tmp_path / "r.parquet", code=3)
    finally:
        shutil.rmtree(broken)
    good = [r for r in pq.read_table(tmp_path / "r.parquet").to_pylist() if r["status"] == "ok"]
    assert good == pq.read_table(reference / "r.parquet").to_pylist()
