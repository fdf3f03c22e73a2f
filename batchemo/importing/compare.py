"""Whether a bundle gives what its source gives: both are run on recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from batchemo.audio import Failure, Window, WindowConfig, read_windows
from batchemo.bundles import Bundle, softmax
from batchemo.bundles.bundle import ForwardFn
from batchemo.bundles.onnx_model import open_graph
from batchemo.common.arrays import Float32, Float64
from batchemo.diagnostics.throughput import bench_recordings
from batchemo.errors import BundleError
from batchemo.importing.options import Original
from batchemo.sources import Recording, SourceOptions

TOLERANCE = 1e-4
"""How far an output may be from the source's, as a share of its largest number if that is above
1."""
MAX_RECORDINGS = 20
MAX_WINDOWS = 5
"""Of each recording."""
_BATCH = 4


@dataclass(frozen=True, slots=True)
class Comparison:
    """A bundle and its source on the same recordings."""

    recordings: int
    windows: int
    are_synthetic: bool
    """Whether they were made for it, as none were named."""
    differences: Mapping[str, float]
    """The largest one of each output."""
    tolerances: Mapping[str, float]
    same_label: float | None
    """The share of windows with the same likeliest label; None for a model without labels."""

    @property
    def is_close(self) -> bool:
        """Whether the outputs are the same but for rounding."""
        # Written so that a difference that is no number is none that is allowed.
        return all(self.differences[kind] <= self.tolerances[kind] for kind in self.differences)

    def sentence(self) -> str:
        """Say how it ended.

        >>> Comparison(2, 3, False, {"classes": 1e-7}, {"classes": 1e-4}, 1.0).sentence()
        'On 3 windows of 2 recordings ... 1.0e-07 (classes), and the same label is ... 100.0 % ...'
        """
        what = "synthetic recordings" if self.are_synthetic else "recordings"
        largest = ", ".join(f"{value:.1e} ({kind})" for kind, value in self.differences.items())
        same = ""
        if self.same_label is not None:
            same = f", and the same label is the likeliest on {self.same_label:.1%} of them"
            same = same.replace("%", " %")
        return (
            f"On {self.windows} windows of {self.recordings} {what} the largest difference is "
            f"{largest}{same}."
        )


def compare(bundle: Bundle, original: Original, sources: Sequence[str]) -> Comparison:
    """Run both on recordings of these files and folders; where there are none, on made ones.

    The bundle gets windows of equal length in batches, the source each of them alone.
    """
    forward = open_graph(bundle)
    with bench_recordings(SourceOptions(paths=tuple(sources))) as (found, _):
        recordings = found[:: -(-len(found) // MAX_RECORDINGS)]
        by_recording = [windows for each in recordings if (windows := _windows(bundle, each))]
    windows = [window for each in by_recording for window in each]
    if not windows:
        raise BundleError("none of the recordings to compare on could be decoded")
    found_outputs = _bundle_outputs(bundle, forward, windows)
    differences: dict[str, float] = {}
    tolerances: dict[str, float] = {}
    same = []
    for window, outputs in zip(windows, found_outputs, strict=True):
        for kind, expected in original(window.samples).items():
            actual = outputs[kind]
            difference = float(np.abs(actual - expected).max())
            scale = max(1.0, float(np.abs(expected).max()))
            differences[kind] = max(differences.get(kind, 0.0), difference, key=_nan_last)
            tolerances[kind] = max(tolerances.get(kind, 0.0), TOLERANCE * scale)
            if kind in ("classes", "probabilities"):
                same.append(int(actual.argmax()) == int(expected.argmax()))
    return Comparison(
        len(by_recording),
        len(windows),
        not sources,
        differences,
        tolerances,
        sum(same) / len(same) if same else None,
    )


def _nan_last(value: float) -> float:
    return np.inf if np.isnan(value) else value


def _windows(bundle: Bundle, recording: Recording) -> list[Window]:
    """Return the first windows of a recording, none of one that cannot be decoded."""
    config = WindowConfig(rate=bundle.rate, window=bundle.window, hop=bundle.hop)
    windows = []
    try:
        with read_windows(recording.address, config) as reader:
            for window in reader:
                windows.append(window)
                if len(windows) == MAX_WINDOWS:
                    break
    except Failure:
        return []
    return windows


def _bundle_outputs(
    bundle: Bundle, forward: ForwardFn, windows: Sequence[Window]
) -> list[Mapping[str, Float32 | Float64]]:
    by_shape: dict[tuple[int, ...], list[tuple[int, Float32]]] = {}
    for index, window in enumerate(windows):
        prepared = bundle.input.prepare(window.samples, bundle.window)
        by_shape.setdefault(prepared.shape, []).append((index, prepared))
    results: dict[int, Mapping[str, Float32 | Float64]] = {}
    size = bundle.input.batch_size or _BATCH
    for group in by_shape.values():
        for start in range(0, len(group), size):
            part = group[start : start + size]
            # Filled up with zeros, as in a scan.
            batch = np.zeros((size, *part[0][1].shape), np.float32)
            batch[: len(part)] = [each for _, each in part]
            outputs = dict[str, Float32 | Float64](forward(batch))
            if "classes" in outputs:
                outputs["probabilities"] = softmax(outputs["classes"])
            for row, (index, _) in enumerate(part):
                results[index] = {kind: values[row] for kind, values in outputs.items()}
    return [results[index] for index in range(len(windows))]
