"""From a table of predictions to labels that people gave, and what these say.

In reading order: `labels` (the file of answers), `candidates` (what can be asked), `sampling`,
`clusters` and `head` (of which the queues are made), `queues`, `session` (who is asked what),
`agreement` and `figures` (what the labels say), and `figure_tables` (how that is shown).
"""
