"""What people would use instead of batchemo, as they would write it; each a command of its own."""
