"""The fixtures of the scan's tests; what they are made of lies in `scanning`."""

from scanning import corpus, scan

__all__ = ["corpus", "scan"]

# A module that is named like the real soundfile, for workers alone.
collect_ignore = ["poison"]
