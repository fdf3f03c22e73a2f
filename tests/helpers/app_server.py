"""Recordings as bytes, and the page served by a process of its own."""

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
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import pytest
import soundfile
from voices import voice

from batchemo.app.results import Upload

COMMAND = [sys.executable, "-c", "from batchemo.cli import main; main()", "app"]


def wav(seconds: float = 1.5, *, seed: int = 0, silence: float = 0.0, rate: int = 16000) -> bytes:
    """Make a recording of a made voice, with silence after it."""
    sink = io.BytesIO()
    spoken = voice(seconds, rate, seed=seed) if seconds else np.zeros(0)
    sound = np.concatenate([spoken, np.zeros(int(silence * rate))])
    soundfile.write(sink, sound, rate, format="WAV", subtype="PCM_16")
    return sink.getvalue()


def sent(content: bytes, name: str = "voice.wav") -> Upload:
    return Upload(name, name, content)


@dataclass(frozen=True)
class Served:
    """A page that is being served by a process of its own."""

    url: str
    port: int
    process: subprocess.Popen[str]
    scratch: Path
    """Where the server's temporary files are."""


@contextmanager
def serving(models: tuple[str, ...], scratch: Path, *more: str) -> Iterator[Served]:
    """Serve the page with these models as the command does, on a free port."""
    scratch.mkdir()
    port = free_port()
    words = [word for model in models for word in ("--model", model)]
    process = subprocess.Popen(
        [*COMMAND, "--no-browser", "--port", str(port), *words, *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**clean_environment(), "TMPDIR": str(scratch), "HOME": str(scratch)},
    )
    served = Served(f"http://localhost:{port}", port, process, scratch)
    try:
        wait_until(lambda: answers(served), 30)
        yield served
    finally:
        process.terminate()
        process.communicate(timeout=20)


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("STREAMLIT")}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(served: Served) -> bool:
    if served.process.poll() is not None:
        pytest.fail(f"the page ended: {served.process.communicate()[0]}")
    try:
        with urlopen(f"{served.url}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, ConnectionError):
        return False


def wait_until(true: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)
