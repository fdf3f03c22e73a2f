"""What commands print: progress, reports, tables, logs."""
