"""The HTML report: one file that opens from disk and shows passages, their sources, the checks and the money.

It computes nothing but positions on the page: every number comes ready in the data (`contract`).
"""

from byline.app.report.contract import check_report_data
from byline.app.report.page import write_report

__all__ = ["check_report_data", "write_report"]
