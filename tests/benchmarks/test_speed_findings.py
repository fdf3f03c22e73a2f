"""What the kept runs say of the contenders, and what the page says of those who were not there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from speed.commands import Ran
from speed.contenders import contender_of, contenders
from speed.corpora import Corpora, Folder
from speed.findings import Findings
from speed.report import corpora_tables
from speed.rounds import PredictTask, load, play, save, tasks


def folder(recordings: int, seconds: float) -> Folder:
    return Folder(Path(f"/{recordings}"), recordings, recordings * seconds / 60)


@pytest.fixture
def corpora() -> Corpora:
    return Corpora(
        *(folder(1000, 3.0), folder(10, 3.0), folder(1000, 1.0), folder(50, 1.0)),
        *(folder(2, 3000.0), folder(100, 6.0), Path("/work")),
    )


def test_cost_start_and_ratio_come_from_two_runs_a_round(corpora: Corpora) -> None:
    everyone = [replace(who, most=1000) for who in contenders(2)]
    ours, floor = contender_of("default", everyone), contender_of("floor", everyone)
    kept = {
        "few/default": [Ran(1.1, 1), Ran(1.1, 1)],
        "given/default": [Ran(11.0, 1), Ran(21.0, 1)],
        "few/floor": [Ran(0.3, 1), Ran(0.3, 1)],
        "given/floor": [Ran(5.25, 1), Ran(5.25, 1)],
        "short/floor": [Ran(2.25, 1), Ran(2.25, 1)],
    }
    found = Findings(kept, corpora, everyone)
    assert found.costs(ours, "given") == pytest.approx([0.01, 0.0201], rel=0.01)
    assert found.start(floor) == pytest.approx(0.25)
    assert found.costs(floor, "short") == pytest.approx([0.002, 0.002])
    assert found.paces(floor, "short") == pytest.approx([0.12, 0.12])
    assert found.times_ours(floor, ours, "given").median == pytest.approx(0.375, rel=0.01)


def test_who_is_not_installed_is_left_out_and_said_to_be(corpora: Corpora) -> None:
    absent = replace(contenders(2)[-1], title="somebody", needs=("no_such_package",))
    ours = contenders(2)[0]
    ran = [Ran(1.0, 1), Ran(1.0, 1)]
    kept = {f"{corpus}/default": ran for corpus in ("short", "long", "mix")}
    kept |= {"few/default": [Ran(0.1, 1)] * 2, "given/default": ran}
    page = corpora_tables(Findings(kept, corpora, [ours, absent]))
    assert "| somebody | skipped: no_such_package not installed |" in page
    assert absent.missing == ("no_such_package",)


def test_a_round_is_kept_when_all_of_it_is_done(tmp_path: Path) -> None:
    kept: dict[str, list[Ran]] = {}
    good = PredictTask("good", lambda: Ran(1.0, 0.5), times=2)
    play([good], kept, 0, lambda text: None)
    with pytest.raises(ZeroDivisionError):
        play([good, PredictTask("bad", lambda: Ran(1 / 0, 0))], kept, 0, lambda text: None)
    assert kept == {"good": [Ran(1.0, 0.5)] * 2}
    play([PredictTask("large", lambda: Ran(1.0, 0.5), large=True)], kept, 1, lambda text: None)
    assert "large" not in kept
    save(tmp_path / "kept.json", kept)
    assert load(tmp_path / "kept.json") == kept
    assert load(tmp_path / "none.json") == {}


def test_a_round_has_every_contender_on_all_its_corpora(corpora: Corpora) -> None:
    everyone = [replace(who, most=10**9, needs=()) for who in contenders(2)]
    names = [task.name for task in tasks(corpora, everyone, Path("/out"))]
    assert len(names) == len(set(names))
    wanted = {f"{corpus}/{who.name}" for who in everyone for corpus in ("few", *who.corpora)}
    assert wanted < set(names)
