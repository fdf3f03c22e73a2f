"""Gathering features in several processes: it can be stopped at any time, and shared."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from voices import write_voice

pytestmark = pytest.mark.process

GATHER = """
import signal
import sys
from pathlib import Path
from batchemo.audio import WindowConfig
from batchemo.corpora import Example
from batchemo.features import get_feature_set
from batchemo.training.data.feature_store import gather_items

# Whoever runs the tests in the background of a shell has Ctrl-C ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
voice, folder, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
examples = [Example(voice, "", "", "", "sad", "", digest=f"{n:04x}") for n in range(count)]
features = get_feature_set("mfcc40")
gather_items(
    examples,
    features,
    WindowConfig(rate=features.rate, window=1.0, hop=0.5),
    sys.argv[4:],
    folder=folder,
    on_progress=lambda done, total: print(done, flush=True),
)
print(*({"librosa", "tensorflow", "scipy"} & set(sys.modules)), "done")
"""


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return write_voice(tmp_path / "voice.wav", seconds=1.2)


def start_gathering(
    recording: Path, folder: Path, count: int, *variants: str
) -> subprocess.Popen[str]:
    """Start a process that gathers as many recordings, and prints how many are done."""
    command = [sys.executable, "-c", GATHER, str(recording), str(folder), str(count), *variants]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_gathering_leaves_no_process_and_goes_on_where_it_was(
    stop: signal.Signals, recording: Path, tmp_path: Path
) -> None:
    process = start_gathering(recording, tmp_path / "store", 3000, "noise")
    assert process.stdout is not None
    while int(process.stdout.readline()) < 3:
        pass
    workers = psutil.Process(process.pid).children(recursive=True)

    process.send_signal(stop)

    assert process.wait(10) != 0
    assert process.stderr is not None
    assert "Exception in thread" not in process.stderr.read()
    assert psutil.wait_procs(workers, timeout=5)[1] == []
    stored = list(tmp_path.glob("store/*/*.npy"))
    assert 6 <= len(stored) < 2 * 3000
    assert all(np.load(path).shape[1:] == (40,) for path in stored)
    with start_gathering(recording, tmp_path / "store", 3, "noise") as again:
        assert again.stdout is not None
        assert again.stdout.readline() == "3\n"


def test_two_gatherings_of_the_same_do_not_disturb_each_other_and_stay_light(
    recording: Path, tmp_path: Path
) -> None:
    both = [
        start_gathering(recording, tmp_path / "store", 5, *variants)
        for variants in (("noise",), ("noise", "room"))
    ]

    outputs = [process.communicate(timeout=60)[0] for process in both]

    assert [output.splitlines()[-1].strip() for output in outputs] == ["done", "done"]
    assert len(list(tmp_path.glob("store/*/*.npy"))) == 15
    assert list(tmp_path.glob("store/*/.*")) == []
