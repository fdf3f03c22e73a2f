"""Options from a TOML file: keys, types of values, and precedence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from command_line import Completed, RunCommand

from batchemo.bundles import Bundle

WriteConfig = Callable[[str], Path]
ScanWith = Callable[..., Completed]


@pytest.fixture
def config(tmp_path: Path) -> WriteConfig:
    """Write a configuration file."""

    def write(text: str) -> Path:
        path = tmp_path / "batchemo.toml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def scan(batchemo: RunCommand, voices: Path, tiny_bundle: Bundle, tmp_path: Path) -> ScanWith:
    """Scan the voices into r.parquet with a configuration and more arguments."""

    def run(config: Path, *args: object) -> Completed:
        out = ("-o", tmp_path / "r.parquet", "-m", tiny_bundle.path, "-j", "1")
        return batchemo("scan", voices, *out, "--config", config, *args)

    return run


def test_command_line_precedes_variables_which_precede_the_file(
    scan: ScanWith, config: WriteConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = config("hop = 0.5\n[scan]\nlimit = 1\nwindow = 2.0\n[features]\nhop = 9.0\n")

    def scanned(*args: str) -> tuple[int, str]:
        assert scan(file, "--overwrite", "-q", "--ext", "wav", *args).code in (0, 3)
        table = pq.read_table(tmp_path / "r.parquet")
        return table.num_rows, str(table["model"][0])

    rows, model = scanned()
    assert rows == 1
    assert "window=2.0 hop=0.5" in model
    monkeypatch.setenv("BATCHEMO_LIMIT", "2")
    assert scanned()[0] == 2
    assert scanned("--limit", "3")[0] == 3


def test_key_at_the_top_applies_to_every_command_that_has_it(
    batchemo: RunCommand,
    config: WriteConfig,
    scan: ScanWith,
    voices: Path,
    tiny_bundle: Bundle,
    tmp_path: Path,
) -> None:
    file = config(
        f'model = "{tiny_bundle.path}"\nmin-age = "0s"\nfeature-set = "mfcc40"\nhop = 1.5\n'
        '[scan]\nsummary = "by.csv"\next = ["wav", "flac"]\n'
    )
    recording = voices / "anna" / "one.wav"
    assert batchemo("predict", recording, "--config", file).code == 0
    assert batchemo("features", recording, "-o", tmp_path / "f.csv", "--config", file).code == 0
    assert scan(file, "--summary", tmp_path / "s.csv").code == 3


def test_postprocessing_can_be_set_in_a_file_and_overridden(
    config: WriteConfig, scan: ScanWith, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    ("text", "message"),
    [
        ("min-aeg = 3", "min-aeg is not an option of `batchemo scan` nor of another command"),
        ("worker = 3", "worker is not an option"),
        ("[scan]\nrecipe = 'x'", "recipe is not an option of `batchemo scan`. Its options are: a"),
        ("[scam]\nlimit = 3", "[scam] is not a command"),
        ("update = 'yes'", "update is a flag: write true or false"),
        ("update = 1", "update is a flag"),
        ("limit = 2.7", "limit: '2.7' is not a valid"),
        ("limit = true", "limit takes one string or number"),
        ("jobs = 0", "jobs: '0' is neither a number from 1 nor auto"),
        ("jobs = 'many'", "neither a number"),
        ("jobs = ", "is not valid TOML"),
        ("hop = ['a']", "hop takes one string or number"),
        ("model = ['a', 3]", "model takes a string or a list of strings"),
        ("ext = 3", "ext takes a string or a list of strings"),
        ("ext = ['wav', 3]", "ext takes a string or a list of strings"),
        ("min-age = '5000d'", "at most 1000d"),
        ("sources = 'x'", "sources is not an option"),
    ],
)
def test_mistake_in_a_file_is_reported_before_any_work(
    config: WriteConfig, scan: ScanWith, tmp_path: Path, text: str, message: str
) -> None:
    ran = scan(config(text))
    assert ran.code == 2
    assert message in ran.err
    assert "min_age" not in ran.err
    assert not (tmp_path / "r.parquet").exists()


def test_unreadable_configuration_is_wrong_usage(
    config: WriteConfig, scan: ScanWith, tmp_path: Path
) -> None:
    assert "no such configuration file" in scan(tmp_path / "nowhere.toml").err
    assert "cannot be read" in scan(tmp_path).err
    config("").write_bytes(b'model = "\xff"')
    ran = scan(tmp_path / "batchemo.toml")
    assert (ran.code, "not in UTF-8" in ran.err) == (2, True)


def test_several_models_are_a_list_in_a_file_and_words_in_a_variable(
    batchemo: RunCommand,
    config: WriteConfig,
    voices: Path,
    make_bundle: Callable[..., Bundle],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [str(make_bundle(name=name, seed=seed).path) for seed, name in enumerate("ab")]
    file = config(f"model = {names}\n")
    recording = voices / "anna" / "one.wav"
    assert batchemo("scan", recording, "-o", tmp_path / "r.parquet", "--config", file).code == 0
    assert "agreement" in pq.read_schema(tmp_path / "r.parquet").names
    none = batchemo("predict", recording, "--config", config("model = []"))
    assert (none.code, "no model is named" in none.err) == (2, True)
    monkeypatch.setenv("BATCHEMO_MODEL", " ".join(names))
    assert "of 2 models" in batchemo("predict", recording).out


def test_list_can_be_written_as_on_the_command_line(
    config: WriteConfig, scan: ScanWith, tmp_path: Path
) -> None:
    assert scan(config('ext = "flac,wav"\nlimit = 1')).code == 0
    assert pq.read_metadata(tmp_path / "r.parquet").num_rows == 1


def test_command_line_can_switch_off_flags_of_a_file(config: WriteConfig, scan: ScanWith) -> None:
    file = config("overwrite = true\nquiet = true")
    assert scan(file).code == 3
    again = scan(file)
    assert (again.code, again.out) == (3, "")
    refused = scan(file, "--no-overwrite", "--hop", "1")
    assert (refused.code, "exists" in refused.err) == (2, True)
    updated = scan(file, "--no-overwrite", "--update", "--no-quiet")
    assert (updated.code, "5 unchanged" in updated.out) == (3, True)


@pytest.mark.parametrize(
    "flag", ["update", "overwrite", "retry-failed", "prune", "hidden", "follow-links", "quiet"]
)
def test_every_flag_of_a_scan_can_be_switched_off(
    config: WriteConfig, scan: ScanWith, flag: str
) -> None:
    needed = "update = true\n" if flag in ("retry-failed", "prune") else ""
    assert scan(config(f"{needed}{flag} = true"), f"--no-{flag}").code == 3
