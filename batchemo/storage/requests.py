"""Requests to object stores and web servers; nothing else in batchemo makes any.

`obstore` makes them: it repeats what is refused or breaks off, a little later each time, and finds
the credentials of the machine. What goes wrong becomes an `OSError` in plain words here. Its own
texts are never passed on: they have the whole address in them, the signature of a signed one too.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchemo.common.files import open_new
from batchemo.errors import MissingExtraError
from batchemo.storage.url import NO_ACCESS, Access, is_bucket, split_url

if TYPE_CHECKING:
    from obstore.store import ObjectStore

INSTALL = "pip install 'batchemo[cloud]'"
TIMEOUT = timedelta(seconds=30)
"""For one request, with all that it returns."""
RETRY = {
    "max_retries": 5,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {
        "init_backoff": timedelta(milliseconds=200),
        "max_backoff": timedelta(seconds=10),
        "base": 2,
    },
}
_LISTED_AT_ONCE = 1000
TRIES = 5
"""For what obstore does not repeat where the connection breaks off."""
_BLOCK_BYTES = 8 * 2**20
_MACHINE = re.compile(r"169\.254\.169\.254|/latest/api/token|computeMetadata")
"""Where machines in a cloud ask for credentials last of all."""
_STATUS = re.compile(r"status code: ([0-9]{3})")


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a store says of an object."""

    key: str
    size: int
    mtime_ns: int | None
    etag: str | None
    """Changes with the content; None where the server gives none."""
    version: str | None = None
    """What Google tells versions apart by, where one is to be replaced."""


@dataclass(frozen=True, slots=True)
class Content:
    """A part of an object, and what the object was when it was read."""

    info: ObjectInfo
    data: memoryview


def head(url: str, access: Access = NO_ACCESS) -> ObjectInfo:
    """Ask what an object is; FileNotFoundError if there is none."""
    address, key = split_url(url)
    with _in_words(url):
        return _info(open_store(address, access).head(key))


def exists(url: str) -> bool:
    """Return whether there is an object of that name; `OSError` where that cannot be said."""
    try:
        head(url)
    except FileNotFoundError:
        return False
    return True


def get(
    url: str,
    access: Access = NO_ACCESS,
    *,
    part: range | None = None,
    etag: str | None = None,
    most: int | None = None,
) -> Content | None:
    """Read an object or a part of it, as long as it has this `etag`.

    None if it has more than `most` bytes: then nothing is read.
    """
    address, key = split_url(url)
    options: dict[str, Any] = {}
    if part is not None:
        options["range"] = (part.start, part.stop)
    # One that may stay when the bytes change ("weak") proves nothing.
    if etag is not None and not etag.startswith("W/"):
        options["if_match"] = f'"{etag}"'
    with _in_words(url):
        result = open_store(address, access).get(key, options=options or None)
        info = _info(result.meta)
        if most is not None and info.size > most:
            return None
        return Content(info, memoryview(result.bytes()))


def download(url: str, path: Path) -> None:
    """Read an object of any size into a new file, a block at a time."""
    info, position = head(url), 0
    with open_new(path) as stream:
        while position < info.size:
            block = range(position, min(position + _BLOCK_BYTES, info.size))
            content = get(url, part=block, etag=info.etag)
            assert content is not None
            stream.write(content.data)
            position = block.stop


def upload(path: Path, url: str) -> None:
    """Make a file an object, in the place of the one of that name; it is there whole or not."""
    address, key = split_url(url)
    with _in_words(url):
        open_store(address, NO_ACCESS).put(key, path)


def put(url: str, content: bytes, *, replaces: ObjectInfo | None) -> ObjectInfo:
    """Make an object in the place of this version of it, or of none; return what it is then.

    FileExistsError if there should be none and is one, another `OSError` if it is another version.
    """
    address, key = split_url(url)
    mode: Any = "create"
    if replaces is not None:
        given = {"e_tag": f'"{replaces.etag}"', "version": replaces.version}
        mode = {name: value for name, value in given.items() if value is not None}
    with _in_words(url):
        result = open_store(address, NO_ACCESS).put(key, content, mode=mode, use_multipart=False)
    etag = str(result["e_tag"]).strip('"')
    return ObjectInfo(key, len(content), None, etag, result["version"])


def delete(urls: Sequence[str]) -> None:
    """Remove objects of one bucket; it is no error if one is not there."""
    if not urls:
        return
    address = split_url(urls[0])[0]
    keys = [split_url(url)[1] for url in urls]
    for number in range(1, TRIES + 1):
        try:
            with _in_words(urls[0]), suppress(FileNotFoundError):
                open_store(address, NO_ACCESS).delete(keys)
            return
        except ConnectionError:
            if number == TRIES:
                raise


def list_objects(url: str) -> Iterator[ObjectInfo]:
    """Yield all objects below a name in a bucket, in the order of the store, a page at a time."""
    last, tries = None, 0
    while True:
        try:
            for info in _list_after(url, last):
                yield info
                last, tries = info.key, 0
            return
        except ConnectionError:
            # A page that breaks off is not asked for again by obstore.
            tries += 1
            if tries == TRIES:
                raise


def _list_after(url: str, last: str | None) -> Iterator[ObjectInfo]:
    address, key = split_url(url)
    with _in_words(url):
        store = open_store(address, NO_ACCESS)
        for page in store.list(key or None, offset=last, chunk_size=_LISTED_AT_ONCE):
            for meta in page:
                yield _info(meta)


@lru_cache(maxsize=64)
def open_store(address: str, access: Access) -> ObjectStore:
    """Return what makes the requests to a bucket or a server."""
    try:
        from obstore.store import AzureStore, GCSStore, HTTPStore, S3Store
    except ImportError as error:
        raise MissingExtraError(
            f"{address}: buckets and web addresses are read by obstore, which is not installed: "
            f"{INSTALL}"
        ) from error
    scheme, _, host = address.partition("://")
    options: dict[str, Any] = {"timeout": TIMEOUT, "connect_timeout": timedelta(seconds=10)}
    common: dict[str, Any] = {"retry_config": RETRY, "client_options": options}
    if not is_bucket(address):
        options["allow_http"] = True
        user = f"{access.user}@" if access.user else ""
        query = f"?{access.query}" if access.query else ""
        return HTTPStore.from_url(f"{scheme}://{user}{host}/{query}", **common)
    if scheme == "gs":
        return GCSStore(host, **common)
    if scheme == "az":
        return AzureStore(host, **common)
    # A server of one's own that is named without TLS is meant so.
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        common["endpoint"] = endpoint
        options["allow_http"] = endpoint.startswith("http://")
    return S3Store(host, credential_provider=_profile(), **common)


def _profile() -> Any:
    """Return what reads the profiles of AWS's own tools, where there are some and nothing else."""
    named = "AWS_PROFILE" in os.environ
    file = os.environ.get("AWS_SHARED_CREDENTIALS_FILE", os.path.expanduser("~/.aws/credentials"))
    if "AWS_ACCESS_KEY_ID" in os.environ or not (named or os.path.exists(file)):
        return None
    try:
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError as error:
        if not named:
            return None
        raise MissingExtraError("AWS_PROFILE is read by boto3: pip install boto3") from error
    return Boto3CredentialProvider()


def _info(meta: Any) -> ObjectInfo:
    etag = meta["e_tag"]
    if etag is not None and not etag.startswith("W/"):
        etag = etag.strip('"')
    modified = _whole_seconds(meta["last_modified"])
    return ObjectInfo(meta["path"], meta["size"], modified, etag, meta["version"])


def _whole_seconds(time: datetime) -> int | None:
    # A list has fractions of a second, the answer to a request has none; 1970 stands for no time.
    return int(time.timestamp()) * 10**9 or None


@contextmanager
def _in_words(url: str) -> Iterator[None]:
    """Raise what goes wrong in the block as an `OSError` in plain words."""
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.filename == url:
            raise
        raise _as_os_error(error, url) from None
    except Exception as error:
        if type(error).__module__.split(".")[0] != "obstore":
            raise
        raise _as_os_error(error, url) from None


def _as_os_error(error: Exception, url: str) -> OSError:
    text = str(error)
    kind = type(error).__name__
    match = _STATUS.search(text)
    status = int(match[1]) if match else None
    if isinstance(error, FileNotFoundError) or status == 404:
        return OSError(errno.ENOENT, "there is no such object or bucket", url)
    is_denied = kind in ("PermissionDeniedError", "UnauthenticatedError")
    if not is_denied and (_MACHINE.search(text) or "redential" in text.partition("\n")[0]):
        return OSError(errno.EACCES, "no credentials were found (see docs/buckets.md)", url)
    if is_denied or status in (401, 403):
        return OSError(errno.EACCES, f"access is denied ({status or 403})", url)
    if kind == "NotSupportedError":
        detail = "the server gives no parts of a file, which recordings of more than 4 MB need"
        return OSError(errno.ENOTSUP, detail, url)
    if kind == "AlreadyExistsError" or status == 409:
        return OSError(errno.EEXIST, "there is an object of that name", url)
    if kind == "PreconditionError":
        return OSError(errno.ESTALE, "the file changed while it was read", url)
    if kind == "InvalidPathError" or isinstance(error, ValueError):
        detail = "a name with an empty part, . or .. between slashes cannot be read"
        return OSError(errno.EINVAL, detail, url)
    if "Account must be specified" in text:
        return OSError(errno.EINVAL, "no account is named: set AZURE_STORAGE_ACCOUNT_NAME", url)
    if "incorrectly configured region" in text:
        return OSError(errno.EINVAL, "the bucket is in another region: set AWS_REGION", url)
    if status is not None:
        repeated = ", again and again" if status >= 500 or status == 429 else ""
        return OSError(errno.EIO, f"the server answered {status}{repeated}", url)
    if "kind: Timeout" in text:
        return OSError(errno.ETIMEDOUT, "the server did not answer in time", url)
    if "kind: Connect" in text:
        return OSError(errno.ECONNREFUSED, "no connection to the server", url)
    return OSError(errno.ECONNRESET, "the connection broke off", url)
