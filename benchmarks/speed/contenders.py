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
    """One of them. `recipe` is that of the model, for those who compute it themselves."""

    name: str
    title: str
    module: str = ""
    """Of the package `others`; none is batchemo itself."""
    model: str = ""
    recipe: str = ""
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
            words += ["--model", str(keras), "--recipe", self.recipe]
        return words


def contenders(jobs: int) -> list[Contender]:
    """All of them, on that many processes."""
    given, some, every = ("given",), ("given", "short"), ("given", "short", "long", "mix")
    net, processes = ("keras", "librosa"), f"{jobs} processes"
    ours = Contender(
        "default", f"batchemo, `default`, {processes}", model="default", jobs=jobs, corpora=every
    )
    loop = Contender(
        "loop", "(1) the loop, `default`", "loop", "default", "joint", 1, 40, some, needs=net
    )
    batch = Contender(
        *(
            "batch",
            "(2) joblib + librosa, `default`",
            "batch",
            "default",
            "joint",
            jobs,
            200,
            every,
        ),
        needs=net,
    )
    frames62: dict[str, Any] = {
        "model": "frames62",
        "recipe": "frames62",
        "corpora": given,
        "beside": "frames62",
    }
    features = Contender(
        "opensmile",
        "(3) openSMILE, features only",
        "smile",
        jobs=jobs,
        most=80,
        needs=("opensmile",),
    )
    return [
        ours,
        replace(
            ours, name="default-1", title="batchemo, `default`, 1 process", jobs=1, corpora=given
        ),
        replace(ours, name="frames62", title=f"batchemo, `frames62`, {processes}", **frames62),
        loop,
        replace(
            loop,
            name="loop-overlap",
            title="(1) the same, all windows that batchemo hears",
            more=("--overlap",),
            corpora=given,
        ),
        replace(
            loop,
            name="loop-own",
            title="(1) the same, batchemo's features",
            more=("--overlap", "--our-features"),
            corpora=given,
        ),
        replace(loop, name="loop-frames62", title="(1) the loop, `frames62`", **frames62),
        batch,
        replace(batch, name="batch-frames62", title="(2) joblib + librosa, `frames62`", **frames62),
        features,
        replace(
            features,
            name="audinterface",
            title="(3) audinterface + librosa, features only",
            module="interface",
            most=200,
            needs=("audinterface", "librosa"),
        ),
        Contender("floor", "(4) the floor", "floor", jobs=jobs, corpora=every),
    ]


def contender_of(name: str, contenders: Sequence[Contender]) -> Contender:
    """The contender of that name."""
    return next(contender for contender in contenders if contender.name == name)
