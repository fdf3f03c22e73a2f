"""A whole run over many recordings: planned, resumed, updated, its tables never half written."""
