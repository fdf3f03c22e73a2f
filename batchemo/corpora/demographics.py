"""Who of CREMA-D's actors is a woman and who a man: its file names do not tell."""

from __future__ import annotations

import csv
from pathlib import Path

from batchemo.common.text import for_display
from batchemo.errors import UsageError


def read_genders(folder: Path, name: str) -> dict[str, str]:
    """The gender of each actor, from the table in the folder or beside it; empty without one."""
    places = (folder / name, folder.resolve().parent / name)
    table = next((place for place in places if place.is_file()), None)
    if table is None:
        return {}
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            return {row["ActorID"]: (row["Sex"] or "").lower() for row in csv.DictReader(file)}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError):
        raise UsageError(
            f"{for_display(str(table))} is no table with the columns ActorID and Sex, as CREMA-D "
            "has it. Fetch it again, or take it away: then genders are unknown."
        ) from None
