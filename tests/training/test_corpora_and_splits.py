"""Who speaks is known before anything is split, and nobody is on both sides."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchemo.errors import UsageError
from batchemo.training.corpora import Example, read_corpora
from batchemo.training.splits import LUNA_JIMENEZ, luna_jimenez_folds


def example(speaker: str, corpus: str = "ravdess", emotion: str = "sad") -> Example:
    return Example(Path(f"{speaker}.wav"), corpus, speaker, "female", emotion, "normal")


def actor(number: int) -> Example:
    return example(f"ravdess-{number:02d}")


def test_recordings_are_read_in_the_order_of_the_manifest(made_corpora: Path) -> None:
    both = read_corpora(made_corpora, ("nemo", "ravdess"))

    assert [one.path.name for one in both] == [f"{number:02d}.wav" for number in range(18)]
    assert both[0].emotion == "sad"
    assert both[0].speaker == "ravdess-01"
    assert all(one.path.is_file() for one in both)


def test_only_the_corpora_that_were_named_are_read(made_corpora: Path) -> None:
    assert {one.corpus for one in read_corpora(made_corpora, ("nemo",))} == {"nemo"}


def test_a_corpus_that_is_not_there_is_named(made_corpora: Path) -> None:
    with pytest.raises(UsageError, match="has no recordings of emovo"):
        read_corpora(made_corpora, ("ravdess", "emovo"))


def test_unknown_emotions_are_listed(made_corpora: Path) -> None:
    manifest = made_corpora / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("sad", "smug").replace("happy", "bored"))

    with pytest.raises(UsageError, match="unknown emotions bored, smug; known are neutral, calm"):
        read_corpora(made_corpora, ("ravdess",))


@pytest.mark.parametrize("content", ["", "file,corpus\na.wav,ravdess\n"])
def test_a_manifest_without_the_columns_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.csv").write_text(content)

    with pytest.raises(UsageError, match="needs rows with the columns file, corpus, speaker"):
        read_corpora(tmp_path, ("ravdess",))


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"manifest\.csv: cannot be read"):
        read_corpora(tmp_path, ("ravdess",))


def test_the_published_folds_hold_every_actor_once() -> None:
    assert sorted(number for fold in LUNA_JIMENEZ for number in fold) == list(range(1, 25))


def test_no_speaker_is_on_both_sides_of_a_fold() -> None:
    everybody = [actor(number) for number in range(1, 25)] + [example("nemo-AB", "nemo")]

    folds = luna_jimenez_folds(everybody)

    assert len(folds) == 5
    for fold in folds:
        assert not {one.speaker for one in fold.test} & {one.speaker for one in fold.training}
        assert len(fold.test) + len(fold.training) == len(everybody)
        assert {one.corpus for one in fold.test} == {"ravdess"}


def test_a_fold_whose_actors_are_not_all_here_is_left_out() -> None:
    here = [actor(number) for number in range(1, 25) if number != 8]

    folds = luna_jimenez_folds(here)

    assert [fold.name for fold in folds] == [f"luna-jimenez-{k}" for k in (1, 2, 3, 5)]
    assert any(one.speaker == "ravdess-17" for one in folds[0].training)


def test_without_any_whole_fold_nothing_is_pretended() -> None:
    with pytest.raises(UsageError, match="no fold"):
        luna_jimenez_folds([actor(1)])
