"""How long the net takes for a window, by the size of its batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle, islice
from statistics import median
from time import perf_counter

import numpy as np

from batchemo.audio import Failure, listen
from batchemo.common.arrays import Float32
from batchemo.errors import BatchemoError
from batchemo.features import extract
from batchemo.inference.loaded import Tools, load_tools
from batchemo.inference.settings import BATCH_SIZE, Settings
from batchemo.sources import Recording

SIZES = (1, 4, BATCH_SIZE, 64)


def batch_times(
    settings: Settings, recordings: Sequence[Recording], seconds: float
) -> dict[int, float]:
    """Run full batches of each size on features of these recordings, in turn."""
    tools = load_tools(settings)
    heard = list(islice(_items(tools, recordings), max(SIZES)))
    if not heard:
        raise BatchemoError("none of these recordings could be heard: `batchemo scan` tells why")
    items = np.stack(list(islice(cycle(heard), max(SIZES))))
    runtimes = {size: load_tools(replace(settings, batch_size=size)).runtime for size in SIZES}
    taken: dict[int, list[float]] = {size: [] for size in SIZES}
    end = perf_counter() + seconds
    while perf_counter() < end or not all(taken.values()):
        for size, runtime in runtimes.items():
            began = perf_counter()
            runtime.run(items[:size])
            taken[size].append((perf_counter() - began) / size)
    # The first run of a shape makes room for it.
    return {size: median(times[1:] or times) for size, times in taken.items()}


def _items(tools: Tools, recordings: Sequence[Recording]) -> Iterator[Float32]:
    """The features of windows with speech, of what can be heard."""
    for recording in recordings:
        try:
            with listen(recording.path, tools.listening) as heard:
                for window in heard:
                    if window.speech:
                        yield extract(tools.recipe, window.samples, tools.listening.window)
        except Failure:
            continue
