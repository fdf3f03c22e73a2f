"""Names of objects in buckets and on web servers, and how they are split and joined.

    s3://bucket/key   gs://bucket/key   az://container/key   https://host/path

A table has a name as `root` and `file`, like a path. What lets somebody in, a password or the query
of a signed address, is never a part of a name: it is kept apart, and goes to the server alone.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from batchemo.common.text import for_display
from batchemo.errors import UsageError

BUCKETS = ("s3://", "gs://", "az://")
"""Stores that can list what they hold, and that can be written to."""
WEB = ("http://", "https://")
_ALL = (*BUCKETS, *WEB)


@dataclass(frozen=True, slots=True)
class Access:
    """What lets somebody read an address, besides the credentials of the machine."""

    user: str = field(default="", repr=False)
    """User and password, as they stand before the host."""
    query: str = field(default="", repr=False)


NO_ACCESS = Access()


def is_url(name: str) -> bool:
    """Whether a name is that of an object or a bucket, and not of a file.

    >>> is_url("s3://calls/2024"), is_url("calls/2024")
    (True, False)
    """
    return name.startswith(_ALL)


def is_bucket(name: str) -> bool:
    """Whether a name is one in a bucket, which can be listed and written to."""
    return name.startswith(BUCKETS)


def split_access(url: str) -> tuple[str, Access]:
    """Split off what is secret in a URL; UsageError, which does not repeat it, for a bucket.

    >>> split_access("https://me:pw@host/a.wav?sig=1#t=3")[0]
    'https://host/a.wav'
    >>> split_access("s3://bucket/what?.wav")[0]
    's3://bucket/what?.wav'
    """
    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0]
    if is_bucket(url):
        if "@" in host or "?" in host:
            raise UsageError(
                f"{scheme}://…: a bucket's name has neither a password nor a query. Credentials"
                " come from the environment: see docs/buckets.md"
            )
        return url, NO_ACCESS
    try:
        parts = urlsplit(url)
        user, _, host = parts.netloc.rpartition("@")
    except ValueError:
        raise UsageError(f"{scheme}://…: this is no address of the web") from None
    return f"{scheme}://{host}{parts.path}", Access(user, parts.query)


def with_access(url: str, access: Access) -> str:
    """Undo `split_access`: the result is for requests alone, never to be shown.

    >>> with_access("https://host/a.wav", Access("me:pw", "sig=1"))
    'https://me:pw@host/a.wav?sig=1'
    """
    if access == NO_ACCESS:
        return url
    scheme, _, rest = url.partition("://")
    user = f"{access.user}@" if access.user else ""
    query = f"?{access.query}" if access.query else ""
    return f"{scheme}://{user}{rest}{query}"


def without_access(name: str) -> str:
    """Return a name of anything as it may be shown and stored.

    >>> without_access("https://me:pw@host/a.wav?sig=1"), without_access("calls/a.wav")
    ('https://host/a.wav', 'calls/a.wav')
    """
    return split_access(name)[0] if is_url(name) else name


def split_url(url: str) -> tuple[str, str]:
    """Split a name without secrets into its store and the key in it.

    >>> split_url("s3://bucket/calls/a.wav"), split_url("https://host/a%20b.wav")
    (('s3://bucket', 'calls/a.wav'), ('https://host', 'a b.wav'))
    """
    scheme, _, rest = url.partition("://")
    host, _, key = rest.partition("/")
    if not host:
        raise UsageError(f"{for_display(url)}: this names no bucket or server")
    # The names in a bucket are as they are; those of the web are escaped.
    return f"{scheme}://{host}", key if is_bucket(url) else unquote(key)


def join_url(base: str, name: str) -> str:
    """Return the URL of a name below a base; never one outside of its store.

    >>> join_url("s3://bucket/calls", "../a.wav"), join_url("s3://bucket", "../../a.wav")
    ('s3://bucket/a.wav', 's3://bucket/a.wav')
    """
    scheme, _, rest = base.partition("://")
    host, _, folder = rest.partition("/")
    path = posixpath.normpath("/" + posixpath.join(folder, name))
    return f"{scheme}://{host}/{path.lstrip('/')}".rstrip("/")


def absolute(base: str, name: str) -> str | None:
    """Return the URL of a name relative to a base; None if it is a path of this machine.

    >>> absolute("s3://bucket/calls", "a.wav"), absolute("/data", "a.wav")
    ('s3://bucket/calls/a.wav', None)
    """
    if is_url(name):
        return name.rstrip("/")
    return join_url(base, name) if is_url(base) and not name.startswith("/") else None
