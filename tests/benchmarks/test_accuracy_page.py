"""The accuracy page leads with new speakers, and no figure is shown without its protocol."""

from __future__ import annotations

from accuracy_page import accuracy_page
from made_predictions import make_evaluation, make_info, make_prediction

from batchemo.evaluation import evaluate

CLAIMS = {"cnn1d": "about 68 %", "mfcc40": "F1 > 80 %", "melattn": "83 %"}


def page() -> str:
    evaluations = [
        make_evaluation(protocol, recipe, random_seed)
        for random_seed, recipe in enumerate(("mfcc40", "cnn1d"))
        for protocol in ("leaky", "random", "speaker")
    ]
    return accuracy_page(evaluations, CLAIMS, command="python benchmarks/measure.py")


def row(text: str, start: str) -> list[str]:
    [line] = [line for line in text.splitlines() if line.startswith(f"| {start} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_headline_is_the_speaker_column() -> None:
    cells = row(page(), "[`mfcc40`](#mfcc40)")
    uar = make_evaluation().figures["uar"]
    low, high = uar.interval_over_speakers or (0, 0)

    assert "| recipe | `speaker` UAR | `speaker` accuracy | `random` UAR |" in page()
    assert cells[1] == (
        f"**{uar.mean:.3f} ± {uar.spread_over_seeds:.3f} ({low:.2f} to {high:.2f})**"
    )


def test_claims_are_compared_with_leaky_figures_only() -> None:
    head, tail = page().split("## Compared with the claims")

    assert "about 68 %" not in head
    assert row(tail, "`cnn1d`")[-1] == "about 68 %"
    assert row(tail, "`mfcc40`")[-1] == "F1 \\> 80 %"
    assert "not a measure of accuracy on new speech" in tail


def test_recipes_come_in_the_order_of_the_claims_and_gaps_are_shown() -> None:
    sections = [line for line in page().splitlines() if line.startswith("## ")]

    assert sections[-3:] == ["## cnn1d", "## mfcc40", "## melattn"]
    assert page().endswith("## melattn\n\nNot evaluated.\n")
    assert row(page(), "[`melattn`](#melattn)")[1:] == ["—"] * 4


def test_a_section_has_recall_by_class_groups_and_the_size_of_the_test() -> None:
    section = page().split("## mfcc40\n")[1].split("## melattn")[0]
    recall = make_evaluation().classes[0].recall

    assert row(section, "recordings")[1:] == ["72", "72", "72"]
    assert row(section, "seeds")[1:] == ["2", "2", "2"]
    assert row(section, "sad")[1:] == [f"{recall:.3f}"] * 3
    assert len(row(section, "gender: male")) == 4
    assert "intensity" not in section, "all are of one intensity"


def test_the_page_says_how_it_was_made() -> None:
    assert "Made by `python benchmarks/measure.py`." in page()
    assert "- `leaky`: How leaky splits." in page()


def test_no_label_is_taken_for_markup() -> None:
    labels = ("a|b", "<img src=x>")
    predictions = [
        make_prediction("a|b", "a|b", labels=labels),
        make_prediction("<img src=x>", "a|b", labels=labels),
    ]

    text = accuracy_page([evaluate(predictions, labels, info=make_info())], {}, command="true")

    assert "| a\\|b | 1.000 |" in text
    assert "<img" not in text.replace("\\<", "")
