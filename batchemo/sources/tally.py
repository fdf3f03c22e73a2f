"""What was left out on the way, and why: counted while the recordings stream by."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Counts of what a run left out, and what it could not look at."""

    young: int = 0
    """Files younger than the minimum age."""
    duplicates: int = 0
    """Files, and linked folders, that were reached a second time."""
    hidden: int = 0
    """Hidden files that would have been taken, and hidden folders that would have been walked."""
    links: int = 0
    """Links that were not followed, nor even asked what they lead to."""
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    """Folders that could not be listed, as printable text, and why."""
    rejected: list[tuple[str, str]] = field(default_factory=list)
    """Entries of lists and manifests that name no recording: which one, and why."""
