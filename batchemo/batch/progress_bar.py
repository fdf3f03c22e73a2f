"""The progress bar of a scan that a program starts, in notebooks and terminals."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from batchemo.batch.events import Event, EventHandler, Progressed, ignore_event


@contextmanager
def progress_bar(progress: bool | None) -> Iterator[EventHandler]:
    """Yield an event handler that moves a progress bar; None shows it only to a person."""
    if not (_is_interactive() if progress is None else progress):
        yield ignore_event
        return
    from tqdm.auto import tqdm

    with tqdm(unit=" recordings") as bar:

        def on_event(event: Event) -> None:
            if isinstance(event, Progressed):
                # While the sources are still being listed, a total would be too low.
                bar.total = event.found if event.all_found else None
                hours = f"{event.seconds_read / 3600:.2f}"
                bar.set_postfix(hours=hours, failed=event.failed, refresh=False)
                # A position in the midst of a long recording.
                bar.set_description_str(str(event.most_left[0]) if event.positions else "")
                bar.update(event.done - bar.n)

        yield on_event


def _is_interactive() -> bool:
    """Return whether this is a notebook or has a terminal."""
    return "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty())
