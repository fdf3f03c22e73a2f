"""The server of the page: its settings, and what visitors can do over the network."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import psutil
import pytest
import requests
from app_server import COMMAND, RunningServer, running_server, upload_of, wait_until, wav_bytes
from app_visitor import Page, Visitor
from encoded_recordings import CONTAINERS, seeds_of
from mutants import mutant
from tiny_bundle import tiny_graph, tiny_info
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from batchemo.app.config import AppOptions
from batchemo.app.live import MAX_BYTES
from batchemo.app.results import analyse_upload, model_prediction
from batchemo.app.serve import check_address, streamlit_settings
from batchemo.app.worker_pool import WorkerPool
from batchemo.bundles import Bundle, write_bundle
from batchemo.errors import UsageError

VISITORS = 10
STREAMLIT = [Subprotocol("streamlit")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("browser.gatherUsageStats", "false"),
        ("server.enableXsrfProtection", "true"),
        ("server.address", "localhost"),
        ("server.maxUploadSize", "7"),
        ("client.showErrorDetails", "none"),
        ("server.headless", "true"),
    ],
)
def test_streamlits_settings_keep_the_page_private(name, value):
    options = AppOptions(("default",), max_upload_mb=7)
    settings = streamlit_settings(options, host="localhost", port=1, browser=False)
    assert settings[name] == value


def test_streamlit_knows_every_setting():
    from streamlit import config

    settings = streamlit_settings(AppOptions(("m",)), host="localhost", port=1, browser=True)
    for name in settings:
        config.get_option(name)


def test_a_port_in_use_is_a_usage_error_that_names_the_option() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port}.* --port"):
            check_address("127.0.0.1", port)


def test_a_port_must_be_free_at_all_addresses_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setattr(socket, "getaddrinfo", addresses("127.0.0.2", "127.0.0.1"))
        with pytest.raises(UsageError, match=f"port {port}"):
            check_address("name", port)


def test_addresses_that_this_machine_does_not_have_are_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", addresses("192.0.2.1", "127.0.0.1"))
    check_address("name", 0)
    monkeypatch.setattr(socket, "getaddrinfo", addresses("192.0.2.1"))
    with pytest.raises(UsageError, match="cannot listen at name"):
        check_address("name", 0)


def addresses(*hosts: str) -> Callable[..., list[tuple[Any, ...]]]:
    """Return a stand-in for a name that stands for these addresses."""

    def getaddrinfo(host: str, port: int, *, type: int) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, type, 0, "", (each, port)) for each in hosts]

    return getaddrinfo


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    files = {"model.onnx": tiny_graph(64, 4), "README.md": b"# tiny\n"}
    return write_bundle(tmp_path_factory.mktemp("models") / "tiny", tiny_info(), files)


@pytest.fixture(scope="module")
def server(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("server") / "temporary"
    limits = ("--max-upload-mb", "1", "--jobs", "2")
    with running_server((str(bundle.path),), folder, *limits) as server:
        yield server


@pytest.mark.process
def test_ten_visitors_at_once_each_get_their_own_and_the_right_result(
    server: RunningServer, bundle: Bundle, process_pool: WorkerPool
) -> None:
    contents = [wav_bytes(1 + 0.2 * number, seed=number) for number in range(VISITORS)]

    def visit(number: int) -> Page:
        with Visitor(server.url) as visitor:
            visitor.open()
            return visitor.send(f"visitor-{number}.wav", contents[number])

    with ThreadPoolExecutor(VISITORS) as threads:
        pages = list(threads.map(visit, range(VISITORS)))

    options = AppOptions((str(bundle.path),))
    for number, page in enumerate(pages):
        view = analyse_upload(upload_of(contents[number]), [bundle], process_pool, options)
        expected = model_prediction(view.rows[bundle.digest], bundle)
        assert expected is not None
        assert page.errors == page.exceptions == []
        assert page.texts == [f"visitor-{number}.wav"], "and no other visitor's"
        assert page.metrics == {
            "Sounds": expected.label,
            "Confidence": f"{expected.confidence:.0%}",
            "Length": f"{1 + 0.2 * number:.1f} s",
        }
    assert len({page.session for page in pages}) == VISITORS


@pytest.mark.process
def test_ten_visitors_with_damaged_files_harm_neither_the_page_nor_each_other(
    server: RunningServer,
) -> None:
    rng = random.Random(3)
    contents = [mutant(seeds_of(container), rng) for container in CONTAINERS[:8]]
    contents.append(b"<svg onload=alert(1)><script>alert(1)</script></svg>")
    contents.append(wav_bytes(1.5, seed=9))

    def visit(number: int) -> Page:
        with Visitor(server.url) as visitor:
            visitor.open()
            return visitor.send(f"<script>alert({number})</script>.wav", contents[number])

    with ThreadPoolExecutor(VISITORS) as threads:
        pages = list(threads.map(visit, range(VISITORS)))

    for number, page in enumerate(pages):
        assert page.exceptions == []
        assert page.texts[0] == f"<script>alert({number})</script>.wav"
        assert bool(page.metrics) != bool(page.errors), "a result, or a reason for its absence"
    assert pages[-1].metrics["Length"] == "1.5 s"
    assert pages[-2].errors == ["This recording could not be analysed."]


@pytest.mark.process
def test_a_page_of_another_site_cannot_connect(server: RunningServer) -> None:
    address = server.url.replace("http", "ws", 1) + "/_stcore/stream"
    with pytest.raises(InvalidStatus, match="403"):
        connect(address, origin=Origin("http://elsewhere.example"), subprotocols=STREAMLIT)
    with connect(address, origin=Origin(server.url), subprotocols=STREAMLIT):
        pass


@pytest.mark.process
def test_a_page_of_another_port_of_this_machine_cannot_connect(server: RunningServer) -> None:
    address = server.url.replace("http", "ws", 1) + "/_stcore/stream"
    with pytest.raises(InvalidStatus, match="403"):
        connect(address, origin=Origin("http://localhost:1"), subprotocols=STREAMLIT)


@pytest.mark.process
@pytest.mark.parametrize("path", ["/", "/_stcore/health", "/_stcore/host-config", "/no-such-page"])
def test_a_request_for_another_name_is_refused(server: RunningServer, path: str) -> None:
    """As a site's requests are whose name was made to mean this machine."""
    for name in ("evil.example", f"evil.example:{server.port}", "localhost.evil.example:1"):
        answer = requests.get(server.url + path, headers={"Host": name}, timeout=10)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
    for name in ("127.0.0.1", f"localhost:{server.port}", "[::1]:9000"):
        answer = requests.get(server.url + path, headers={"Host": name}, timeout=10)
        assert answer.status_code in (200, 404)


@pytest.mark.process
def test_a_connection_for_another_name_is_refused(server: RunningServer) -> None:
    site = f"evil.example:{server.port}"
    with (
        socket.create_connection(("localhost", server.port)) as raw,
        pytest.raises(InvalidStatus, match="403"),
    ):
        connect(
            f"ws://{site}/_stcore/stream",
            sock=raw,
            origin=Origin(f"http://{site}"),
            subprotocols=STREAMLIT,
        )


@pytest.mark.process
def test_a_recording_from_the_microphone_is_analysed(server: RunningServer) -> None:
    with Visitor(server.url) as visitor:
        visitor.open()
        page = visitor.send("clip.wav", wav_bytes(), spoken=True)
    assert page.texts == ["microphone.wav"]
    assert page.metrics["Length"] == "1.5 s"


@pytest.mark.process
def send_live(server: RunningServer, content: bytes, model: str, **headers: str) -> Any:
    headers = {"Content-Type": "audio/wav", **headers}
    url = f"{server.url}/live?model={model}"
    return requests.post(url, content, headers=headers, timeout=30)


def test_a_live_chunk_gets_its_prediction(server: RunningServer, bundle: Bundle) -> None:
    found = send_live(server, wav_bytes(3), bundle.digest).json()
    assert found["label"] in bundle.labels
    assert sum(found["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    quiet = send_live(server, wav_bytes(0, silence=3), bundle.digest).json()
    assert quiet == {"problem": ANY}


def test_what_is_no_live_chunk_of_this_page_is_refused(
    server: RunningServer, bundle: Bundle
) -> None:
    content = wav_bytes(3)
    other = {"Origin": "http://evil.example"}
    assert send_live(server, content, bundle.digest, **other).status_code == 403
    assert send_live(server, content, "other").status_code == 404
    assert send_live(server, bytes(MAX_BYTES + 1), bundle.digest).status_code == 413
    form = {"Content-Type": "text/plain"}
    assert send_live(server, content, bundle.digest, **form).status_code == 415


def test_only_heartbeat_files_stay_on_the_servers_disk(server: RunningServer) -> None:
    with Visitor(server.url) as visitor:
        visitor.open()
        visitor.send("a.wav", wav_bytes())
        visitor.send("b.wav", b"not audio")
    left = [path for path in server.temporary_folder.rglob("*") if path.is_file()]
    assert {path.parent.name.startswith("batchemo-scratch-") for path in left} == {True}
    assert max(path.stat().st_size for path in left) < 500


@pytest.mark.process
def test_an_upload_larger_than_the_limit_is_refused(server: RunningServer) -> None:
    with Visitor(server.url) as visitor:
        visitor.open()
        address = visitor.upload_urls("big.wav")["upload_url"]
        assert visitor.put(address, "big.wav", bytes(2**20 + 2**20)).status_code == 413


@pytest.mark.process
def test_an_upload_without_the_pages_token_is_refused(server: RunningServer) -> None:
    with Visitor(server.url) as visitor:
        visitor.open()
        address = visitor.upload_urls("a.wav")["upload_url"]
        assert visitor.put(address, "a.wav", wav_bytes(), token=False).status_code == 403


@pytest.mark.process
def test_an_upload_cannot_be_downloaded(server: RunningServer) -> None:
    with Visitor(server.url) as visitor:
        visitor.open()
        address = visitor.upload_urls("a.wav")["upload_url"]
        visitor.put(address, "a.wav", wav_bytes())
        assert wav_bytes()[44:200] not in visitor.get(address).content


@pytest.mark.process
def test_the_server_listens_on_this_machine_only(server: RunningServer) -> None:
    listening = [
        connection.laddr.ip
        for connection in psutil.Process(server.process.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) <= {"127.0.0.1", "::1"}
    assert listening


@pytest.mark.process
def test_the_server_and_its_workers_open_no_connection(server: RunningServer) -> None:
    parent = psutil.Process(server.process.pid)
    for process in [parent, *parent.children(recursive=True)]:
        for connection in process.net_connections("inet"):
            if connection.raddr:
                assert connection.laddr.port == server.port


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_with_its_workers_and_temporary_files(
    bundle: Bundle, tmp_path: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "temporary"
    with running_server((str(bundle.path),), folder, "--jobs", "1") as server:
        with Visitor(server.url) as visitor:
            visitor.open()
            visitor.send("a.wav", wav_bytes())
        workers = psutil.Process(server.process.pid).children(recursive=True)
        assert workers
        server.process.send_signal(number)
        output, _ = server.process.communicate(timeout=15)
    wait_until(lambda: not any(process.is_running() for process in workers), 5)
    assert server.process.returncode == 0
    assert "Traceback" not in output
    assert [path.name for path in folder.iterdir() if path.name.startswith("batchemo")] == []


@pytest.mark.process
def test_the_command_ends_with_2_if_the_port_is_in_use(bundle: Bundle) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        ended = subprocess.run(
            [*COMMAND, "--no-browser", "--port", port, "--model", str(bundle.path)],
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert ended.returncode == 2
    assert f"port {port}" in ended.stderr
