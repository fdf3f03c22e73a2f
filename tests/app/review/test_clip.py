"""The sound that is sent: of recordings below their roots alone, cut to what is asked about."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from batchemo.app.review import clip as clip_module
from batchemo.app.review.clip import Clip, Range, cut_clips, path_below_root, range_of
from batchemo.common.text import to_text
from batchemo.sources import Recording
from batchemo.tables.labels import Key, key_of


def cut(path: Path, start: float = 0.0, end: float | None = None) -> Clip:
    recording = Recording(str(path.parent), path.name, None, None)
    (clip,) = cut_clips(Range(start, end), [recording]).rows
    return clip


def samples_of(clip: Clip) -> tuple[np.ndarray, int]:
    samples, rate = soundfile.read(io.BytesIO(clip.wav))
    return samples, rate


@pytest.fixture
def ramp(tmp_path: Path) -> Path:
    """Ten seconds whose samples tell their time."""
    path = tmp_path / "ramp.wav"
    soundfile.write(path, np.arange(80_000) / 80_000, 8000, subtype="PCM_16")
    return path


def test_a_recording_is_sent_whole(ramp: Path) -> None:
    clip = cut(ramp)
    samples, rate = samples_of(clip)
    assert (len(samples), rate, clip.start, clip.is_cut) == (80_000, 8000, 0.0, False)


def test_a_window_has_a_second_of_context_on_both_sides(ramp: Path) -> None:
    wanted = range_of(key_of("/d", "a", 3.0, 5.0))
    clip = cut(ramp, wanted.start, wanted.end)
    samples, _ = samples_of(clip)
    assert clip.start == 2.0
    assert samples[0] == pytest.approx(0.2, abs=1e-3)
    assert samples[-1] == pytest.approx(0.6, abs=1e-3)
    first = range_of(key_of("/d", "a", 0.5, 2.0))
    assert (first.start, first.end) == (0.0, 3.0)


def test_no_more_is_sent_than_anybody_listens_to(
    ramp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_module, "LONGEST", 4.0)
    clip = cut(ramp)
    assert clip.is_cut
    assert len(samples_of(clip)[0]) == 4 * 8000
    assert not cut(ramp, 1.0, 3.0).is_cut


def test_high_rates_are_lowered_channels_mixed_and_strange_samples_made_audible(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.wav"
    frames = np.zeros((48_000, 2))
    frames[100] = [np.nan, 3.0]
    soundfile.write(path, frames, 48_000, subtype="FLOAT")
    samples, rate = samples_of(cut(path))
    assert rate == 24_000
    assert samples.shape == (24_000,)


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "no bytes"), (b"text" * 99, "no recording"), (None, "no file")]
)
def test_what_cannot_be_played_says_why(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    assert words in (cut(path).failure or "")


def test_a_window_after_the_end_says_so(ramp: Path) -> None:
    assert cut(ramp, 20.0, 22.0).failure is not None


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "sub").mkdir(parents=True)
    for name in ("secret.wav", "root/a.wav", "root/sub/b.wav"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "root" / "out.wav").symlink_to(tmp_path / "secret.wav")
    (tmp_path / "root" / "away").symlink_to(tmp_path)
    (tmp_path / "root" / "in.wav").symlink_to(tmp_path / "root" / "a.wav")
    (tmp_path / "linked").symlink_to(tmp_path / "root")
    return tmp_path / "root"


@pytest.mark.parametrize(
    "file",
    [
        *("../secret.wav", "sub/../../secret.wav", "out.wav", "away/secret.wav", "..", "a\0.wav"),
        *("/etc/passwd", "sub/../a.wav"),
    ],
)
def test_no_name_and_no_link_leads_out_of_the_root(root: Path, file: str) -> None:
    assert path_below_root(Key(str(root), file)) is None


def test_the_root_is_absolute(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.parent)
    assert path_below_root(Key("root", "a.wav")) is None


def test_recordings_and_links_below_the_root_are_found(root: Path) -> None:
    assert path_below_root(Key(str(root), "sub/b.wav")) == (str(root), "sub/b.wav")
    assert path_below_root(Key(str(root), "in.wav")) == (str(root), "a.wav")
    assert path_below_root(Key(str(root.parent / "linked"), "a.wav")) == (str(root), "a.wav")
    name = "\udcff.wav"
    assert path_below_root(Key(str(root), to_text(name))) == (str(root), name)
