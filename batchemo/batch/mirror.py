"""Outputs in buckets: a run works on copies in a temporary folder, and keeps the bucket up to date.

    s3://bucket/out/results.parquet                the table; the last one to get its name
    s3://bucket/out/results.parquet.chunks/lock    the lock (storage/lease.py)
    .../results.parquet.chunks/000000000.chunk.arrow, naming.json    as on a disk (chunk_store.py)
    s3://bucket/out/_batchemo.json, KEY=VALUE/...  a partitioned table (tables/partitions.py)

What is there is fetched when a run begins. Every file that gets its name in the folder is put into
the bucket at once, and what is removed here is removed there, in the same order. So a run goes on
after an interruption, on another machine too, as one on a disk does, by the same code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from batchemo.batch.chunk_store import STORE_SUFFIX, store_folder
from batchemo.batch.options import ScanOptions
from batchemo.batch.outputs import check_output, table_exists
from batchemo.common.locks import LOCK_NAME, scratch_folder
from batchemo.common.text import for_display
from batchemo.errors import BatchemoError, UsageError
from batchemo.storage import lease
from batchemo.storage.requests import delete, download, exists, list_objects, upload
from batchemo.storage.url import is_bucket, is_url, split_access, split_url
from batchemo.tables.partitions import (
    MANIFEST,
    bucket_holds_others,
    fetch_partitions,
    put_partitions,
)
from batchemo.tables.write import table_format

_FETCHED_AT_ONCE = 16


class Mirror:
    """The copies of some outputs, in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._urls: dict[Path, str] = {}
        """Of each folder that holds an output and what lies beside it."""
        self._leases: list[lease.Lease] = []

    def local(self, url: str) -> Path:
        """Return the copy of an output, which need not be there."""
        parent, _, name = folder_url(url).rpartition("/")
        for folder, known in self._urls.items():
            if known == parent:
                return folder / name
        folder = self._folder / f"{len(self._urls)}"
        folder.mkdir()
        self._urls[folder] = parent
        return folder / name

    def url(self, path: Path) -> str | None:
        """Return what a path is the copy of; None if of nothing."""
        for folder, url in self._urls.items():
            if path.is_relative_to(folder):
                return f"{url}/{path.relative_to(folder)}"
        return None

    def hold(self, url: str, stack: ExitStack, *, wait: bool) -> None:
        """Hold the lock of an output until the stack is closed."""
        lock = f"{url}{STORE_SUFFIX}/{LOCK_NAME}"
        self._leases.append(stack.enter_context(lease.hold(lock, wait=wait)))

    def fetch(self, url: str, *, table: bool = True, partitioned: bool = False) -> None:
        """Copy what is there of an output: the table and the finished chunks of its store."""
        path = self.local(url)
        names = list(self._stored(url))
        if partitioned:
            _refuse_others(url)
        if table:
            with suppress(FileNotFoundError):
                (fetch_partitions if partitioned else download)(url, path)
        if names:
            store_folder(path).mkdir()
        with ThreadPoolExecutor(_FETCHED_AT_ONCE) as threads:
            for copied in [
                threads.submit(download, f"{url}{STORE_SUFFIX}/{name}", store_folder(path) / name)
                for name in names
            ]:
                copied.result()

    def _stored(self, url: str) -> Iterator[str]:
        for info in list_objects(f"{url}{STORE_SUFFIX}"):
            name = info.key.rpartition("/")[2]
            if name != LOCK_NAME:
                yield name

    def put(self, path: Path) -> None:
        """Put a file that has got its name into the bucket; do nothing if it is no copy."""
        url = self.url(path)
        if url is None:
            return
        self._check()
        if path.is_dir():
            put_partitions(path, url, self._check)
        else:
            upload(path, url)

    def remove(self, paths: Iterable[Path]) -> None:
        """Remove from the bucket what was removed here."""
        urls = [url for url in map(self.url, paths) if url is not None]
        self._check()
        delete(urls)

    def _check(self) -> None:
        """Raise `LockedError` if a lock is no longer ours."""
        for held in self._leases:
            held.check()

    @contextmanager
    def named_as_there(self) -> Iterator[None]:
        """Let the errors of a block name objects, and not their copies."""
        try:
            yield
        except BatchemoError as error:
            if isinstance(error.__cause__, OSError):
                raise  # Of this machine's disk, which is full; or it names an object anyway.
            text = str(error)
            for folder, url in self._urls.items():
                text = text.replace(str(folder), url)
            raise type(error)(text) from error


def check_bucket(url: str) -> None:
    """Raise `UsageError` for a URL that is not of a bucket, or holds something secret."""
    shown = split_access(url)[0]
    if not is_bucket(url):
        raise UsageError(
            f"{for_display(shown)}: a web address can neither be listed nor written to"
        )


def check_bucket_output(url: str) -> None:
    """Raise `UsageError` for a URL that no table can be written to."""
    check_bucket(url)
    if url.endswith("/") or not split_url(url)[1]:
        shown = for_display(url.rstrip("/"))
        raise UsageError(
            f"{shown}/: name an object, such as {shown}/results.parquet; with --partition-by what"
            f" the objects lie below, such as {shown}/results/"
        )


def folder_url(url: str) -> str:
    """Return the name of what is to be like a folder in a bucket, without the slash at its end."""
    return url.rstrip("/")


def _refuse_others(url: str) -> None:
    """Raise `UsageError` where there are objects that are none of a partitioned table."""
    if not exists(f"{url}/{MANIFEST}") and bucket_holds_others(url):
        raise UsageError(
            f"{for_display(url)}/: there are other objects here: name a new place for the table"
        )


@contextmanager
def open_mirror(options: ScanOptions, *, lock: bool = True) -> Iterator[Mirror | None]:
    """Copy what is there of a scan's outputs in buckets, and hold their locks; None without any."""
    parted = None
    outputs = [options.output, options.segments, options.summary, options.embeddings]
    if options.partition_by is not None:
        outputs[0] = parted = folder_url(str(options.output))
    urls = sorted({output for output in outputs if output is not None and is_url(output)})
    for url in urls:
        check_bucket_output(url)
    if not urls:
        yield None
        return
    with ExitStack() as stack:
        mirror = Mirror(stack.enter_context(scratch_folder()))
        stack.enter_context(mirror.named_as_there())
        try:
            for url in urls:
                if lock:
                    mirror.hold(url, stack, wait=options.if_locked == "wait")
            for url in urls:
                mirror.fetch(url, table=not options.overwrite, partitioned=url == parted)
        except OSError as error:
            raise BatchemoError(
                f"{for_display(str(error.filename))}: {error.strerror}: this output cannot be used"
            ) from error
        yield mirror


@contextmanager
def single_output(output: str, *, overwrite: bool) -> Iterator[Path]:
    """Yield where to write a single table; put it into the bucket when the block ends well."""
    if not is_url(output):
        yield check_output(output, overwrite=overwrite)
        return
    check_bucket_output(output)
    table_format(output)
    if not overwrite and exists(output):
        raise table_exists(output)
    with scratch_folder() as folder:
        path = folder / output.rpartition("/")[2]
        yield path
        upload(path, output)


@contextmanager
def local_tables(folder: str) -> Iterator[Path]:
    """Yield a folder with the tables that lie in a folder of a bucket; others as they are."""
    if not is_url(folder):
        yield Path(folder)
        return
    check_bucket(folder)
    mirror_of = folder_url(folder)
    with scratch_folder() as scratch:
        mirror = Mirror(scratch)
        with mirror.named_as_there():
            for info in list_objects(mirror_of):
                url = f"{split_url(mirror_of)[0]}/{info.key}"
                if url.rpartition("/")[0] == mirror_of and url.endswith(".parquet"):
                    download(url, mirror.local(url))
            yield mirror.local(f"{mirror_of}/x").parent


@contextmanager
def local_plan(options: ScanOptions) -> Iterator[ScanOptions]:
    """Yield the options with a copy in the place of a plan that lies in a bucket."""
    plan = options.sources.plan
    if plan is None or not is_url(plan):
        yield options
        return
    with scratch_folder() as folder:
        path = folder / "plan.parquet"
        try:
            download(split_access(plan)[0], path)
        except OSError as error:
            raise UsageError(f"{for_display(str(error.filename))}: {error.strerror}") from error
        yield replace(options, sources=replace(options.sources, plan=str(path)))
