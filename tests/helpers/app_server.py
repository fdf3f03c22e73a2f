"""Tools for tests of the page: recordings as bytes, and a server in its own process."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
import soundfile
from voices import voice

from batchemo.app.results import Upload

COMMAND = [sys.executable, "-c", "from batchemo.cli import main; main()", "app"]


def wav_bytes(
    seconds: float = 1.5, *, seed: int = 0, silence: float = 0.0, rate: int = 16000
) -> bytes:
    """Return a WAV file of a synthetic voice, followed by seconds of silence."""
    sink = io.BytesIO()
    speech = voice(seconds, rate, seed=seed) if seconds else np.zeros(0)
    signal = np.concatenate([speech, np.zeros(int(silence * rate))])
    soundfile.write(sink, signal, rate, format="WAV", subtype="PCM_16")
    return sink.getvalue()


def upload_of(content: bytes, name: str = "voice.wav") -> Upload:
    """Return an upload of this content."""
    return Upload(name, name, content)


@dataclass(frozen=True)
class RunningServer:
    """A server of the page in its own process."""

    url: str
    port: int
    process: subprocess.Popen[str]
    temporary_folder: Path
    """The server's TMPDIR."""


@contextmanager
def running_server(
    models: tuple[str, ...], temporary_folder: Path, *options: str
) -> Iterator[RunningServer]:
    """Run `batchemo app` with these models on a free port, and end it at the end."""
    temporary_folder.mkdir()
    port = free_port()
    model_options = [word for model in models for word in ("--model", model)]
    process = subprocess.Popen(
        [*COMMAND, "--no-browser", "--port", str(port), *model_options, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=server_environment(temporary_folder),
    )
    server = RunningServer(f"http://localhost:{port}", port, process, temporary_folder)
    try:
        wait_until(lambda: is_ready(server), 60)
        yield server
    finally:
        process.terminate()
        process.communicate(timeout=20)


def server_environment(temporary_folder: Path) -> dict[str, str]:
    """Return this environment without settings of Streamlit, which would win over the page's."""
    inherited = {name: v for name, v in os.environ.items() if not name.startswith("STREAMLIT")}
    return {**inherited, "TMPDIR": str(temporary_folder), "HOME": str(temporary_folder)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_ready(server: RunningServer) -> bool:
    if server.process.poll() is not None:
        pytest.fail(f"the server ended: {server.process.communicate()[0]}")
    try:
        with urlopen(f"{server.url}/_stcore/health", timeout=2) as response:
            return bool(response.status == 200)
    except OSError:  # also a timeout, on a busy machine
        return False


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)
