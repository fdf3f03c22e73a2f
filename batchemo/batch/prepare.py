"""Checks all of a scan that can be checked before any work is done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from batchemo.batch.options import ScanOptions
from batchemo.batch.targets import Targets, targets_of
from batchemo.inference.model_set import load_panel
from batchemo.inference.output_schema import Shape
from batchemo.sources import Recording, Sources, Tally, open_sources
from batchemo.tables.columns import reserved_columns


@dataclass(frozen=True, slots=True)
class Prepared:
    """A scan of which all has been checked that can be before any work."""

    options: ScanOptions
    targets: Targets | None
    shape: Shape
    model: str
    sources: Sources

    def recordings(self) -> Iterator[Recording]:
        """Yield the recordings, without the run's own files where they lie among them."""
        return iter(self.sources) if self.targets is None else self.targets.spared(self.sources)


def prepare(options: ScanOptions) -> Prepared:
    """Check the outputs, the models and the sources."""
    targets = targets_of(options)
    panel = load_panel(options.settings)
    options = replace(options, settings=panel.settings)
    asked, segments = options.interpretation, options.segments is not None
    sources = open_sources(options.sources, reserved_columns(panel.labels, panel.names, asked.also))
    shape = panel.shape(asked, options.sources, sources.extras, segments=segments)
    shape.check(options.group_by, targets.files if targets else None)
    return Prepared(options, targets, shape, panel.model, sources)


def problems_of(tally: Tally) -> tuple[str, ...]:
    """Say what of the sources could not be looked at."""
    return tuple(f"{name}: {why}" for name, why in tally.unreadable + tally.rejected)
