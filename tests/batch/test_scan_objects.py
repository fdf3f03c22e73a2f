"""Scans of recordings in object stores give the rows of a scan of files, whatever happens."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from command_line import RunCommand
from object_server import Bucket, Proxy, serve_files
from scan_commands import Scan, reasons_by_file

import batchemo as api
from batchemo.bundles import Bundle
from batchemo.errors import UsageError


@pytest.fixture
def calls(bucket: Bucket, corpus: Path) -> Bucket:
    """A bucket with the recordings of `corpus` below calls/."""
    bucket.upload(corpus, "calls/")
    return bucket


@pytest.fixture
def web(bucket: Bucket, corpus: Path) -> Iterator[Proxy]:
    """A proxy before a plain web server of the recordings of `corpus`."""
    with serve_files(corpus) as server:
        yield Proxy(server)


def rows(path: Path) -> list[dict[str, object]]:
    return pq.read_table(path).drop_columns(["root", "mtime", "etag"]).to_pylist()


def test_the_rows_are_those_of_the_same_files(
    calls: Bucket, corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    scan_inline(corpus, "-o", tmp_path / "files.parquet")
    scan_inline(f"{calls.url}/calls/", "-o", tmp_path / "objects.parquet")
    assert rows(tmp_path / "objects.parquet") == rows(tmp_path / "files.parquet")
    table = pq.read_table(tmp_path / "objects.parquet")
    assert set(table["root"].to_pylist()) == {f"{calls.url}/calls"}
    assert all(len(etag) == 32 for etag in table["etag"].to_pylist())
    # One request a recording, besides those that list them.
    assert sum("list-type" not in path for method, path in calls.proxy.requests) == 12


def test_an_update_analyses_what_has_changed(
    calls: Bucket, scan_inline: Scan, tmp_path: Path
) -> None:
    output = tmp_path / "r.parquet"
    scan_inline(f"{calls.url}/calls", "-o", output)
    before = {row["file"]: row for row in pq.read_table(output).to_pylist()}
    name = "anna/take 03.wav"
    # Of the same length: only the ETag tells.
    content = bytearray(calls.get(f"calls/{name}"))
    content[-1] ^= 1
    calls.put(f"calls/{name}", bytes(content))
    calls.proxy.requests.clear()

    scan_inline(f"{calls.url}/calls", "-o", output, "--update")
    assert [p for _, p in calls.proxy.requests if "list" not in p] == [
        f"/{calls.name}/calls/{name}"
    ]
    after = {row["file"]: row for row in pq.read_table(output).to_pylist()}
    assert {file for file in after if after[file]["etag"] != before[file]["etag"]} == {name}


def test_a_table_of_an_earlier_version_is_updated(
    corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    output = tmp_path / "r.parquet"
    scan_inline(corpus, "-o", output)
    whole = output.read_bytes()
    pq.write_table(pq.read_table(output).drop_columns(["etag"]), output)
    found = scan_inline(corpus, "-o", output, "--update")
    assert "12 unchanged" in found.stdout
    assert output.read_bytes() == whole


@pytest.mark.parametrize("fault", [503, "cut"])
def test_what_passes_is_not_noticed(
    fault: int | str, calls: Bucket, scan_inline: Scan, tmp_path: Path
) -> None:
    seen: set[tuple[str, str]] = set()

    def first_time(method: str, path: str) -> int | str | None:
        return seen.add((method, path)) or fault if (method, path) not in seen else None

    calls.proxy.fault = first_time
    scan_inline(f"{calls.url}/calls", "-o", tmp_path / "r.parquet")
    assert set(reasons_by_file(tmp_path / "r.parquet").values()) == {None}


@pytest.mark.parametrize(
    ("fault", "words"),
    [(503, "the server answered 503"), (403, "access is denied (403)"), ("cut", "broke off")],
)
def test_what_stays_is_a_row_that_the_next_run_tries_again(
    fault: int | str, words: str, calls: Bucket, scan_inline: Scan, tmp_path: Path
) -> None:
    output, name = tmp_path / "r.parquet", "ben/take 07.wav"
    calls.proxy.fault = lambda method, path: fault if path.endswith(name) else None
    scan_inline(f"{calls.url}/calls", "-o", output, code=3)
    failed = pq.read_table(output, filters=[("status", "=", "failed")]).to_pylist()
    assert [row["file"] for row in failed] == [name]
    assert failed[0]["reason"] == "unreadable"
    assert words in failed[0]["detail"]

    calls.proxy.fault = lambda method, path: None
    scan_inline(f"{calls.url}/calls", "-o", output)
    assert set(reasons_by_file(output).values()) == {None}


def test_an_object_that_is_gone_when_its_turn_comes_is_missing(
    calls: Bucket, scan_inline: Scan, tmp_path: Path
) -> None:
    calls.proxy.fault = lambda method, path: 404 if "take 01" in path else None
    scan_inline(f"{calls.url}/calls", "-o", tmp_path / "r.parquet", code=3)
    assert reasons_by_file(tmp_path / "r.parquet")["anna/take 01.wav"] == "missing"


def test_a_list_that_breaks_off_keeps_the_rows_of_earlier_runs(
    calls: Bucket, corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    output = tmp_path / "r.parquet"
    scan_inline(corpus, f"{calls.url}/calls", "-o", output)
    asked = iter([None])
    calls.proxy.fault = lambda m, path: next(asked, 503) if "list" in path else None
    ran = scan_inline(corpus, f"{calls.url}/calls", "-o", output, "--update", code=3)
    assert "the server answered 503" in ran.stderr
    assert pq.read_metadata(output).num_rows == 24


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_the_same_command_leaves_its_table_if_the_list_breaks_off(
    words: tuple[str, ...], calls: Bucket, scan_inline: Scan, tmp_path: Path
) -> None:
    output = tmp_path / "r.parquet"
    scan_inline(f"{calls.url}/calls", "-o", output)
    before = output.read_bytes()
    asked = iter([None])
    calls.proxy.fault = lambda m, path: next(asked, 403) if "list" in path else None
    ran = scan_inline(f"{calls.url}/calls", "-o", output, *words, code=1)
    assert "access is denied (403). So" in ran.stderr
    assert "and was left as it is" in ran.stderr
    assert output.read_bytes() == before


def test_long_recordings_are_read_in_blocks(
    calls: Bucket,
    corpus: Path,
    scan_inline: Scan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("batchemo.audio.objects.MAX_WHOLE_BYTES", 10_000)
    monkeypatch.setattr("batchemo.audio.objects._BLOCK_BYTES", 5_000)
    scan_inline(corpus, "-o", tmp_path / "files.parquet")
    scan_inline(f"{calls.url}/calls", "-o", tmp_path / "objects.parquet")
    assert rows(tmp_path / "objects.parquet") == rows(tmp_path / "files.parquet")
    assert len(calls.proxy.requests) > 4 * 12


def test_lists_manifests_and_plans_name_objects(
    calls: Bucket, scan_inline: Scan, batchemo: RunCommand, tmp_path: Path
) -> None:
    url = f"{calls.url}/calls"
    listed = tmp_path / "list.txt"
    listed.write_text(f"{url}/anna/take 01.wav\n{url}/none.wav\n{url}/ben/\n")
    scan_inline("--files-from", listed, "-o", tmp_path / "list.parquet", code=3)
    reasons = reasons_by_file(tmp_path / "list.parquet")
    assert reasons["none.wav"] == "missing"
    assert len(reasons) == 8

    manifest = tmp_path / "m.csv"
    manifest.write_text("file,speaker\nanna/take 01.wav,a\nben/take 07.wav,b\n")
    words = ("--manifest", manifest, "--base", url)
    scan_inline(*words, "-o", tmp_path / "m.parquet")
    table = pq.read_table(tmp_path / "m.parquet")
    assert table["root"].to_pylist() == [url, url]
    assert table["speaker"].to_pylist() == ["a", "b"]

    assert batchemo("plan", *words, "-o", tmp_path / "plan.parquet").code == 0
    scan_inline("--plan", tmp_path / "plan.parquet", "-o", tmp_path / "p.parquet")
    assert pq.read_table(tmp_path / "p.parquet").equals(table)
    # A table of results is a manifest.
    scan_inline("--manifest", tmp_path / "p.parquet", "-o", tmp_path / "again.parquet")
    again = pq.read_table(tmp_path / "again.parquet")
    assert again["root"].to_pylist() == [url, url]


def test_globs_take_what_they_match(calls: Bucket, scan_inline: Scan, tmp_path: Path) -> None:
    scan_inline(f"{calls.url}/calls/*/take 0[1-3].wav", "-o", tmp_path / "r.parquet")
    found = [f"anna/take 0{number}.wav" for number in (1, 2, 3)]
    assert list(reasons_by_file(tmp_path / "r.parquet")) == found


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("s3://{bucket}/nothing", "There is nothing at 's3://{bucket}/nothing'"),
        ("s3://no-such-bucket-here/x", "there is no such object or bucket"),
        ("s3://me:pw@{bucket}/x", "neither a password nor a query"),
    ],
)
def test_a_wrong_name_is_told_at_once(
    name: str, words: str, bucket: Bucket, scan_inline: Scan, tmp_path: Path
) -> None:
    source = name.format(bucket=bucket.name)
    ran = scan_inline(source, "-o", tmp_path / "r.parquet", code=2)
    assert words.format(bucket=bucket.name) in ran.stderr
    assert "pw" not in ran.stderr.replace("password", "")


def test_prune_drops_the_rows_of_objects_that_are_gone(
    calls: Bucket, scan_inline: Scan, tmp_path: Path
) -> None:
    output = tmp_path / "r.parquet"
    scan_inline(f"{calls.url}/calls", "-o", output)
    calls.delete("calls/ben/take 07.wav")
    scan_inline(f"{calls.url}/calls", "-o", output, "--update", "--prune")
    assert len(reasons_by_file(output)) == 11


def test_nothing_secret_is_written_anywhere(web: Proxy, scan_inline: Scan, tmp_path: Path) -> None:
    host = web.url.replace("//", "//me:hush@")
    listed = tmp_path / "list.txt"
    listed.write_text(f"{host}/anna/take%2001.wav?sig=hush\n{host}/none.wav?sig=hush\n")
    words = ("--files-from", listed, "-o", tmp_path / "r.parquet", "--log-json", tmp_path / "log")
    web.fault = lambda method, path: 503 if "none" in path else None
    ran = scan_inline(*words, code=3)
    assert any("sig=hush" in path for _, path in web.requests)
    assert reasons_by_file(tmp_path / "r.parquet") == {
        "take%2001.wav": None,
        "none.wav": "unreadable",
    }
    pq.write_table(pq.read_table(tmp_path / "r.parquet"), tmp_path / "plain", compression="none")
    written = (tmp_path / "plain").read_bytes() + (tmp_path / "log").read_bytes()
    assert b"take%2001.wav" in written
    assert b"hush" not in written
    assert "hush" not in ran.stdout + ran.stderr


def test_a_web_server_without_etags_tells_versions_by_time(
    web: Proxy, corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    words = (f"{web.url}/anna/take%2001.wav", f"{web.url}/anna/take%2002.wav")
    scan_inline(*words, "-o", tmp_path / "r.parquet")
    assert pq.read_table(tmp_path / "r.parquet")["etag"].null_count == 2
    os.utime(corpus / "anna" / "take 01.wav", (0, 1_000_000_000))
    web.requests.clear()
    scan_inline(*words, "-o", tmp_path / "r.parquet", "--update")
    assert [path for method, path in web.requests if method == "GET"] == ["/anna/take 01.wav"]


def test_a_plan_refuses_what_is_secret(calls: Bucket, batchemo: RunCommand, tmp_path: Path) -> None:
    web = f"{calls.proxy.url}/{calls.name}/calls/anna/take%2001.wav?sig=hush"
    ran = batchemo("plan", web, "-o", tmp_path / "plan.parquet")
    assert ran.code == 2
    assert "A plan holds no passwords or signatures" in ran.err
    assert "hush" not in ran.err


def test_programs_name_objects_too(
    calls: Bucket, tiny_bundle: Bundle, inline_workers: None
) -> None:
    url = f"{calls.url}/calls/anna/take 01.wav"
    table = api.predict(url, model=tiny_bundle.path)
    assert table["status"].to_pylist() == ["ok"]
    assert table["root"].to_pylist() == [f"{calls.url}/calls/anna"]
    with pytest.raises(UsageError, match="There is no recording"):
        api.predict(f"{calls.url}/none.wav", model=tiny_bundle.path)
    scanned = api.scan(url, model=tiny_bundle.path, jobs=1)
    assert scanned.drop_columns("mtime").equals(table.drop_columns("mtime"))
