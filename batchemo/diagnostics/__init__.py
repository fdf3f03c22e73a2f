"""Whether this machine has what a scan needs, and what bounds a scan on it."""
