"""The page as its own process serves it, to visitors over the network."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from app_server import COMMAND, Served, sent, serving, wait_until, wav
from app_visitor import Page, Visitor
from encoded_recordings import CONTAINERS, seeds_of
from mutants import mutant
from tiny_bundle import tiny_graph, tiny_info
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from batchemo.app.config import AppOptions
from batchemo.app.results import analyse_upload, judgement
from batchemo.app.worker_pool import WorkerPool
from batchemo.bundles import Bundle, write_bundle

VISITORS = 10
STREAMLIT = [Subprotocol("streamlit")]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    files = {"model.onnx": tiny_graph(64, 4), "README.md": b"# tiny\n"}
    return write_bundle(tmp_path_factory.mktemp("models") / "tiny", tiny_info(), files)


@pytest.fixture(scope="module")
def served(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("server") / "scratch"
    with serving((str(bundle.path),), folder, "--max-upload-mb", "1", "--jobs", "2") as served:
        yield served


def test_ten_people_at_once_each_see_their_own_and_the_right_result(
    served: Served, bundle: Bundle, pool: WorkerPool
) -> None:
    contents = [wav(1 + 0.2 * number, seed=number) for number in range(VISITORS)]

    def visit(number: int) -> Page:
        with Visitor(served.url) as visitor:
            visitor.open()
            return visitor.send(f"visitor-{number}.wav", contents[number])

    with ThreadPoolExecutor(VISITORS) as people:
        pages = list(people.map(visit, range(VISITORS)))

    options = AppOptions((str(bundle.path),))
    for number, page in enumerate(pages):
        row = analyse_upload(sent(contents[number]), [bundle], pool, options).rows[bundle.digest]
        expected = judgement(row, bundle)
        assert expected is not None
        assert page.errors == page.exceptions == []
        assert page.texts == [f"visitor-{number}.wav"], "and no one else's"
        assert page.metrics == {
            "Sounds": expected.label,
            "Confidence": f"{expected.confidence:.0%}",
            "Length": f"{1 + 0.2 * number:.1f} s",
        }
    assert len({page.session for page in pages}) == VISITORS


def test_ten_people_with_hostile_files_hurt_neither_the_page_nor_each_other(
    served: Served,
) -> None:
    chance = random.Random(3)
    hostile = [mutant(seeds_of(container), chance) for container in CONTAINERS[:8]]
    hostile.append(b"<svg onload=alert(1)><script>alert(1)</script></svg>")

    def visit(number: int) -> Page:
        with Visitor(served.url) as visitor:
            visitor.open()
            content = hostile[number] if number < len(hostile) else wav(1.5, seed=number)
            return visitor.send(f"<script>alert({number})</script>.wav", content)

    with ThreadPoolExecutor(VISITORS) as people:
        pages = list(people.map(visit, range(VISITORS)))

    for number, page in enumerate(pages):
        assert page.exceptions == []
        assert page.texts[0] == f"<script>alert({number})</script>.wav"
        assert bool(page.metrics) != bool(page.errors), "a result, or why there is none"
    assert pages[-1].metrics["Length"] == "1.5 s"
    assert pages[-2].errors == ["This recording could not be analysed."]


def test_a_page_of_somebody_else_is_not_talked_to(served: Served) -> None:
    address = served.url.replace("http", "ws", 1) + "/_stcore/stream"
    with pytest.raises(InvalidStatus, match="403"):
        connect(address, origin=Origin("http://elsewhere.example"), subprotocols=STREAMLIT)
    with connect(address, origin=Origin(served.url), subprotocols=STREAMLIT):
        pass


def test_who_speaks_is_heard(served: Served) -> None:
    with Visitor(served.url) as visitor:
        visitor.open()
        page = visitor.send("clip.wav", wav(), spoken=True)
    assert page.texts == ["microphone.wav"]
    assert page.metrics["Length"] == "1.5 s"


def test_nothing_stays_on_the_servers_disk_but_crumbs_that_hold_no_sound(served: Served) -> None:
    with Visitor(served.url) as visitor:
        visitor.open()
        visitor.send("a.wav", wav())
        visitor.send("b.wav", b"no sound at all")
    left = [path for path in served.scratch.rglob("*") if path.is_file()]
    assert {path.parent.name.startswith("batchemo-app-worker-") for path in left} == {True}
    assert max(path.stat().st_size for path in left) < 500


def test_a_recording_beyond_the_limit_is_not_taken(served: Served) -> None:
    with Visitor(served.url) as visitor:
        visitor.open()
        address = visitor.upload_urls("big.wav")["upload_url"]
        assert visitor.put(address, "big.wav", bytes(2**20 + 2**20)).status_code == 413


def test_another_page_cannot_upload_for_a_visitor(served: Served) -> None:
    with Visitor(served.url) as visitor:
        visitor.open()
        address = visitor.upload_urls("a.wav")["upload_url"]
        assert visitor.put(address, "a.wav", wav(), token=False).status_code == 403


def test_what_was_uploaded_can_be_fetched_by_no_one(served: Served) -> None:
    with Visitor(served.url) as visitor:
        visitor.open()
        address = visitor.upload_urls("a.wav")["upload_url"]
        visitor.put(address, "a.wav", wav())
        assert wav()[44:200] not in visitor.get(address).content


def test_it_listens_on_this_machine_only(served: Served) -> None:
    listening = [
        connection.laddr.ip
        for connection in psutil.Process(served.process.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) <= {"127.0.0.1", "::1"}
    assert listening


def test_it_speaks_to_nobody_on_its_own(served: Served) -> None:
    people = [*psutil.Process(served.process.pid).children(recursive=True)]
    for process in [psutil.Process(served.process.pid), *people]:
        for connection in process.net_connections("inet"):
            if connection.raddr:
                assert connection.laddr.port == served.port


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_workers_and_temporary_files(
    bundle: Bundle, tmp_path: Path, number: signal.Signals
) -> None:
    scratch = tmp_path / "scratch"
    with serving((str(bundle.path),), scratch, "--jobs", "1") as served:
        with Visitor(served.url) as visitor:
            visitor.open()
            visitor.send("a.wav", wav())
        family = psutil.Process(served.process.pid).children(recursive=True)
        assert family
        served.process.send_signal(number)
        said, _ = served.process.communicate(timeout=15)
    wait_until(lambda: not any(process.is_running() for process in family), 5)
    assert served.process.returncode == 0
    assert "Traceback" not in said
    assert [path.name for path in scratch.iterdir() if path.name.startswith("batchemo")] == []


def test_a_port_that_is_taken_is_told_in_words(bundle: Bundle, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [*COMMAND, "--no-browser", "--port", port, "--model", str(bundle.path)],
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert ended.returncode == 2
    assert f"port {port}" in ended.stderr
    assert "--port" in ended.stderr
