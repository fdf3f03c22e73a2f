"""The features of recordings as one table: the scan's sources and workers, without a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from batchemo import __version__
from batchemo.audio import ListenOptions
from batchemo.batch.chunk_store import folder_beside
from batchemo.batch.events import (
    Advanced,
    Listener,
    RecordingFailed,
    ignore,
)
from batchemo.batch.finish import whole_table
from batchemo.batch.known_rows import Ledger
from batchemo.batch.layout import Layout
from batchemo.batch.output import check_output
from batchemo.batch.plan import Plan
from batchemo.batch.prepare import problems_of
from batchemo.common import locks
from batchemo.common.locks import scratch_folder
from batchemo.common.text import for_display
from batchemo.errors import LockedError
from batchemo.features import Recipe
from batchemo.inference.feature_task import (
    ENDING,
    Gathering,
    Harvest,
    gather,
    given_up,
    in_order,
)
from batchemo.inference.provenance import account_of_sources
from batchemo.inference.settings import TIMEOUT, check_channel
from batchemo.sources import SourceOptions, open_sources
from batchemo.tables.features import FEATURES
from batchemo.tables.write import regroup, with_account
from batchemo.workers.dispatcher import Dispatcher, Finished
from batchemo.workers.executor import LocalProcesses, available_cpus


@dataclass(frozen=True, slots=True)
class ExtractOptions:
    """What to compute of which recordings, and where it goes."""

    sources: SourceOptions
    recipe: Recipe
    output: str
    window: float | None = None
    """Seconds; by default the recipe's own."""
    hop: float | None = None
    """Seconds; by default the window, so that every sound is counted once."""
    channel: str = "mix"
    jobs: int = 0
    timeout: float = TIMEOUT
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_channel(self.channel)

    @property
    def listening(self) -> ListenOptions:
        """How recordings are to be heard."""
        window = self.recipe.window if self.window is None else self.window
        hop = window if self.hop is None else self.hop
        return ListenOptions(rate=self.recipe.rate, window=window, hop=hop, channel=self.channel)


@dataclass(slots=True)
class Extracted:
    """How it went."""

    recordings: int = 0
    failed: int = 0
    windows: int = 0
    seconds: float = 0.0
    bytes: int = 0
    hidden: int = 0
    links: int = 0
    problems: tuple[str, ...] = ()
    """Sources that could not be read."""

    @property
    def exit_code(self) -> int:
        """0 where all is well, 3 where some recordings failed or could not be reached."""
        return 3 if self.failed or self.problems else 0


def run_extract(options: ExtractOptions, listener: Listener = ignore) -> Extracted:
    """Write the table, and tell how it went."""
    path = check_output(options.output, overwrite=options.overwrite)
    sources = open_sources(options.sources, frozenset([*FEATURES, *options.recipe.names]))
    layout = Layout(options.recipe, options.listening.window, sources.extras)
    schema = with_account(layout.schema, account_of(options))
    plan, done = Plan(Ledger("")), Extracted()
    with _spills(path) as folder, scratch_folder() as crumbs:
        workers = options.jobs or available_cpus()
        task = Gathering(options.recipe, options.listening, str(folder), options.timeout)
        dispatcher: Dispatcher[Harvest] = Dispatcher(
            partial(LocalProcesses, str(crumbs)),
            partial(gather, task),
            given_up,
            workers=workers,
            timeout=options.timeout,
            crumbs=str(crumbs),
        )
        with (
            closing(dispatcher.run(plan.chunks(sources))) as finished,
            whole_table(path, schema) as table,
        ):
            chunks = _tell(finished, plan, done, listener)
            batches = (batch for harvest in in_order(chunks) for batch in layout.batches(harvest))
            for piece in regroup(batches, schema):
                table.write(piece)
    done.hidden, done.links = sources.tally.hidden, sources.tally.links
    done.problems = problems_of(sources.tally)
    return done


@contextmanager
def _spills(output: Path) -> Iterator[Path]:
    """Hold the folder beside the output, without what an interrupted run has left there."""
    folder = folder_beside(output)
    try:
        with locks.hold(folder, wait=False):
            _clear(folder)
            try:
                yield folder
            finally:
                _clear(folder)
    except LockedError as error:
        shown = for_display(str(output))
        raise LockedError(
            f"{shown}: another run is writing this table: wait for it, or name another (-o)"
        ) from error


def _clear(folder: Path) -> None:
    for path in folder.glob(f"*{ENDING}"):
        path.unlink()


def _tell(
    finished: Iterator[Finished[Harvest]], plan: Plan, done: Extracted, listener: Listener
) -> Iterator[tuple[int, tuple[Harvest, ...]]]:
    """Count what comes by, and let the listener know."""
    for each in finished:
        for harvest in each.rows:
            done.recordings += 1
            done.windows += len(harvest.windows)
            done.seconds += harvest.duration or 0.0
            if harvest.reason is not None:
                done.failed += 1
                detail = harvest.detail or ""
                listener(RecordingFailed(harvest.root, harvest.file, harvest.reason, detail))
        done.bytes += each.chunk.bytes
        listener(
            Advanced(
                done=done.recordings,
                failed=done.failed,
                found=plan.tally.to_do,
                kept=0,
                all_found=plan.tally.whole,
                seconds=done.seconds,
                bytes_done=done.bytes,
                bytes_found=plan.tally.bytes,
            )
        )
        yield each.chunk.number, each.rows


def account_of(options: ExtractOptions) -> dict[str, Any]:
    """Tell what can change the rows."""
    listening = options.listening
    return {
        "batchemo": __version__,
        "features": options.recipe.to_dict(),
        "window": listening.window,
        "hop": listening.hop,
        "options": {"channel": listening.channel},
        "sources": account_of_sources(options.sources),
    }
