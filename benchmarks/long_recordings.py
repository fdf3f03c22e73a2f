"""Measures turns in a long recording made of known clips: where they are, and what they say.

    python benchmarks/long_recordings.py MANIFEST [--corpora emovo,ravdess] [--minutes 120]

MANIFEST is a CSV with `file, corpus, emotion`, by paths below its folder. The recording holds clips
in a random order, most of them alone between silences, some with music 15 dB below, some spoken
into by another clip; between them are silences, sounds (of --noises, a corpus) and made music. The
command is run with these turns given (`--turns FILE`), with turns that it finds (`--turns speech`),
with those that the gate for windows finds, and on the clips alone. It prints

- how far the turns in the table, and in files of all formats of `export`, are from where the clips
  were put;
- of found turns, the share of speech that lies in them, the share of all else that does, and how
  far they begin and end from where the speech does;
- UAR, and how often the label is that of the clip alone.

What is speech in a clip is told as in speech_turns.py: within 35 dB of its loudest 10 ms, over
pauses of up to 0.5 s, since a turn goes on over these.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import soundfile
import soxr
from speech_turns import RATE, SPEECH_DB, STEP, gate, joined, levels, music

from batchemo.audio.speech_turns import FRAME, GAP, speech_spans

PAUSE = round(GAP * RATE / STEP)
MUSIC_DB = 15.0
HOW_CLIPS_STAND = ("alone", "over music", "overlapped")
Signal = np.ndarray
Span = tuple[float, float]


@dataclass
class Clip:
    """A clip in the recording, with its label, and the seconds where it is."""

    file: str
    emotion: str
    how: str
    """One of `HOW_CLIPS_STAND`."""
    start: float
    end: float


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--corpora", default="emovo,ravdess,emodb")
    parser.add_argument("--noises", default="esc10_noise", help="a corpus of other sounds")
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--model", default="default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips, speech = Recording(options).write(folder / "long.wav")
        write_turns(folder / "given.csv", [(c.start, c.end) for c in clips], "ab")
        print(f"{len(clips)} clips, {len(speech) * STEP / RATE / 60:.0f} minutes", end="")
        print(f", {speech.mean():.0%} of them speech\n")
        alone = scan_alone(options, clips, folder)
        given = scan(folder / "long.wav", "--turns", folder / "given.csv", model=options.model)
        report_boundaries(clips, given, folder)
        found = scan(folder / "long.wav", "--turns", "speech", model=options.model)
        write_turns(folder / "gate.csv", gate_spans(folder / "long.wav"), "a")
        by_gate = scan(folder / "long.wav", "--turns", folder / "gate.csv", model=options.model)
        detectors = {"Silero": found, "gate, 0.6 s": by_gate}
        report_found(detectors, speech)
        report_emotions(clips, alone, given, detectors)


class Recording:
    """Makes the recording, scene by scene."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.random = np.random.default_rng(0)
        self.seconds = options.minutes * 60
        self.folder = options.manifest.parent
        with options.manifest.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        wanted = [row for row in rows if row["corpus"] in options.corpora.split(",")]
        labels = labels_of(options.model)
        wanted = [row for row in wanted if row["emotion"] in labels]
        self.rows = [wanted[index] for index in self.random.permutation(len(wanted))]
        self.noises = [row["file"] for row in rows if row["corpus"] == options.noises]

    def write(self, path: Path) -> tuple[list[Clip], np.ndarray]:
        """Write the recording; return its clips, and which steps of it are speech."""
        clips: list[Clip] = []
        masks: list[np.ndarray] = []
        position = 0
        with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
            while position < self.seconds * RATE and len(self.rows) > 1:
                signal, mask, put = self.scene()
                for clip in put:
                    clip.start += position / RATE
                    clip.end += position / RATE
                clips += put
                masks.append(mask)
                file.write(signal + 1e-4 * self.random.standard_normal(len(signal)))
                position += len(signal)
        return clips, joined(np.concatenate(masks), PAUSE)

    def scene(self) -> tuple[Signal, np.ndarray, list[Clip]]:
        """Return some seconds: a silence, and then clips, music or a sound."""
        kind, pause = self.random.random(), np.zeros(whole(self.random.uniform(0.3, 4)))
        if kind < 0.06 and self.noises:
            other = self.sound(self.noises[self.random.integers(len(self.noises))])
            return self.without_speech(pause, 0.2 * other / max(1e-9, np.abs(other).max()))
        if kind < 0.12:
            return self.without_speech(pause, music(whole(self.random.uniform(3, 20)), self.random))
        row, signal = self.clip()
        how = "over music" if kind < 0.24 else "overlapped" if kind > 0.85 else "alone"
        parts = [(len(pause), row, signal)]
        if how == "overlapped":
            other_row, other = self.clip()
            share = self.random.uniform(0.1, 0.45) * min(len(signal), len(other))
            parts.append((len(pause) + len(signal) - whole(share / RATE), other_row, other))
        length = max(start + len(part) for start, _, part in parts)
        mixed, mask = np.zeros(length), np.zeros(length // STEP, bool)
        if how == "over music":
            tune = music(len(signal), self.random)
            power = np.square(signal).mean() / np.square(tune).mean() / 10 ** (MUSIC_DB / 10)
            mixed[len(pause) :] += tune * np.sqrt(power)
        for start, _, part in parts:
            mixed[start : start + len(part)] += part
            level = levels(part)
            own = joined(level > level.max() - SPEECH_DB, PAUSE)
            mask[start // STEP : start // STEP + len(own)] |= own
        put = [
            Clip(one["file"], one["emotion"], how, start / RATE, (start + len(part)) / RATE)
            for start, one, part in parts
        ]
        return mixed, mask, put

    def clip(self) -> tuple[dict[str, str], Signal]:
        """Return the next clip, as loud as chance will have it."""
        row = self.rows.pop()
        signal = self.sound(row["file"])
        return row, signal / max(1e-9, np.abs(signal).max()) * self.random.uniform(0.1, 0.45)

    def sound(self, file: str) -> Signal:
        """Return a file as it is put into the recording, in whole steps."""
        signal, rate = soundfile.read(self.folder / file, always_2d=True)
        mono = soxr.resample(signal.mean(axis=1), rate, RATE)
        return mono[: len(mono) // STEP * STEP]

    def without_speech(self, *parts: Signal) -> tuple[Signal, np.ndarray, list[Clip]]:
        signal = np.concatenate(parts)
        return signal, np.zeros(len(signal) // STEP, bool), []


def whole(seconds: float) -> int:
    """Return that many seconds in samples, of whole steps."""
    return round(seconds * RATE / STEP) * STEP


def labels_of(model: str) -> tuple[str, ...]:
    from batchemo.bundles import load_bundle

    return load_bundle(model).labels


def write_turns(path: Path, spans: Sequence[Span], speakers: str) -> None:
    """Write turns of speakers who take turns, so that those who overlap are not the same."""
    with path.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("file", "start", "end", "speaker"))
        for number, (start, end) in enumerate(spans):
            rows.writerow(("long.wav", start, end, speakers[number % len(speakers)]))


def scan(source: Path, *words: object, model: str) -> list[dict[str, Any]]:
    """Return the rows of a scan."""
    output, segments = source.parent / "results.parquet", source.parent / "windows.parquet"
    tables = "-o", output, "--segments", segments, "--overwrite"
    run("scan", source, *words, "-m", model, *tables, "--timeout", 0, "-q")
    return pq.read_table(output).to_pylist()


def run(*words: object) -> None:
    command = [sys.executable, "-m", "batchemo", *map(str, words)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    # 3: some turns failed, as those that hold nothing like speech.
    if done.returncode not in (0, 3):
        raise SystemExit(f"batchemo {words[0]}: {done.stderr}")


def scan_alone(options: argparse.Namespace, clips: list[Clip], folder: Path) -> dict[str, str]:
    """Return the label of each clip's file, scanned as it is."""
    listed = folder / "clips.csv"
    root = options.manifest.parent.absolute()
    listed.write_text("file\n" + "".join(f"{root / clip.file}\n" for clip in clips))
    output = folder / "alone.parquet"
    run("scan", "--manifest", listed, "-m", options.model, "-o", output, "-q")
    rows = pq.read_table(output).to_pylist()
    by_path = {str(Path(row["root"], row["file"])): row["emotion"] for row in rows}
    return {clip.file: by_path[str(root / clip.file)] for clip in clips}


def gate_spans(path: Path) -> list[Span]:
    """Return the turns that the gate finds, by the rules of `--turns speech`."""
    masks = [np.zeros(0)]
    # Minutes hold a whole number of frames.
    for block in soundfile.blocks(path, 60 * RATE, dtype="float32"):
        mask = np.repeat(gate(block), STEP)[: len(block) // FRAME * FRAME]
        masks.append(mask.reshape(-1, FRAME).mean(axis=1))
    frames = np.concatenate(masks)
    return speech_spans(frames, len(frames) * FRAME / RATE)


def report_boundaries(clips: list[Clip], rows: list[dict[str, Any]], folder: Path) -> None:
    """Print how far turns are from where they were put, in the table and in each export."""
    put = [(clip.start, clip.end) for clip in clips]
    print("| given turns | found again | off by at most |\n| --- | ---: | ---: |")
    print_offsets("the table", put, [(row["start"], row["end"]) for row in rows])
    labelled = [span for span, row in zip(put, rows, strict=True) if row["emotion"]]
    labels = [row["emotion"] for row in rows if row["emotion"]]
    windows = iter(pq.read_table(folder / "windows.parquet").to_pylist())
    of_turns = [list(islice(windows, row["windows"])) for row in rows if row["windows"]]
    print_offsets("their windows", labelled, [(w[0]["start"], w[-1]["end"]) for w in of_turns])
    for kind in ("audacity", "textgrid", "elan", "srt", "rttm", "audformat"):
        target = folder / kind
        run("export", folder / "results.parquet", "--to", kind, "-o", target)
        entries = sorted(read_export(kind, target))
        assert [label.rpartition(": ")[2] for *_, label in entries] == labels, kind
        print_offsets(kind, labelled, [(start, end) for start, end, _ in entries])
    print()


def print_offsets(name: str, put: list[Span], found: list[Span]) -> None:
    off = np.abs(np.array(put) - np.array(found)).max()
    print(f"| {name} | {len(found)} of {len(put)} | {off * 1000:.2f} ms |")


def read_export(kind: str, folder: Path) -> Iterator[tuple[float, float, str]]:
    """Yield start, end and label from the files that `export` wrote."""
    if kind == "textgrid":
        from praatio import textgrid

        grid = textgrid.openTextgrid(str(folder / "long.TextGrid"), includeEmptyIntervals=False)
        yield from (tuple(entry) for tier in grid.tiers for entry in tier.entries)
    elif kind == "elan":
        from pympi.Elan import Eaf

        document = Eaf(str(folder / "long.eaf"))
        for tier in document.get_tier_names():
            for start, end, label in document.get_annotation_data_for_tier(tier):
                yield start / 1000, end / 1000, label
    elif kind == "audformat":
        import audformat

        database = audformat.Database.load(str(folder))
        for table in database.tables.values():
            for (_, start, end), label in table.df["emotion"].items():
                yield start.total_seconds(), end.total_seconds(), label
    else:
        text = (folder / f"long.{'txt' if kind == 'audacity' else kind}").read_text()
        yield from read_lines(kind, text)


def read_lines(kind: str, text: str) -> Iterator[tuple[float, float, str]]:
    if kind == "srt":
        for block in text.strip().split("\n\n"):
            _, times, label = block.split("\n")
            start, end = (clock(each) for each in times.split(" --> "))
            yield start, end, label
        return
    for line in text.splitlines():
        if kind == "audacity":
            first, last, label = line.split("\t")
            yield float(first), float(last), label
        else:
            fields = line.split()
            yield float(fields[3]), float(fields[3]) + float(fields[4]), fields[7].split("_")[-1]


def clock(text: str) -> float:
    hours, minutes, seconds = text.replace(",", ".").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def report_found(detectors: dict[str, list[dict[str, Any]]], speech: np.ndarray) -> None:
    """Print how much of the speech, and of all else, lies in the turns that were found."""
    print("| found by | turns | speech found | taken for speech |", end="")
    print(" begins, ends (median) | off by (median) | within 0.1 s | within 0.25 s |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    edges = np.flatnonzero(np.diff(np.concatenate([[False], speech, [False]]).astype(int)))
    for name, rows in detectors.items():
        if rows[0]["start"] is None:
            raise SystemExit(f"no turns were found: {rows[0]['reason']}: {rows[0]['detail']}")
        found = np.zeros(len(speech), bool)
        for row in rows:
            found[round(row["start"] * 100) : round(row["end"] * 100)] = True
        right, wrong = found[speech].mean(), found[~speech].mean()
        starts, ends = (np.sort([row[key] for row in rows]) for key in ("start", "end"))
        begins, stops = offsets(edges[::2], starts), offsets(edges[1::2], ends)
        off = np.abs(np.concatenate([begins, stops]))
        within = " | ".join(f"{(off <= limit).mean():.1%}" for limit in (0.1, 0.25))
        print(f"| {name} | {len(rows)} | {right:.1%} | {wrong:.1%}", end="")
        print(f" | {np.median(begins):+.2f} s, {np.median(stops):+.2f} s", end="")
        print(f" | {np.median(off):.2f} s | {within} |")
    print()


def offsets(edges: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return how much later than each edge, which is in steps, the nearest that was found is."""
    seconds = edges * STEP / RATE
    after = np.searchsorted(found, seconds).clip(1, len(found) - 1)
    before, later = found[after - 1] - seconds, found[after] - seconds
    return np.where(-before < later, before, later)


def report_emotions(
    clips: list[Clip],
    alone: dict[str, str],
    given: list[dict[str, Any]],
    detectors: dict[str, list[dict[str, Any]]],
) -> None:
    """Print the recall of emotions by turns, and by the same clips alone."""
    print("| turns | how clips stand | clips | UAR of turns | UAR alone | same label |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    by_turn = {"given": [row["emotion"] for row in given]}
    for name, rows in detectors.items():
        by_turn[f"found: {name}"] = [label_of(clip, rows, clips) for clip in clips]
    for name, labels in by_turn.items():
        for how in HOW_CLIPS_STAND:
            chosen = [
                (clip.emotion, label, alone[clip.file])
                for clip, label in zip(clips, labels, strict=True)
                if clip.how == how and label and alone[clip.file]
            ]
            if not chosen:
                continue
            truth, of_turns, of_clips = zip(*chosen, strict=True)
            same = np.mean([a == b for a, b in zip(of_turns, of_clips, strict=True)])
            uars = f"{uar(truth, of_turns):.3f} | {uar(truth, of_clips):.3f}"
            print(f"| {name} | {how} | {len(chosen)} | {uars} | {same:.1%} |")


def label_of(clip: Clip, rows: list[dict[str, Any]], clips: list[Clip]) -> str | None:
    """Return the label of the turn that holds a clip, if it holds no other and is most of it."""
    holding = [row for row in rows if row["start"] < clip.end and row["end"] > clip.start]
    if len(holding) != 1:
        return None
    start, end = holding[0]["start"], holding[0]["end"]
    others = [one for one in clips if one.start < end and one.end > start]
    label: str | None = holding[0]["emotion"] if len(others) == 1 else None
    return label


def uar(truth: Sequence[str], predicted: Sequence[str]) -> float:
    own, guess = np.array(truth), np.array(predicted)
    return float(np.mean([(guess[own == label] == label).mean() for label in np.unique(own)]))


if __name__ == "__main__":
    main()
