"""The nets by name, and what they are built of."""
