"""The contenders: batchemo, the alternatives to it, and a lower bound, each as a command."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from batchemo.workers.executor import available_cpus
from speed.commands import BATCHEMO, CHECKOUT

ALL = sys.maxsize


@dataclass(frozen=True)
class Contender:
    """A command that is measured."""

    name: str
    title: str
    module: str = ""
    """The module of the package `others`; none is batchemo itself."""
    model: str = ""
    features: str = ""
    """The feature set of the model, for commands that compute it themselves."""
    jobs: int = 1
    max_recordings: int = ALL
    """Slow contenders are measured on fewer recordings."""
    corpora: tuple[str, ...] = ("given",)
    options: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    baseline: str = "default"
    """The contender of batchemo's whose time it is compared with."""

    @property
    def missing(self) -> tuple[str, ...]:
        """The packages that it requires and that are not installed."""
        return tuple(name for name in self.requires if find_spec(name) is None)

    def command(self, folder: Path, output: Path) -> Sequence[str]:
        """Return the command that runs it on a folder; only batchemo writes an output."""
        if not self.module:
            # As a user would: with few recordings, fewer processes than processors.
            jobs = "auto" if self.jobs == available_cpus() else str(self.jobs)
            scan = ["scan", str(folder), "--ext", "audio", "-m", self.model, "-j", jobs]
            return [*BATCHEMO, *scan, "-o", str(output), "--overwrite", "-q"]
        command = [sys.executable, "-m", f"others.{self.module}", str(folder)]
        command += ["--jobs", str(self.jobs), *self.options]
        if self.model:
            keras = CHECKOUT / "models" / self.model / "model.keras"
            command += ["--model", str(keras), "--features", self.features]
        return command


def find_contender(name: str, contenders: Sequence[Contender]) -> Contender:
    """Return the contender of that name."""
    return next(contender for contender in contenders if contender.name == name)


EVERY_CORPUS = ("given", "short", "long", "mix")
FRAMES62: dict[str, Any] = {"model": "frames62", "features": "frames62", "baseline": "frames62"}


def contenders(jobs: int) -> list[Contender]:
    """Return all contenders; those that can use several processes get `jobs` of them."""
    floor = Contender("floor", "(4) the floor", "floor", jobs=jobs, corpora=EVERY_CORPUS)
    loop = Contender(
        *("loop", "(1) the loop, `melattn`", "loop", "melattn", "logmel128"),
        max_recordings=40,
        corpora=("given", "short"),
        requires=("keras", "librosa"),
    )
    return [
        *_batchemo(jobs),
        *_loops(loop),
        *_joblib_scripts(loop, jobs),
        *_feature_extractors(jobs),
        floor,
    ]


def _batchemo(jobs: int) -> list[Contender]:
    default = Contender(
        "default", "batchemo, `default`", model="default", jobs=jobs, corpora=EVERY_CORPUS
    )
    one = replace(default, name="default-1", title="batchemo, `default`, 1 process", jobs=1)
    frames62 = replace(default, name="frames62", title="batchemo, `frames62`", **FRAMES62)
    return [
        default,
        replace(one, corpora=("given", "long")),
        replace(frames62, corpora=("given",)),
    ]


def _loops(loop: Contender) -> list[Contender]:
    variants: list[dict[str, Any]] = [
        {
            "name": "loop-overlap",
            "title": "(1) the same, all windows that batchemo reads",
            "options": ("--overlap",),
        },
        {
            "name": "loop-own",
            "title": "(1) the same, all windows, batchemo's features",
            "options": ("--overlap", "--batchemo-features"),
        },
        {"name": "loop-frames62", "title": "(1) the loop, `frames62`", **FRAMES62},
    ]
    return [loop, *(replace(loop, corpora=("given",), **variant) for variant in variants)]


def _joblib_scripts(loop: Contender, jobs: int) -> list[Contender]:
    default = replace(
        loop,
        name="batch",
        title="(2) joblib + librosa, `melattn`",
        module="batch",
        jobs=jobs,
        max_recordings=200,
        corpora=EVERY_CORPUS,
    )
    title = "(2) joblib + librosa, `frames62`"
    frames62 = replace(default, name="batch-frames62", title=title, corpora=("given",), **FRAMES62)
    return [default, frames62]


def _feature_extractors(jobs: int) -> list[Contender]:
    opensmile = Contender(
        *("opensmile", "(3) openSMILE, features only", "opensmile_features"),
        jobs=jobs,
        max_recordings=80,
        requires=("opensmile",),
    )
    audinterface = Contender(
        *("audinterface", "(3) audinterface + librosa, features only", "audinterface_features"),
        jobs=jobs,
        max_recordings=200,
        requires=("audinterface", "librosa"),
    )
    return [opensmile, audinterface]
