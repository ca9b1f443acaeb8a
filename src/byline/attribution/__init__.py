"""Attribution: from a query to the examples, works and contributors behind it, with the error stated."""

from byline.attribution.run import Measure, Run, open_run
from byline.attribution.shares import GroupScores, ShareRule, group_scores, share_table
from byline.attribution.transport import SketchTransport

__all__ = ["GroupScores", "Measure", "Run", "ShareRule", "SketchTransport", "group_scores", "open_run", "share_table"]
