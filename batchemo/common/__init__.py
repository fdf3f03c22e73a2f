"""Tools that every other package may use; they know nothing of recordings, models or tables.

`arrays` (type aliases), `files` (the atomic write), `locks` (of outputs and scratch folders),
`text` (file names in tables and on terminals), `timing` (seconds by stage).
"""
