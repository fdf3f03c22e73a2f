"""Serves a folder as a bucket of S3, as slowly as asked for: as much of S3 as a scan asks for.

    python -m speed.object_server FOLDER --milliseconds 20

It prints its port, and serves until its standard input is closed. It takes a tenth of the time of a
server that knows all of S3, so that a benchmark measures the scan.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from bisect import bisect_right
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET = "bucket"
_PAGE = 1000


class Server:
    """Answers GET for lists and objects, and HEAD for objects."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._folder, self._seconds = folder, seconds
        self._keys = sorted(
            str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
        )

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer all requests of a connection."""
        while line := await reader.readline():
            method, target, _ = line.decode().split(" ", 2)
            while (await reader.readline()).strip():
                pass
            await asyncio.sleep(self._seconds)
            url = urlsplit(target)
            key = unquote(url.path).removeprefix(f"/{BUCKET}").lstrip("/")
            if url.query.startswith("list-type") or "list-type" in parse_qs(url.query):
                status, head, body = self._list(parse_qs(url.query))
            else:
                status, head, body = self._object(key)
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{head}\r\n"
            writer.write(head.encode() + (b"" if method == "HEAD" else body))
            await writer.drain()
        writer.close()

    def _list(self, query: dict[str, list[str]]) -> tuple[str, str, bytes]:
        after = (query.get("continuation-token") or query.get("start-after") or [""])[0]
        prefix = query.get("prefix", [""])[0]
        first = bisect_right(self._keys, after)
        found = [key for key in self._keys[first : first + _PAGE] if key.startswith(prefix)]
        more = first + _PAGE < len(self._keys)
        token = f"<NextContinuationToken>{escape(found[-1])}</NextContinuationToken>"
        entries = "".join(map(self._entry, found))
        body = (
            f'<?xml version="1.0"?><ListBucketResult><IsTruncated>{str(more).lower()}'
            f"</IsTruncated>{token if more else ''}{entries}</ListBucketResult>"
        )
        return "200 OK", "Content-Type: application/xml\r\n", body.encode()

    def _entry(self, key: str) -> str:
        status = os.stat(self._folder / key)
        return (
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-01-01T00:00:00.000Z"
            f'</LastModified><ETag>"{status.st_ino:x}"</ETag><Size>{status.st_size}</Size>'
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )

    def _object(self, key: str) -> tuple[str, str, bytes]:
        try:
            content = (self._folder / key).read_bytes()
        except OSError:
            return "404 Not Found", "", b""
        inode = os.stat(self._folder / key).st_ino
        modified = formatdate(1767225600, usegmt=True)
        return "200 OK", f'ETag: "{inode:x}"\r\nLast-Modified: {modified}\r\n', content


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--milliseconds", type=float, default=0.0, help="what a request takes")
    options = parser.parse_args()
    served = Server(options.folder, options.milliseconds / 1000)
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # Without a word about the connections that are still open.


if __name__ == "__main__":
    asyncio.run(main())
