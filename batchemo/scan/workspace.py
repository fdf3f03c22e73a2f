"""What lies on disk around an output: the lock, the parts, what earlier runs left to build on."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from batchemo.errors import UsageError
from batchemo.scan import lock
from batchemo.scan.earlier import adopt
from batchemo.scan.finish import Reader, Shape, Targets
from batchemo.scan.ledger import EARLIER, Ledger
from batchemo.scan.options import STDOUT, ScanOptions
from batchemo.scan.parts import Parts, folder_beside
from batchemo.tables.write import table_format

if TYPE_CHECKING:
    import pyarrow as pa

_INTENT = "intent.json"
PARTS_AT_HAND = 8


def targets_of(options: ScanOptions) -> Targets | None:
    """Check the names of all outputs; None where nothing goes to a file."""
    if options.output is None or options.output == STDOUT:
        if options.segments or options.summary:
            raise UsageError("--segments and --summary need a file for the main table: -o FILE")
        return None
    targets = Targets(
        Path(options.output),
        Path(options.segments) if options.segments else None,
        Path(options.summary) if options.summary else None,
    )
    if len({path.resolve() for path in targets.all()}) < len(targets.all()):
        raise UsageError("-o, --segments and --summary must name different files")
    for path in targets.all():
        table_format(path)
        if path.is_dir():
            raise UsageError(
                f"{path} is a folder: name a file in it, such as {path}/results.parquet"
            )
        if not path.parent.is_dir():
            raise UsageError(f"{path.parent}: there is no such folder to write to; make it first")
    return targets


@contextmanager
def locked_parts(options: ScanOptions, targets: Targets | None) -> Iterator[Parts]:
    """Hold the folder of parts of the output, or a passing one where there is no output file."""
    if targets is None:
        with tempfile.TemporaryDirectory(prefix="batchemo-") as passing:
            yield Parts(Path(passing))
        return
    folder = folder_beside(targets.files)
    with lock.hold(folder, wait=options.if_locked == "wait"):
        refuse_surprises(options, targets)
        (folder / _INTENT).write_text(json.dumps(_mode(options)))
        parts = Parts(folder)
        yield parts
        parts.discard()
        (folder / _INTENT).unlink()


def _mode(options: ScanOptions) -> str:
    return "update" if options.update else "overwrite" if options.overwrite else "new"


def refuse_surprises(options: ScanOptions, targets: Targets) -> None:
    """Refuse to replace what exists unless asked to, or unless it is this very run's own.

    A run that was killed between the naming of its tables and its very end has left its intent.
    """
    there = [path for path in targets.all() if path.exists()]
    if options.update or options.overwrite or not there:
        return
    intent = folder_beside(targets.files) / _INTENT
    if intent.exists() and intent.read_text() == json.dumps("new"):
        return
    raise UsageError(
        f"{there[0]} exists. --update analyses only what is new or changed since; "
        "--overwrite begins anew; another name (-o) keeps both"
    )


def load_ledger(
    options: ScanOptions, targets: Targets | None, parts: Parts, shape: Shape, model: str
) -> Ledger:
    """Enter what the earlier table and the parts of interrupted runs hold."""
    ledger = Ledger(model, options.retry_failed)
    if targets is None:
        return ledger
    if options.update and targets.files.exists():
        earlier = adopt(targets.files, targets.segments, shape.labels, shape.extras)
        parts.write_earlier(earlier.batches, earlier.schema)
        table = parts.read_earlier()
        first = 0
        for batch in table.to_batches():
            ledger.add(EARLIER, first, batch, complete=earlier.complete)
            first += batch.num_rows
    enter_parts(ledger, parts, shape)
    return ledger


def enter_parts(ledger: Ledger, parts: Parts, shape: Shape) -> None:
    """Enter what interrupted runs had finished."""
    for number in parts.numbers():
        table = parts.read(number, shape.part())
        if table is not None:
            for batch in table.combine_chunks().to_batches():
                ledger.add(number, 0, batch)


def reader_of(parts: Parts, schema: pa.Schema) -> Reader:
    """Give a reader of sources that keeps the last few at hand."""

    @lru_cache(maxsize=PARTS_AT_HAND)
    def read(source: int) -> pa.Table:
        if source == EARLIER:
            return parts.read_earlier()
        table = parts.read(source, schema)
        if table is None:
            raise OSError(f"part {source} in {parts.folder} was damaged while the scan ran")
        return table

    return read
