"""From a table of predictions to labels that people gave, and what these say.

In reading order: `candidates` (what can be asked), `sampling` and `clusters` (of which the queues
are made), `queues`, `session` (who is asked what), `agreement` and `figures` (what the labels say),
and `figure_tables` (how that is shown). The file of answers is `labels` of `tables/`.
"""
