"""Checks all of a scan that can be checked before any work is done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from batchemo.bundles import load_bundle
from batchemo.scan.account import account_of, check_windows, model_id, settled
from batchemo.scan.options import ScanOptions
from batchemo.scan.shape import Shape
from batchemo.scan.targets import Targets, targets_of
from batchemo.sources import Recording, Sources, Tally, open_sources
from batchemo.tables.schema import reserved_columns


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
        targets = self.targets
        for recording in self.sources:
            if targets is None or not targets.owns(recording.path):
                yield recording


def prepare(options: ScanOptions) -> Prepared:
    """Check the outputs, the model and the sources."""
    targets = targets_of(options)
    bundle = load_bundle(options.settings.model)
    check_windows(bundle, options.settings)
    options = replace(options, settings=settled(bundle, options.settings))
    sources = open_sources(options.sources, reserved_columns(bundle.labels))
    account = account_of(bundle, options.settings, options.sources)
    shape = Shape(bundle.labels, sources.extras, options.segments is not None, account)
    shape.check(options.group_by, targets)
    return Prepared(options, targets, shape, model_id(bundle, options.settings), sources)


def problems_of(tally: Tally) -> tuple[str, ...]:
    """Say what of the sources could not be looked at."""
    return tuple(f"{name}: {why}" for name, why in tally.unreadable + tally.rejected)
