"""Object stores: names of buckets and web addresses, and the requests that are made to them.

In reading order: `url` (names, without what is secret in them), `requests` (every request, and what
went wrong with one in plain words), `lease` (the lock of an output).
"""
