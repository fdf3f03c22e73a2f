"""The commands of docs/adapt.md, one after another: scan, answer, adapt, scan again."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from command_line import RunCommand

from batchemo.bundles import Bundle
from batchemo.tables.embeddings import read_embeddings
from batchemo.tables.labels import Answer, LabelsFile

REPOSITORY = Path(__file__).parents[2]
VOICES = REPOSITORY / "examples" / "recordings" / "voices"


def commands() -> dict[str, list[str]]:
    """Return the words of the page's commands, without `batchemo`, by the name of the command."""
    page = (REPOSITORY / "docs" / "adapt.md").read_text(encoding="utf-8")
    found = [shlex.split(line)[1:] for line in re.findall(r"^ +\$ (batchemo .*)$", page, re.M)]
    assert [words[0] for words in found] == ["scan", "review", "adapt", "scan"]
    return {f"{words[0]} {index}": words for index, words in enumerate(found)}


def test_the_page_leads_from_a_folder_to_a_table_of_an_adapted_model(
    batchemo: RunCommand,
    inline_workers: None,
    make_bundle: Callable[..., Bundle],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    outputs = {"embedding": {"name": "hidden", "size": 5}}
    make_bundle(folder=tmp_path / "tiny", waveform=True, outputs=outputs, name="tiny")
    for copy in range(3):
        shutil.copytree(VOICES, tmp_path / "calls" / str(copy))
    steps = {
        name: [word.replace("accurate", "./tiny") for word in words]
        for name, words in commands().items()
    }

    ran = batchemo(*steps["scan 0"])
    assert ran.code == 0, ran.err

    # Somebody listens, as a reviewer who finds loud recordings angry would.
    found = read_embeddings("e.parquet")
    loud = np.abs(found.matrix[:, 0])
    labels = LabelsFile("labels.csv")
    for (root, file), level in zip(found.recordings, loud, strict=True):
        label = "angry" if level > np.median(loud) else "sad"
        labels.append(Answer(root, file, None, None, label, "anna"))

    ran = batchemo(*steps["adapt 2"])
    assert ran.code == 0, ran.out + ran.err
    assert "24 answers" in ran.out

    ran = batchemo(*steps["scan 3"])
    assert ran.code == 0, ran.err
    assert "0 recordings analysed" in ran.out
    updated = Path("calls.parquet").read_bytes()
    rows = pq.read_table("calls.parquet").to_pylist()
    assert {row["model"].partition("@")[0] for row in rows} == {"mine"}
    labels.update()
    answers = {answer.file: answer.label for answer in labels.labels.answers}
    right = [answers[row["file"]] == row["emotion"] for row in rows]
    assert sum(right) >= 20

    # A scan that decodes everything again ends in the same bytes.
    words = [word for word in steps["scan 3"] if word != "--update"]
    ran = batchemo(*words, "--overwrite")
    assert "24 recordings analysed" in ran.out
    assert Path("calls.parquet").read_bytes() == updated
