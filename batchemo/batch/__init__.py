"""A run over many recordings: planned, resumed, updated; its tables are never half written.

In reading order: `options`, `setup` (prepare, lock, decide), `plan`, `scan` (the run itself),
`writer`. What a run keeps on disk is described in `chunk_store`.
"""
