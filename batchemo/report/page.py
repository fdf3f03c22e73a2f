"""The document: what ran, what to believe, what was found, and what to listen to next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from batchemo.audio.failure import REASONS
from batchemo.bundles import list_bundles, load_bundle
from batchemo.bundles.figures import describe_accuracy
from batchemo.common.arrays import Index
from batchemo.common.text import counted
from batchemo.errors import BatchemoError
from batchemo.report.charts import (
    bars,
    clock,
    histogram,
    label_colours,
    legend,
    shown,
    stacked,
    strip,
)
from batchemo.report.compare import SIGNIFICANT, Comparison
from batchemo.report.facts import Example, Facts
from batchemo.report.style import STYLE
from batchemo.review.figures import wilson
from batchemo.tables.schema import STATUS_FAILED, STATUS_OK
from batchemo.tables.summary import UNFAMILIAR
from batchemo.timelines.read import Timeline

MOST_GROUPS = 40
"""Groups that are shown: the largest ones."""

ARC_SECONDS, MOST_ARCS = 30.0, 3
"""The stretches of one label that are named: so long or longer, and so many of a recording."""

Clip = Callable[[Example], str | None]
"""Returns the sound of a recording as a data URL; None where there is none."""


def page(
    facts: Facts,
    comparison: Comparison | None,
    timelines: Sequence[Timeline],
    clip: Clip | None,
) -> Iterator[str]:
    """Yield the document, part by part; without `clip`, nothing can be played."""
    colours = label_colours(facts.labels)
    parts: list[tuple[str, str, Iterator[str]]] = [
        ("emotions", "Emotions", _emotions(facts, colours)),
        ("groups", "By group", _groups(facts, colours)),
        ("change", "Compared with an earlier table", _comparison(comparison)),
        ("time", "Over time", _timelines(timelines, colours)),
        ("confidence", "Confidence", _confidence(facts, colours)),
        ("listen", "What to listen to", _examples(facts, clip)),
        ("failures", "Failures", _failures(facts)),
        ("quality", "Quality of the recordings", _quality(facts)),
        ("made", "How it was made", _made(facts)),
    ]
    sections = [(key, title, "\n".join(content)) for key, title, content in parts]
    sections = [section for section in sections if section[2]]
    title = f"Emotions in {shown(facts.path.name)}"
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # Nothing is fetched and nothing runs, whatever a name or a label says.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
        " style-src 'unsafe-inline'; media-src data:\">\n"
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
    )
    yield f"<header>\n<h1>{title}</h1>\n" + "\n".join(_key_figures(facts)) + "\n"
    yield '<div class="believe" role="note">\n' + "\n".join(_believe(facts)) + "\n</div>\n"
    links = "".join(f'<a href="#{key}">{title}</a>' for key, title, _ in sections)
    yield f'<nav aria-label="Sections">{links}</nav>\n</header>\n<main>\n'
    for key, title, content in sections:
        yield f'<section id="{key}" aria-label="{title}">\n<h2>{title}</h2>\n'
        yield f"{content}\n</section>\n"
    yield "</main>\n</body>\n</html>\n"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: int) -> str:
    """Return a table of finished cells; from column `numbers` on, they are numbers."""

    def cell(index: int, text: str, scope: str) -> str:
        kind, scope = ("th", f' scope="{scope}"') if scope else ("td", "")
        shape = ' class="n"' if index >= numbers else ""
        return f"<{kind}{scope}{shape}>{text}</{kind}>"

    head = "".join(cell(index, text, "col") for index, text in enumerate(header))
    body = "\n".join(
        "<tr>" + "".join(cell(n, text, "" if n else "row") for n, text in enumerate(row)) + "</tr>"
        for row in rows
    )
    # Where it scrolls, it can be scrolled by keyboard.
    return (
        f'<div class="wide" tabindex="0"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def _key_figures(facts: Facts) -> Iterator[str]:
    summary = facts.summary
    ok, failed = (summary.count_recordings(status) for status in (STATUS_OK, STATUS_FAILED))
    items = [
        (f"{ok:,}", f"{summary.noun}s analysed"),
        (f"{failed:,}", "failed"),
        (_long(summary.seconds), "of sound"),
    ]
    if facts.labels:
        most = facts.labels[0]
        share = summary.by_outcome(STATUS_OK)[most].recordings / ok
        items.append((shown(most), f"most frequent, {share:.0%}"))
    yield ('<ul class="key">' + "".join(f"<li><b>{a}</b>{b}</li>" for a, b in items) + "</ul>")


def _long(seconds: float) -> str:
    """Return a length in hours, or in minutes and seconds if it is shorter.

    >>> _long(24.5), _long(5400)
    ('0:24 min', '1.5 h')
    """
    return f"{seconds / 3600:,.1f} h" if seconds >= 3600 else f"{clock(seconds)} min"


def _believe(facts: Facts) -> Iterator[str]:
    yield (
        "<p><b>What to believe.</b> A label says how an expression sounds, as a model learned from"
        " mostly acted speech. It is not what a person feels, and no ground for a decision about"
        " anyone.</p>"
    )
    total = facts.summary.total()
    if total.known:
        share = total.unfamiliar / total.known
        rows = counted(total.known, facts.summary.noun)
        yield (
            f"<p>{total.unfamiliar:,} of {rows} ({share:.0%}) are"
            f" unlike the model's training recordings (familiarity below {UNFAMILIAR}):"
            " <b>their labels are not to be trusted</b>, however high the confidence.</p>"
        )
    for sentence in model_accuracies(facts.run):
        yield f"<p>{shown(sentence)}</p>"
    yield (
        "<p>Only listening shows how many labels are right here: <code>batchemo review"
        f" {shown(facts.path.name)}</code> chooses what to listen to, and <code>batchemo"
        " adapt</code> makes a better model of a few dozen answers.</p>"
    )


def model_accuracies(run: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence on each model of a run that is installed here, unchanged, and has figures.

    >>> list(model_accuracies({"model": "default", "digest": "of another one"}))
    []
    """
    for one in run.get("models", [run]):
        if one.get("model") not in list_bundles():
            continue
        try:
            bundle = load_bundle(one["model"])
        except BatchemoError:
            continue
        accuracy = describe_accuracy(bundle)
        if accuracy is not None and bundle.digest == one.get("digest"):
            yield f"The model {bundle.name} {accuracy}."


def _emotions(facts: Facts, colours: dict[str, str]) -> Iterator[str]:
    counts = facts.summary.by_outcome(STATUS_OK)
    total = sum(count.recordings for count in counts.values())
    if not total:
        return
    rows = [
        (label, count.recordings / total, *wilson(count.recordings / total, total))
        for label, count in counts.items()
    ]
    yield bars(rows, colours)
    yield table(
        (
            "emotion",
            f"{facts.summary.noun}s",
            "share",
            "95 % interval",
            "minutes",
            "mean confidence",
        ),
        [
            (
                shown(label),
                f"{counts[label].recordings:,}",
                f"{share:.1%}",
                f"{low:.1%} to {high:.1%}",
                f"{counts[label].seconds / 60:,.1f}",
                f"{counts[label].confidence / counts[label].recordings:.2f}",
            )
            for label, share, low, high in rows
        ],
        numbers=1,
    )
    yield (
        "<p>The interval shows how far chance moves the share, if other recordings of the same kind"
        " had been taken. It does not include the errors of the model.</p>"
    )


def _groups(facts: Facts, colours: dict[str, str]) -> Iterator[str]:
    if facts.by_group is None:
        return
    groups: dict[str, dict[str, int]] = {}
    for (group, status, label), count in facts.by_group.counts.items():
        if status == STATUS_OK:
            groups.setdefault(group, {})[label] = count.recordings
    largest = sorted(groups, key=lambda name: (-sum(groups[name].values()), name))
    chosen = sorted(largest[:MOST_GROUPS])
    if not chosen:
        return
    if len(groups) > MOST_GROUPS:
        yield f"<p>The {MOST_GROUPS} largest of {len(groups):,} groups.</p>"
    yield legend(colours)
    yield stacked([(name, groups[name]) for name in chosen], colours)
    rows = []
    for name in chosen:
        total = sum(groups[name].values())
        shares = (groups[name].get(label, 0) / total for label in colours)
        rows.append((shown(name), f"{total:,}", *(f"{share:.0%}" for share in shares)))
    yield table(("group", "recordings", *map(shown, colours)), rows, numbers=1)


def _comparison(comparison: Comparison | None) -> Iterator[str]:
    if comparison is None:
        return
    new, changed = comparison.new.total(), comparison.changed.total()
    yield (
        f"<p>Against {shown(str(comparison.path))}: {counted(new, 'recording')} new,"
        f" {comparison.gone:,} gone, {changed:,} with another label,"
        f" {comparison.same:,} with the same.</p>"
    )
    for what, p in (
        ("the shares of the labels", comparison.p_shares),
        ("confidence", comparison.p_confidence),
    ):
        if p is None:
            yield f"<p>There are too few recordings to tell whether {what} changed.</p>"
        elif p < SIGNIFICANT:
            yield f"<p><b>Chance does not explain how {what} changed</b> (p = {p:.2g}).</p>"
        else:
            yield f"<p>Chance can explain how {what} changed (p = {p:.2g}).</p>"
    yield table(
        ("emotion", "share before", "share now", "of the new recordings"),
        [
            (shown(label), f"{before:.1%}", f"{now:.1%}", f"{comparison.new[label]:,}")
            for label, (before, now) in comparison.shares.items()
        ],
        numbers=1,
    )
    before, now = comparison.confidence
    yield f"<p>Mean confidence: {before:.2f} before, {now:.2f} now.</p>"


def _timelines(timelines: Sequence[Timeline], colours: dict[str, str]) -> Iterator[str]:
    if not timelines:
        return
    yield legend(colours)
    for timeline in timelines:
        yield f"<h3>{shown(timeline.file)} ({clock(timeline.duration)})</h3>"
        for tier, stretches in timeline.tiers.items():
            if len(timeline.tiers) > 1:
                yield f"<p>{shown(tier)}</p>"
            yield strip(stretches, timeline.duration, colours)
            yield f"<p>{_speaking_time(timeline, tier)}</p>"


def _speaking_time(timeline: Timeline, tier: str) -> str:
    seconds: dict[str, float] = {}
    for one in timeline.tiers[tier]:
        seconds[one.label] = seconds.get(one.label, 0.0) + one.end - one.start
    total = sum(seconds.values())
    if not total:
        return "No speech."
    shares = sorted(seconds.items(), key=lambda item: -item[1])
    told = f"Speaking time {clock(total)}: " + ", ".join(
        f"{shown(label)} {part / total:.0%}" for label, part in shares
    )
    arcs = [one for one in timeline.tiers[tier] if one.end - one.start >= ARC_SECONDS]
    arcs = sorted(arcs, key=lambda one: one.start - one.end)[:MOST_ARCS]
    longest = ", ".join(
        f"{shown(one.label)} from {clock(one.start)} to {clock(one.end)}" for one in arcs
    )
    return f"{told}. Longest: {longest}." if arcs else f"{told}."


def _confidence(facts: Facts, colours: dict[str, str]) -> Iterator[str]:
    if not facts.confidence:
        return
    yield legend(colours)
    yield "<p>Recordings by confidence:</p>"
    by_label = {name: facts.confidence[name] for name in colours}
    yield histogram(by_label, colours)
    yield _quarters("emotion", by_label)
    for name, counts in facts.histograms.items():
        total = int(counts.sum())
        mean = sum((n + 0.5) / len(counts) * int(c) for n, c in enumerate(counts)) / total
        yield f"<p>{counted(total, 'recording')} by {name}, about {mean:.2f} on average:</p>"
        yield histogram({name: counts}, {})
        yield _quarters("measure", {name: counts})


def _quarters(title: str, parts: Mapping[str, Index]) -> str:
    """Return the table behind a histogram, in four parts from 0 to 1."""
    return table(
        (title, "below 0.25", "0.25 to 0.5", "0.5 to 0.75", "0.75 and more"),
        [
            (shown(name), *(f"{count:,}" for count in counts.reshape(4, -1).sum(axis=1).tolist()))
            for name, counts in parts.items()
        ],
        numbers=1,
    )


def _examples(facts: Facts, clip: Clip | None) -> Iterator[str]:
    for title, examples in (
        ("The least certain", facts.least_certain),
        ("The most certain", facts.most_certain),
    ):
        if not examples:
            continue
        yield f"<h3>{title}</h3>"
        header = ["recording", "emotion", *(["sound"] if clip else []), "confidence", "length"]
        rows = []
        for one in examples:
            sound = [] if clip is None else [_player(one, clip(one))]
            familiar = one.familiarity is None or one.familiarity >= UNFAMILIAR
            mark = "" if familiar else " (unfamiliar)"
            rows.append(
                (
                    _name(one),
                    f"{shown(one.emotion)}{mark}",
                    *sound,
                    f"{one.confidence:.2f}",
                    clock(one.duration),
                )
            )
        yield table(header, rows, numbers=len(header) - 2)


def _name(example: Example) -> str:
    turn = "" if example.start is None else f", from {clock(example.start)}"
    return f"{shown(example.file)}{turn}"


def _player(example: Example, url: str | None) -> str:
    if url is None:
        return "cannot be read now"
    name = f"{_name(example)}, first seconds"
    return f'<audio controls preload="none" aria-label="{name}" src="{url}"></audio>'


def _failures(facts: Facts) -> Iterator[str]:
    counts = facts.summary.by_outcome(STATUS_FAILED)
    if not counts:
        return
    yield table(
        ("reason", "meaning", f"{facts.summary.noun}s"),
        [
            (shown(reason), shown(REASONS.get(reason, "")), f"{count.recordings:,}")
            for reason, count in counts.items()
        ],
        numbers=2,
    )


def _quality(facts: Facts) -> Iterator[str]:
    if facts.quality:
        yield table(
            ("recordings", "number", "mean confidence"),
            [
                (shown(one.name), f"{one.recordings:,}", f"{one.confidence:.2f}")
                for one in facts.quality
            ],
            numbers=1,
        )


def _made(facts: Facts) -> Iterator[str]:
    run = facts.run
    if not run:
        yield "<p>The table does not say how it was made: CSV has no metadata.</p>"
        return
    models = [one for one in run.get("models", [run]) if "model" in one]
    rows = [("batchemo", shown(str(run.get("batchemo", ""))))]
    rows += [("model", shown(f"{one['model']}, digest {one['digest'][:12]}")) for one in models]
    paths = run.get("sources", {}).get("paths") or []
    rows += [("source", shown(str(path))) for path in paths]
    options = run.get("options", {})
    rows += [
        (shown(name.replace("_", " ")), shown(str(value)))
        for name, value in options.items()
        if value not in (None, [], "")
    ]
    yield table(("what", "value"), rows, numbers=2)
