"""Adapting a model: from answers and embeddings to a bundle, or to the reason for none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from batchemo.adaptation.examples import (
    LEFT_OUT,
    Examples,
    agreed_labels,
    check_table,
    choose_labels,
    read_examples,
)
from batchemo.adaptation.fit import BaseOutput, fit_head, one_thread
from batchemo.adaptation.leave_out import assess
from batchemo.adaptation.outcome import Comparison, CurvePoint, compare, learning_curve
from batchemo.adaptation.package import Origin, write_adapted
from batchemo.adaptation.shares import ClassShares
from batchemo.bundles import Bundle, load_bundle
from batchemo.bundles.bundle import INFO
from batchemo.bundles.head import Head
from batchemo.common.text import counted, for_display, from_text
from batchemo.errors import UsageError
from batchemo.tables.labels import Key, Labels, read_labels
from batchemo.tables.summary import group_names, is_path_part

RECORDING = "recording"
MIN_ANSWERS = 8
MIN_GROUPS = 3


@dataclass(frozen=True, slots=True)
class AdaptOptions:
    """What `batchemo adapt` is asked to do."""

    model: str
    labels: str
    embeddings: str
    output: str
    leave_out: str = RECORDING
    """What is left out together: a recording, or what names the speaker of one."""
    label_set: tuple[str, ...] = ()
    """The labels of the adapted model; empty to go by the answers."""
    class_shares: ClassShares | None = None
    force: bool = False
    """Write the model also where it is not shown to help."""
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.leave_out != RECORDING and not is_path_part(self.leave_out):
            raise UsageError(
                f"--leave-out {for_display(self.leave_out)}: write {RECORDING}, folder, part:N or "
                "regex:PATTERN"
            )


@dataclass(frozen=True, slots=True)
class AdaptResult:
    """What became of it; the bundle is None where none was written."""

    base: Bundle
    origin: Origin
    not_used: dict[str, int]
    """How many answers were not used, by reason in words."""
    problems: tuple[str, ...]
    """Lines of the labels that are no answers."""
    bundle: Bundle | None

    @property
    def comparison(self) -> Comparison:
        """Before and after."""
        return self.origin.comparison

    @property
    def curve(self) -> tuple[CurvePoint, ...]:
        """UAR by the number of answers."""
        return self.origin.curve


def adapt(options: AdaptOptions) -> AdaptResult:
    """Fit a head to answers, measure it on those that are left out, and write it if it helps."""
    with one_thread():
        return _adapt(options)


def _adapt(options: AdaptOptions) -> AdaptResult:
    folder = _check_output(options)
    base = _check_base(load_bundle(options.model))
    table = check_table(Path(options.embeddings), base)
    labels = read_labels(options.labels)
    answered, not_used = agreed_labels(labels)
    if not answered:
        raise UsageError(f"{for_display(options.labels)}: there is no answer with a label")
    label_set = _label_set(options, base, answered)
    examples, corpus, more = read_examples(table, base, answered, label_set)
    not_used += more
    groups = _groups(examples, options.leave_out)
    _check_enough(examples, groups, options)
    output = BaseOutput.for_labels(base.labels, label_set)
    shares = options.class_shares
    log_shares = None if shares is None else shares.left_out_logarithms(examples)
    assessment = assess(examples, output, corpus, groups, log_shares)
    comparison = compare(examples, assessment, groups)
    fit = fit_head(examples, output, corpus)
    head = fit.to_head(output, corpus)
    if shares is not None:
        # The temperature, by which all logits are divided, leaves the shares as they are.
        offset = head.offset + assessment.temperature * shares.logarithms(examples)
        head = Head(head.mixing, head.weights, offset)
    origin = Origin(
        labels=examples.labels,
        answers=_counts(examples),
        reviewers=_reviewers(labels, examples),
        left_out="single recordings" if options.leave_out == RECORDING else options.leave_out,
        groups=len(set(groups)),
        temperature=assessment.temperature,
        class_shares=shares is not None,
        comparison=comparison,
        curve=learning_curve(examples, output, corpus, assessment, groups),
    )
    bundle = None
    if comparison.helps or options.force:
        bundle = write_adapted(folder, base, head, origin, _digests(examples))
    reasons = {LEFT_OUT[reason]: count for reason, count in not_used.items() if count}
    return AdaptResult(base, origin, reasons, tuple(labels.problems), bundle)


def _check_output(options: AdaptOptions) -> Path:
    folder = Path(options.output)
    shown = for_display(options.output)
    if folder.exists() and not (folder / INFO).is_file():
        raise UsageError(f"-o {shown}: is there already, and is no bundle; name another folder")
    if folder.exists() and not options.overwrite:
        raise UsageError(f"-o {shown}: is there already: --overwrite replaces it")
    return folder


def _check_base(base: Bundle) -> Bundle:
    base.require_labels("adapting")
    if "base" in base.outputs:
        name = base.base[0]
        raise UsageError(
            f"{base.name} is itself adapted: adapt {name}, which it was made from, with all labels"
        )
    if "embedding" not in base.outputs:
        raise UsageError(
            f"the model {base.name} gives no embedding, which adapting needs. `batchemo models` "
            "lists those that do"
        )
    return base


def _label_set(options: AdaptOptions, base: Bundle, answered: Mapping[Key, str]) -> tuple[str, ...]:
    label_set = options.label_set or choose_labels(base.labels, answered)
    if len(label_set) < 2 or len(set(label_set)) < len(label_set):
        raise UsageError(
            f"a model needs two different labels at least, and these are: {', '.join(label_set)}"
        )
    for label in label_set:
        if not all(c.isascii() and (c.isalnum() or c in "._-") for c in label):
            raise UsageError(
                f"the label {for_display(label)!r} cannot be the name of a column: write it with "
                "letters, digits, '.', '_' and '-' only"
            )
    return label_set


def _groups(examples: Examples, leave_out: str) -> list[str]:
    """Return what is left out together with each example."""
    import pyarrow as pa

    files = [key.file for key in examples.keys]
    if leave_out == RECORDING:
        return [f"{key.root}\0{key.file}" for key in examples.keys]
    names = group_names(pa.table({"file": pa.array(files, pa.string())}), leave_out).to_pylist()
    # A recording without a name is one of its own.
    return [
        f"{key.root}\0{key.file}" if name is None else f"{key.root}\0{name}\0"
        for key, name in zip(examples.keys, names, strict=True)
    ]


def _check_enough(examples: Examples, groups: Sequence[str], options: AdaptOptions) -> None:
    classes = np.unique(examples.classes)
    if len(examples) < MIN_ANSWERS or len(classes) < 2:
        found = ", ".join(examples.labels[index] for index in classes)
        raise UsageError(
            f"there are {counted(len(examples), 'answer')} to use ({found}), which are too few: "
            f"give {MIN_ANSWERS} at least, of two labels or more. 40 are a good beginning"
        )
    if len(set(groups)) < MIN_GROUPS:
        raise UsageError(
            f"--leave-out {for_display(options.leave_out)}: the answers are of "
            f"{counted(len(set(groups)), 'group')}, and {MIN_GROUPS} are needed at least; "
            f"--leave-out {RECORDING} leaves out single recordings"
        )


def _counts(examples: Examples) -> dict[str, int]:
    counts = np.bincount(examples.classes, minlength=len(examples.labels)).tolist()
    return dict(zip(examples.labels, counts, strict=True))


def _reviewers(labels: Labels, examples: Examples) -> int:
    current = labels.current()
    return len({reviewer for key in examples.keys for reviewer in current[key]})


def _digests(examples: Examples) -> list[str]:
    """Return the digests, as bundles have them, of labelled recordings that can still be read."""
    from batchemo.audio import Failure
    from batchemo.corpora.duplicates import signal_digest

    digests = set()
    for root, file in {(key.root, key.file) for key in examples.keys}:
        try:
            digests.add(signal_digest(Path(from_text(root), from_text(file)))[:16])
        except (Failure, OSError):
            continue
    return sorted(digests)


def unanswered(origin: Origin) -> list[str]:
    """Return the labels that no answer has."""
    return [label for label, count in origin.answers.items() if not count]
