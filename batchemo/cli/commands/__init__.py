"""One module a command, each of which parses, calls and shows."""
