"""The fixtures of the scan's tests; what they are made of lies in `scanning`."""

from scanning import corpus, scan

__all__ = ["corpus", "scan"]

# Modules that stand in front of real ones, for the processes of tests alone.
collect_ignore = ["poison", "steps"]
