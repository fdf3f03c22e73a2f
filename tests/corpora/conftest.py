"""Corpora of tiny made recordings, each with a content of its own."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

Make = Callable[..., Path]


@pytest.fixture
def make_folder(tmp_path: Path) -> Make:
    """Makes a folder of recordings: `make_folder("DC/a01.wav", "JE/a01.wav", at="savee")`."""

    def make(*files: str, at: str = "corpus") -> Path:
        for file in files:
            path = tmp_path / at / file
            path.parent.mkdir(parents=True, exist_ok=True)
            random = np.random.default_rng(zlib.crc32(file.encode()))
            soundfile.write(path, random.normal(scale=0.1, size=400), 8000)
        return tmp_path / at

    return make


@pytest.fixture
def make_manifest(make_folder: Make) -> Make:
    """Makes a manifest and its recordings: `make_manifest("file,label", "a.wav,sad")`."""

    def make(*lines: str, name: str = "manifest.csv") -> Path:
        files = [line.split("\t" if "\t" in line else ",")[0] for line in lines[1:] if line]
        manifest = make_folder(*dict.fromkeys(files)) / name
        manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return manifest

    return make
