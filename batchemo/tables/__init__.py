"""The tables that a scan writes: their columns, how they are written, read back and summarised."""
