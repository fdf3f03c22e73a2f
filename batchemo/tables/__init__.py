"""The tables that a scan writes: their columns, how they are written, read back and summarised.

In the order in which data flows: `columns` (names and meanings), `schema` (types), `rows`
(results of workers as Arrow batches), `derived` (columns computed from the probabilities),
`write`, `read`, `summary` and `describe`. And the table that reviewers write: `labels`.
"""
