"""From a table of predictions to labels that people gave: what to ask, and who answered what.

In reading order: `labels` (the file of answers), `candidates` (what can be asked), `sampling`,
`clusters` and `head` (of which the queues are made), `queues`, and `session` (who is asked what).
"""
