"""From a model and a few dozen answers to a model for one corpus, without decoding anything.

In reading order: `examples` (answers joined with embeddings), `fit` (a head for them), `leave_out`
(what a head does for recordings that it was not fitted to), `outcome` (before and after, and
whether it helps), `package` (the bundle and its card), `run` (all of it).
"""
