"""A bar for terminals and notebooks, moved by the events of a scan that a program runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from batchemo.batch.events import (
    Advanced,
    Event,
    EventHandler,
    ignore_event,
)


@contextmanager
def bar_for(progress: bool | None) -> Iterator[EventHandler]:
    """Give a listener that moves a bar; None shows one only where somebody can watch it."""
    if not (_watched() if progress is None else progress):
        yield ignore_event
        return
    from tqdm.auto import tqdm

    with tqdm(unit=" files") as bar:

        def listen(event: Event) -> None:
            if isinstance(event, Advanced):
                bar.total = event.found if event.all_found else None
                bar.set_postfix(hours=f"{event.seconds / 3600:.2f}", failed=event.failed)
                bar.update(event.done - bar.n)

        yield listen


def _watched() -> bool:
    return "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty())
