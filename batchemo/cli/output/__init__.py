"""What commands print: progress, reports and the event log."""
