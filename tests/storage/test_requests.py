"""Requests to stores: what goes wrong is told in plain words, and without what is secret."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from command_line import RunCommand
from object_server import Bucket, serve_files

from batchemo.errors import MissingExtraError, UsageError
from batchemo.storage import requests
from batchemo.storage.requests import delete, get, head, list_objects
from batchemo.storage.url import NO_ACCESS, Access, split_access


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (404, FileNotFoundError, "there is no such object or bucket"),
        (403, PermissionError, "access is denied (403)"),
        (401, PermissionError, "access is denied (401)"),
        (503, OSError, "the server answered 503, again and again"),
        (429, OSError, "the server answered 429, again and again"),
        (400, OSError, "the server answered 400"),
        (301, OSError, "the bucket is in another region: set AWS_REGION"),
    ],
)
@pytest.mark.parametrize("ask", [get, head, lambda url: list(list_objects(url))])
def test_a_refusal_is_told_in_words(
    ask: object, status: int, error: type[OSError], words: str, bucket: Bucket
) -> None:
    bucket.proxy.fault = lambda method, path: status
    with pytest.raises(error) as raised:
        ask(f"{bucket.url}/a.wav")  # type: ignore[operator]
    assert raised.value.strerror == words
    assert raised.value.filename == f"{bucket.url}/a.wav"


def test_a_server_that_is_not_there_is_told(bucket: Bucket) -> None:
    with pytest.raises(ConnectionError, match="no connection to the server"):
        head("http://127.0.0.1:1/a.wav")


def test_errors_do_not_repeat_what_is_secret(bucket: Bucket) -> None:
    bucket.proxy.fault = lambda method, path: 503
    url, access = split_access(f"{bucket.proxy.url.replace('//', '//me:hush@')}/a.wav?sig=hush")
    with pytest.raises(OSError, match="503") as raised:
        get(url, access)
    assert "hush" not in f"{raised.value!r} {raised.value.__cause__!r} {access!r}"


def test_a_list_goes_on_where_it_broke_off(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        bucket.put(f"calls/{number}.wav", b"sound")
    found = []
    for info in list_objects(f"{bucket.url}/calls"):
        found.append(info.key)
        if len(found) == 3:
            break
    rest = requests._list_after(f"{bucket.url}/calls", found[-1])
    assert [*found, *(info.key for info in rest)] == [f"calls/{n}.wav" for n in range(5)]


def test_a_removal_whose_answer_is_lost_is_repeated(bucket: Bucket) -> None:
    for number in range(2):
        bucket.put(f"{number}.wav", b"sound")
    faults = iter(["cut"])
    bucket.proxy.fault = lambda method, path: next(faults, None) if method != "GET" else None
    delete([f"{bucket.url}/{number}.wav" for number in range(2)])
    assert [method for method, _ in bucket.proxy.requests] == ["POST", "POST"]
    assert bucket.listed() == []

    bucket.proxy.fault = lambda method, path: "cut"
    with pytest.raises(ConnectionError, match="broke off"):
        delete([f"{bucket.url}/0.wav"])


def test_a_changed_object_is_not_read_on(bucket: Bucket) -> None:
    bucket.put("a.wav", b"0123456789")
    info = head(f"{bucket.url}/a.wav")
    part = get(f"{bucket.url}/a.wav", part=range(2, 4), etag=info.etag)
    assert part is not None
    assert bytes(part.data) == b"23"
    bucket.put("a.wav", b"9876543210")
    with pytest.raises(OSError, match="the file changed while it was read"):
        get(f"{bucket.url}/a.wav", part=range(4, 6), etag=info.etag)


def test_a_large_object_is_not_read_whole(bucket: Bucket) -> None:
    bucket.put("a.wav", b"0123456789")
    assert get(f"{bucket.url}/a.wav", most=9) is None


def test_a_server_that_gives_no_parts_says_so(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"0123456789")
    with serve_files(tmp_path) as (host, port), pytest.raises(OSError, match="no parts of a file"):
        get(f"http://{host}:{port}/a.wav", part=range(2, 4))


def test_a_missing_extra_is_named(
    batchemo: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    requests.open_store.cache_clear()
    with pytest.raises(MissingExtraError, match=r"pip install 'batchemo\[cloud\]'"):
        head("s3://bucket/a.wav")
    ran = batchemo("scan", "s3://bucket/calls", "-o", tmp_path / "r.parquet")
    assert ran.code == 1
    assert "Traceback" not in ran.err


def test_what_is_secret_in_a_bucket_is_refused_unseen() -> None:
    with pytest.raises(UsageError, match="neither a password nor a query") as raised:
        split_access("s3://me:hush@bucket/a.wav")
    assert "hush" not in str(raised.value)
    assert split_access("s3://bucket/a?b@c.wav") == ("s3://bucket/a?b@c.wav", NO_ACCESS)
    assert split_access("https://host/a?b@c")[1] == Access("", "b@c")


@pytest.mark.parametrize(
    ("url", "words"),
    [("az://calls/a.wav", "set AZURE_STORAGE_ACCOUNT_NAME"), ("s3://calls/a.wav", "credentials")],
)
def test_what_the_environment_lacks_is_told(
    url: str, words: str, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "AZURE_"))]:
        monkeypatch.delenv(name)
    # Where a machine in a cloud would ask for its credentials.
    bucket.proxy.fault = lambda method, path: 403
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", bucket.proxy.url)
    monkeypatch.setenv("HOME", "/nowhere")
    with pytest.raises(OSError, match=words):
        head(url)
