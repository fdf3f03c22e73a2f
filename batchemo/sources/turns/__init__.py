"""Who speaks when, as other tools say it: readers of their files, and whose turns they give.

In reading order: `values` (what a time, a speaker, a channel may be), `text` (RTTM, Audacity),
`textgrid` (Praat), `elan`, `whisperx`, `table`, `read` (any of them), `lookup` (which turns a
recording has).

Files of turns come from anywhere. Each reader takes at most so many bytes, and refuses in words
what it does not understand.
"""
