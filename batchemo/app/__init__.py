"""The web page: recordings from a browser, looked at closely in worker processes."""
