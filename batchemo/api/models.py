"""`adapt` and `load_bundle`: what a program does with models."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from batchemo.api.arguments import Path, Strings, as_tuple

if TYPE_CHECKING:
    from batchemo.adaptation.run import AdaptResult
    from batchemo.bundles import Bundle


def adapt(
    model: Path,
    *,
    labels: Path,
    embeddings: Path,
    output: Path,
    leave_out: str = "recording",
    label_set: Strings = (),
    class_shares: Literal["answers"] | Mapping[str, float] | None = None,
    force: bool = False,
    overwrite: bool = False,
) -> AdaptResult:
    """Adapt a model to a corpus by what people have answered for some of its recordings.

    That it does not help is no error: then no bundle is written, and the result has the figures. A
    line of the labels that is no answer is a Python warning.

    Parameters
    ----------
    model
        The name of the model that made the embeddings, or the folder of its bundle.
    labels
        The answers, as `batchemo review` writes them: a CSV file with `root`, `file` and `label`.
    embeddings
        The embeddings of the corpus, as `scan` writes them.
    output
        The folder of the bundle to write.
    leave_out
        What is left out together when figures are measured: `recording`, or what names the speaker
        of one: `folder`, `part:N` or `regex:PATTERN`.
    label_set
        The labels of the adapted model; by default the model's, or those of the answers if one of
        them is not among the model's.
    class_shares
        How frequent the classes are in the corpus: `"answers"` if these were drawn at random, or
        the share of each label. By default no class is preferred.
    force, overwrite
        Write the bundle even if it is not shown to help; replace an existing one.

    Returns
    -------
    AdaptResult
        `comparison` has the figures `before` and `after` of answers that were left out (`uar`,
        `accuracy`, `ece`, `recall`), and whether the model `helps`; `bundle` is None where none was
        written. `curve` has the UAR by the number of answers.

    Examples
    --------
    >>> import batchemo
    >>> result = batchemo.adapt(
    ...     "accurate", labels="labels.csv", embeddings="e.parquet", output="models/mine"
    ... )  # doctest: +SKIP
    >>> result.comparison.before.uar, result.comparison.after.uar  # doctest: +SKIP
    (0.46, 0.52)
    """
    from batchemo.adaptation import run
    from batchemo.adaptation.shares import ClassShares

    if class_shares is None:
        shares = None
    elif isinstance(class_shares, str):
        shares = ClassShares.parse(class_shares)
    else:
        shares = ClassShares.of(class_shares)
    options = run.AdaptOptions(
        model=os.fspath(model),
        labels=os.fspath(labels),
        embeddings=os.fspath(embeddings),
        output=os.fspath(output),
        leave_out=leave_out,
        label_set=as_tuple(label_set),
        class_shares=shares,
        force=force,
        overwrite=overwrite,
    )
    result = run.adapt(options)
    for problem in result.problems:
        warnings.warn(f"{options.labels}: {problem}", stacklevel=2)
    return result


def load_bundle(name_or_path: Path = "default") -> Bundle:
    """Read a model's bundle and verify its files against their digests.

    Nothing of the model is executed. The bundle has the labels, the feature set, the window, the
    figures of its evaluations and the model card.

    Examples
    --------
    >>> import batchemo
    >>> batchemo.load_bundle("nowhere")
    Traceback (most recent call last):
    batchemo.errors.UsageError: nowhere: there is no such model; ...
    """
    from batchemo.bundles import load_bundle

    return load_bundle(os.fspath(name_or_path))
