"""What a report tells beside its numbers, in words."""

from __future__ import annotations

from collections.abc import Mapping

from batchemo.batch.events import Report
from batchemo.cli.output.format import counted
from batchemo.common.text import for_display


def remarks(report: Report) -> list[str]:
    """Say what became of recordings and rows that were not analysed."""
    kept, left_over = f"{report.kept:,} kept", f"{report.left_over:,} kept"
    told = {
        f"{kept} from earlier runs": report.kept,
        f"{left_over} of recordings that are not among the sources": report.left_over,
        f"{counted(report.pruned, 'row')} dropped of vanished recordings": report.pruned,
        f"{report.young:,} too young, left for the next run": report.young,
        f"{report.duplicates:,} named more than once, counted once": report.duplicates,
        "stopped at the limit": report.limited,
    }
    return [*_those_that_hold(told), *passed_over(report.hidden, report.links)]


def passed_over(hidden: int, links: int) -> list[str]:
    """Say what a walk did not look into, and which option would.

    >>> passed_over(hidden=0, links=2)
    ['2 links not followed (--follow-links does)']
    """
    return _those_that_hold(
        {
            f"{counted(hidden, 'hidden file')} left out (--hidden takes them)": hidden,
            f"{counted(links, 'link')} not followed (--follow-links does)": links,
        }
    )


def warnings(report: Report, extensions: tuple[str, ...]) -> list[str]:
    """Say what the user should look into."""
    told = [f"could not be read: {for_display(problem)}" for problem in report.problems]
    told += [
        f"{for_display(root)} is not there or empty: its rows are kept; --overwrite begins anew"
        for root in report.empty_roots
    ]
    if report.unreachable:
        number = counted(report.unreachable, "recording")
        told.append(f"{number} could not be reached; their earlier rows are kept")
    told += map(for_display, report.cautions)
    found = report.analysed or report.kept or report.young or report.limited
    if not found and not told:
        told.append(nothing_found(extensions))
    return told


def nothing_found(extensions: tuple[str, ...]) -> str:
    """Say what was looked for in vain, and what else there is.

    >>> nothing_found(("audio",))
    'no recordings were found. Folders are searched for audio'
    """
    searched = f"no recordings were found. Folders are searched for {', '.join(extensions)}"
    if {"audio", "any"} & set(extensions):
        return searched
    return f"{searched}; --ext audio looks for all that can be read"


def _those_that_hold(told: Mapping[str, object]) -> list[str]:
    return [text for text, holds in told.items() if holds]
