"""docs/long-recordings.md, from an interview and the JSON of whisperX to tiers in ELAN."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
from command_line import RunCommand
from voices import voice

from batchemo.bundles import Bundle

DOCS = Path(__file__).parents[2] / "docs" / "long-recordings.md"
RATE = 16_000


def test_the_interview_of_the_guide_becomes_coloured_tiers(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    batchemo: RunCommand,
    inline_workers: None,
    tiny_bundle: Bundle,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BATCHEMO_MODEL", str(tiny_bundle.path))
    soundfile.write("interview.wav", np.concatenate([voice(4.0), voice(4.0, seed=1)]), RATE)
    segments = [
        {"start": 0.2, "end": 3.8, "text": " How was it?", "speaker": "SPEAKER_00"},
        {"start": 4.1, "end": 7.9, "text": " Well.", "speaker": "SPEAKER_01", "words": []},
    ]
    Path("interview.json").write_text(json.dumps({"segments": segments, "language": "en"}))
    guide = DOCS.read_text(encoding="utf-8").partition("## An interview, from audio")[2]
    commands = re.findall(r"^    batchemo (.+)$", guide.partition("\n## ")[0], re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["scan", "export", "summary"]
    for command in commands:
        ran = batchemo(*shlex.split(command))
        assert ran.code == 0, ran.err
    assert "SPEAKER_01" in ran.out

    document = ElementTree.parse("tiers/interview.eaf")
    tiers = {tier.get("TIER_ID"): len(tier) for tier in document.iter("TIER")}
    assert tiers == {"SPEAKER_00": 1, "SPEAKER_01": 1}
    times = [slot.get("TIME_VALUE") for slot in document.iter("TIME_SLOT")]
    assert times == ["200", "3800", "4100", "7900"]
    media = document.find("HEADER/MEDIA_DESCRIPTOR")
    assert media is not None
    assert media.get("MEDIA_URL") == (tmp_path / "interview.wav").as_uri()
    colours = {
        each.get("key"): each.findtext("Object")
        for each in ElementTree.parse("tiers/interview.pfsx").iter("pref")
    }
    assert colours.keys() == tiers.keys()
    assert len(set(colours.values())) == 2
