"""Models of others as bundles: from a file or a folder that somebody has to a bundle to scan with.

    source ─► graph, labels, input ─► draft of a bundle ─► compared with the original ─► bundle

Nothing of a source is run as code: graphs have allowed operators only, and everything else is read
as plain data.
"""
