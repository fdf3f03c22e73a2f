"""Checks whether this machine has what a scan needs, and whether a scan works on it.

Packages are imported inside the checks: a package that is missing or broken must become a line of
the result, not a traceback of this module.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import locale
import os
import shutil
import sys
import tempfile
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from batchemo.batch.options import ScanOptions
from batchemo.common import locks
from batchemo.common.files import open_new, rename, sync
from batchemo.common.locks import scratch_folder
from batchemo.common.text import counted
from batchemo.errors import BatchemoError
from batchemo.inference.settings import ModelSettings
from batchemo.sources import SourceOptions
from batchemo.workers.executor import available_cpus

MIN_PYTHON = (3, 10)
NEEDED = (
    *("click", "loky", "numpy", "onnxruntime", "platformdirs", "psutil", "pyarrow"),
    *("rich", "scipy", "soundfile", "soxr", "threadpoolctl", "tqdm"),
)
EXTRAS = {
    "app": ("streamlit",),
    "av": ("av",),
    "cloud": ("obstore",),
    "train": ("tensorflow", "tf2onnx", "onnx", "sklearn", "librosa", "matplotlib"),
}
FORMATS = ("WAV", "RF64", "FLAC", "OGG", "MP3")
MODEL_TIMEOUT = 60.0
RATE = 16_000


@dataclass(frozen=True, slots=True)
class Check:
    """What was checked, and the result; what is `absent` is optional."""

    name: str
    state: Literal["ok", "absent", "problem"]
    detail: str


def check_up(folder: Path) -> Iterator[Check]:
    """Yield the result of every check; `folder` is where tables are to be written."""
    yield _python()
    yield from _packages()
    yield _libsndfile()
    yield _devices()
    yield _file_names()
    yield _machine()
    yield _folder(folder)
    yield from _models()
    yield from _extras()


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    is_supported = sys.version_info >= MIN_PYTHON
    return Check("python", "ok" if is_supported else "problem", f"{version} in {sys.prefix}")


def _packages() -> Iterator[Check]:
    versions = []
    for name in NEEDED:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            yield Check("packages", "problem", f"{name} is not installed: pip install {name}")
    yield Check("packages", "ok", ", ".join(versions))


def _libsndfile() -> Check:
    try:
        import soundfile
    except (ImportError, OSError) as error:
        return Check("libsndfile", "problem", f"cannot be loaded: {error}")
    readable = [name for name in FORMATS if name in soundfile.available_formats()]
    state: Literal["ok", "problem"] = "ok" if "WAV" in readable else "problem"
    version = soundfile.__libsndfile_version__
    return Check("libsndfile", state, f"{version}, reads {', '.join(readable)}")


def _devices() -> Check:
    try:
        import onnxruntime

        from batchemo.bundles.device import cuda_providers, missing_for_cuda
    except ImportError as error:
        return Check("devices", "problem", f"ONNX Runtime cannot be loaded: {error}")
    names = ", ".join(onnxruntime.get_available_providers())
    missing = missing_for_cuda()
    gpus = counted(len(cuda_providers()), "GPU")
    detail = f"cpu and {gpus}" if missing is None else f"cpu; no GPU ({missing})"
    return Check("devices", "ok", f"{detail}; ONNX Runtime has {names}")


def _file_names() -> Check:
    # Where Python takes names for ASCII, it cannot open a name with other characters that it has
    # read from a manifest or a table.
    encoding = sys.getfilesystemencoding()
    locale_name = locale.setlocale(locale.LC_CTYPE)
    if encoding.lower() != "utf-8":
        detail = f"file names are {encoding}: set PYTHONUTF8=1, so that all names can be opened"
        return Check("names", "problem", detail)
    output = (sys.stdout.encoding or "unknown") if sys.stdout is not None else "closed"
    return Check("names", "ok", f"files utf-8, output {output}, locale {locale_name}")


def _machine() -> Check:
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    memory = f"{min([physical, *_memory_limits()]) / 2**30:.1f} GiB of memory"
    processors = f"{available_cpus()} of {os.cpu_count()} processors may be used"
    return Check("machine", "ok", f"{processors}, {memory}")


def _memory_limits() -> Iterator[int]:
    """Yield the limits that a container sets, in version 2 or version 1 of cgroups."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        path = Path("/sys/fs/cgroup", name)
        if path.is_file() and (text := path.read_text().strip()).isdecimal():
            yield int(text)


def _folder(folder: Path) -> Check:
    """Write as a scan does: lock, sync, rename. Network disks may lack any of the three."""
    shown = os.fspath(folder.absolute())
    try:
        with (
            tempfile.TemporaryDirectory(dir=folder, prefix=".batchemo-doctor-") as scratch,
            locks.hold(Path(scratch, "parts"), wait=False),
        ):
            unfinished = Path(scratch, "unfinished")
            began = time.perf_counter()
            with open_new(unfinished) as stream:
                # Some network disks report a full quota only when something is synced.
                stream.write(bytes(2**16))
                stream.flush()
                sync(stream.fileno())
            rename(unfinished, Path(scratch, "table"))
            spent = time.perf_counter() - began
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Check("folder", "problem", f"{shown} cannot be written to: {error.strerror}")
    return Check("folder", "ok", f"{shown}: {free / 2**30:,.1f} GiB free, synced in {spent:.3f} s")


def _models() -> Iterator[Check]:
    try:
        from batchemo.bundles import list_bundles
    except ImportError as error:
        yield Check("model", "problem", f"none can be loaded: {error}")
        return
    names = list_bundles()
    if not names:
        detail = "none is shipped with this installation: scan and predict need -m FOLDER"
        yield Check("model", "problem", detail)
    for name in names:
        yield check_model(name)


def check_model(name: str) -> Check:
    """Verify a model, and let a worker process run it on a synthetic recording."""
    try:
        digest, reason, seconds = _try_model(name)
    except (BatchemoError, ImportError, OSError) as error:
        return Check("model", "problem", f"{name}: {error}")
    if reason is not None:
        return Check("model", "problem", f"{name}: failed on a synthetic recording: {reason}")
    detail = f"{name}: verified, ran in a worker in {seconds:.1f} s, digest {digest[:12]}"
    return Check("model", "ok", detail)


def _try_model(name: str) -> tuple[str, str | None, float]:
    """Scan a synthetic recording; return the model's digest, a failure's reason, the seconds."""
    from batchemo.batch.scan import run_scan
    from batchemo.bundles import load_bundle

    bundle = load_bundle(name)
    with scratch_folder() as scratch:
        path = scratch / "synthetic.wav"
        write_synthetic_voice(path)
        options = ScanOptions(
            SourceOptions(paths=(str(path),)),
            (ModelSettings(model=str(bundle.path)),),
            jobs=1,
            timeout=MODEL_TIMEOUT,
        )
        began = time.perf_counter()
        report = run_scan(options).report
        seconds = time.perf_counter() - began
    reasons = ", ".join(report.summary.by_outcome("failed"))
    return bundle.digest, reasons or None, seconds


def _extras() -> Iterator[Check]:
    for extra, modules in EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        if missing:
            detail = f"without {', '.join(missing)}: pip install 'batchemo[{extra}]' if you need it"
            yield Check(extra, "absent", detail)
        else:
            yield Check(extra, "ok", "installed")


def write_synthetic_voice(
    path: Path, seconds: float = 3.0, *, rate: int = RATE, seed: int = 0
) -> None:
    """Write a WAV that voice activity detection takes for speech: harmonics with two formants."""
    import numpy as np

    random = np.random.default_rng(seed)
    times = np.arange(round(seconds * rate)) / rate
    syllables = np.arange(0.0, seconds + 0.2, 0.2)
    # The pitch, two formants and the level glide from each syllable to the next.
    pitch, first_formant, second_formant, level = (
        np.interp(times, syllables, random.uniform(low, high, len(syllables)))
        for low, high in ((100, 160), (250, 900), (900, 1800), (0.3, 1.0))
    )
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    signal = np.zeros(len(times))
    for harmonic in range(1, 25):
        gains = [
            np.exp(-(((harmonic * pitch - formant) / 150) ** 2))
            for formant in (first_formant, second_formant)
        ]
        signal += sum(gains) * np.sin(harmonic * phase)
    signal *= 0.5 * level / np.abs(signal).max()
    # By the standard library: the check must work where the audio library does not.
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(rate)
        stream.writeframes((signal * 32767).astype("<i2").tobytes())
