"""Processes that work on recordings: where chunks run, who watches them, and who is to blame."""
