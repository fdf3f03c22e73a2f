"""The alternatives to batchemo, as their users would write them; each module is a command."""
