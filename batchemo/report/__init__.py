"""A report on a table of results: one HTML file that needs nothing but a browser.

`facts` counts what stands in the table, `compare` what differs from another one, `clips` cuts the
sound of a few recordings, `charts` draws, and `page` writes the document.
"""

from batchemo.report.write import ReportOptions, write_report

__all__ = ["ReportOptions", "write_report"]
