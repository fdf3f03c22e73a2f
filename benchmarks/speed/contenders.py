"""Who is measured: batchemo, what people would use instead, and the floor, each as a command."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from speed.commands import BATCHEMO, CHECKOUT

EVERYTHING = sys.maxsize


@dataclass(frozen=True)
class Contender:
    """One of them. `features` is the feature set of the model, for those who compute it themselves."""

    name: str
    title: str
    module: str = ""
    """Of the package `others`; none is batchemo itself."""
    model: str = ""
    features: str = ""
    jobs: int = 1
    most: int = EVERYTHING
    """Recordings that it is given: what is slow is measured on fewer."""
    corpora: tuple[str, ...] = ("given",)
    more: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    beside: str = "default"
    """Whose time it is compared with."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Packages that it needs and that are not installed."""
        return tuple(name for name in self.needs if find_spec(name) is None)

    def command(self, folder: Path, output: Path) -> Sequence[str]:
        """The words that run it on a folder; only batchemo writes an output."""
        if not self.module:
            words = ["scan", str(folder), "--ext", "audio", "-m", self.model, "-j", str(self.jobs)]
            return [*BATCHEMO, *words, "-o", str(output), "--overwrite", "-q"]
        words = [sys.executable, "-m", f"others.{self.module}", str(folder)]
        words += ["--jobs", str(self.jobs), *self.more]
        if self.model:
            keras = CHECKOUT / "models" / self.model / "model.keras"
            words += ["--model", str(keras), "--features", self.features]
        return words


GIVEN, SOME, EVERY = ("given",), ("given", "short"), ("given", "short", "long", "mix")
FRAMES62: dict[str, Any] = {"model": "frames62", "features": "frames62", "beside": "frames62"}


def contenders(jobs: int) -> list[Contender]:
    """All of them, on that many processes."""
    floor = Contender("floor", "(4) the floor", "floor", jobs=jobs, corpora=EVERY)
    loop = Contender(
        *("loop", "(1) the loop, `default`", "loop", "default", "combined"),
        most=40,
        corpora=SOME,
        needs=("keras", "librosa"),
    )
    return [*_ours(jobs), *_loops(loop), *_batches(loop, jobs), *_features(jobs), floor]


def _ours(jobs: int) -> list[Contender]:
    default = Contender("default", "batchemo, `default`", model="default", jobs=jobs, corpora=EVERY)
    one: dict[str, Any] = {
        "name": "default-1",
        "title": "batchemo, `default`, 1 process",
        "jobs": 1,
    }
    frames62 = {"name": "frames62", "title": "batchemo, `frames62`"}
    return [
        default,
        replace(default, corpora=GIVEN, **one),
        replace(default, corpora=GIVEN, **frames62, **FRAMES62),
    ]


def _loops(loop: Contender) -> list[Contender]:
    overlap, own = ("--overlap",), ("--overlap", "--our-features")
    titles = {
        "loop-overlap": "(1) the same, all windows that batchemo hears",
        "loop-own": "(1) the same, all windows, batchemo's features",
        "loop-frames62": "(1) the loop, `frames62`",
    }
    again = {name: replace(loop, name=name, title=titles[name], corpora=GIVEN) for name in titles}
    return [
        loop,
        replace(again["loop-overlap"], more=overlap),
        replace(again["loop-own"], more=own),
        replace(again["loop-frames62"], **FRAMES62),
    ]


def _batches(loop: Contender, jobs: int) -> list[Contender]:
    default = replace(
        loop,
        name="batch",
        title="(2) joblib + librosa, `default`",
        module="batch",
        jobs=jobs,
        most=200,
        corpora=EVERY,
    )
    title = "(2) joblib + librosa, `frames62`"
    return [
        default,
        replace(default, name="batch-frames62", title=title, corpora=GIVEN, **FRAMES62),
    ]


def _features(jobs: int) -> list[Contender]:
    smile = Contender(
        *("opensmile", "(3) openSMILE, features only", "smile"),
        jobs=jobs,
        most=80,
        needs=("opensmile",),
    )
    interface = Contender(
        *("audinterface", "(3) audinterface + librosa, features only", "interface"),
        jobs=jobs,
        most=200,
        needs=("audinterface", "librosa"),
    )
    return [smile, interface]


def contender_of(name: str, contenders: Sequence[Contender]) -> Contender:
    """The contender of that name."""
    return next(contender for contender in contenders if contender.name == name)
