"""The scan: from recordings to one table, through workers, parts and whatever goes wrong."""
