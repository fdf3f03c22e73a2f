"""Options from a file: which keys there are, what values they take, and who wins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from batchemo.bundles import Bundle

RowRange = Callable[..., object]


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a configuration file."""

    def write(text: str) -> Path:
        path = tmp_path / "batchemo.toml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def scan(
    batchemo: Callable[..., object], voices: Path, tiny_bundle: Bundle, tmp_path: Path
) -> RowRange:
    """Scans the voices into r.parquet with a configuration and more words."""

    def run(config: Path, *words: object) -> object:
        out = ("-o", tmp_path / "r.parquet", "-m", tiny_bundle.path, "-j", "1")
        return batchemo("scan", voices, *out, "--config", config, *words)

    return run


def test_a_key_at_the_top_is_for_the_commands_that_have_it(
    batchemo, config, scan, voices, tiny_bundle, tmp_path
):
    file = config(
        f'model = "{tiny_bundle.path}"\nmin-age = "0s"\nrecipe = "mfcc40"\nhop = 1.5\n'
        '[scan]\nsummary = "by.csv"\next = ["wav", "flac"]\n'
    )
    one = voices / "anna" / "one.wav"
    assert batchemo("predict", one, "--config", file).code == 0
    assert batchemo("features", one, "-o", tmp_path / "f.csv", "--config", file).code == 0
    assert scan(file, "--summary", tmp_path / "s.csv").code == 3


def test_how_probabilities_are_read_can_stand_in_a_file_and_be_taken_back(
    config, scan, tmp_path, monkeypatch
):
    file = config("min-confidence = 1\ndimensions = true\nspeaker = 'folder'")
    out = tmp_path / "r.parquet"
    assert scan(file).code == 3
    table = pq.read_table(out)
    assert "uncertain" in table["emotion"].to_pylist()
    assert {"valence_est", "unadapted_sad"} <= set(table.column_names)
    monkeypatch.setenv("BATCHEMO_MIN_CONFIDENCE", "0.1")
    ran = scan(file, "--update", "--no-dimensions")
    assert "0 recordings analysed" in ran.out
    table = pq.read_table(out)
    assert "uncertain" not in table["emotion"].to_pylist()
    assert "valence_est" not in table.column_names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("min-aeg = 3", "min-aeg is no option of `batchemo scan` nor of another command"),
        ("[scan]\nrecipe = 'x'", "recipe is no option of `batchemo scan`. There are: backend"),
        ("[scam]\nlimit = 3", "[scam] is no command"),
        ("update = 'yes'", "update is a flag: it is true or false"),
        ("update = 1", "update is a flag"),
        ("limit = 2.7", "limit: '2.7' is not a valid"),
        ("limit = true", "limit takes one text or number"),
        ("jobs = 0", "jobs: '0' is neither a number from 1 on nor auto"),
        ("hop = ['a']", "hop takes one text or number"),
        ("model = ['a', 3]", "model takes text, or a list of texts"),
        ("ext = 3", "ext takes text, or a list of texts"),
        ("ext = ['wav', 3]", "ext takes text, or a list of texts"),
        ("min-age = '5000d'", "no more than 1000d"),
        ("sources = 'x'", "sources is no option"),
    ],
)
def test_a_mistake_in_a_file_is_told_before_anything_runs(config, scan, tmp_path, text, said):
    ran = scan(config(text))
    assert ran.code == 2
    assert said in ran.err
    assert "min_age" not in ran.err
    assert not (tmp_path / "r.parquet").exists()


def test_a_configuration_that_cannot_be_read_is_wrong_usage(config, scan, tmp_path):
    assert "cannot be read" in scan(tmp_path).err
    config("").write_bytes(b'model = "\xff"')
    ran = scan(tmp_path / "batchemo.toml")
    assert (ran.code, "not in UTF-8" in ran.err) == (2, True)


def test_several_models_are_a_list_or_a_variable(
    batchemo, batchemo_process, config, voices, make_bundle, tmp_path
):
    names = [str(make_bundle(name=name, seed=seed).path) for seed, name in enumerate("ab")]
    file = config(f"model = {names}\n")
    one = voices / "anna" / "one.wav"
    assert batchemo("scan", one, "-o", tmp_path / "r.parquet", "--config", file).code == 0
    assert "agreement" in pq.read_schema(tmp_path / "r.parquet").names
    told = batchemo_process("predict", one, BATCHEMO_MODEL=" ".join(names))
    assert "of 2 models" in told.out
    none = batchemo("predict", one, "--config", config("model = []"))
    assert (none.code, "no model is named" in none.err) == (2, True)


def test_a_list_may_be_written_as_on_the_command_line(config, scan, tmp_path):
    assert scan(config('ext = "flac,wav"\nlimit = 1')).code == 0
    assert pq.read_metadata(tmp_path / "r.parquet").num_rows == 1


def test_the_command_line_switches_off_what_a_file_switched_on(config, scan, tmp_path):
    file = config("overwrite = true\nquiet = true")
    assert scan(file).code == 3
    again = scan(file)
    assert (again.code, again.out) == (3, "")
    refused = scan(file, "--no-overwrite", "--hop", "1")
    assert (refused.code, "exists" in refused.err) == (2, True)
    updated = scan(file, "--no-overwrite", "--update", "--no-quiet")
    assert (updated.code, "5 kept" in updated.out) == (3, True)


@pytest.mark.parametrize(
    "flag", ["update", "overwrite", "retry-failed", "prune", "hidden", "follow-links", "quiet"]
)
def test_every_flag_of_a_scan_can_be_switched_off(config, scan, flag):
    asked = "update = true\n" if flag in ("retry-failed", "prune") else ""
    assert scan(config(f"{asked}{flag} = true"), f"--no-{flag}").code == 3
