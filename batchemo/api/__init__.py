"""The functions that a program calls: commands of the command line, as functions.

Parameters have the names of the command line's options, with `_` for `-`. Every function turns its
arguments into the frozen options that the command line makes too, so that both run the same code.
"""

from batchemo.api.models import adapt, load_bundle
from batchemo.api.recordings import predict, scan
from batchemo.api.shards import merge, plan
from batchemo.api.streams import stream

__all__ = ["adapt", "load_bundle", "merge", "plan", "predict", "scan", "stream"]
