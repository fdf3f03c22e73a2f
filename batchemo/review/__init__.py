"""From a table of predictions to labels that people gave: answers, queues, and what they say.

In reading order: `labels` (the file of answers).
"""
