"""Attribution: from a query to the examples, works and contributors behind it, with the error stated."""

from byline.attribution.ekfac import EKFAC
from byline.attribution.evidence import (
    EVEN,
    Blend,
    Evidence,
    evidence,
    fit_blend,
    lexical_scores,
    nonnegative,
    standardise,
)
from byline.attribution.gauss_newton import GaussNewtonTransport, Transported, one_channel
from byline.attribution.intervals import Errors, from_half_widths, mean_table, seed_errors, spread_errors, stream_errors
from byline.attribution.metagradient import AuditCost, Metagradient
from byline.attribution.nulls import label_floors, query_floors, volume_proof
from byline.attribution.path import FOLLOWED
from byline.attribution.reader import read_trajectory
from byline.attribution.redundancy import (
    RIDGE,
    WIDTH,
    HeldGame,
    TwoNumbers,
    displacements,
    held_game,
    leading,
    two_numbers,
)
from byline.attribution.replay import check_replay, replay, retrainer, visited
from byline.attribution.restore import new_optimizers, restore, set_rates, settings_as_numbers
from byline.attribution.run import Measure, Run, open_run
from byline.attribution.shares import (
    GroupScores,
    Mass,
    Owners,
    ShareRule,
    contributor_table,
    group_scores,
    mass,
    scaled,
    share_table,
    with_errors,
    with_floors,
)
from byline.attribution.shortlist import Shortlist, build_shortlist, open_shortlist
from byline.attribution.subject import Subject
from byline.attribution.surrogate import Credit, RidgeGame, credit, leave_out, ridge_game
from byline.attribution.tangents import Tangents, contributor_tangents
from byline.attribution.task import Task
from byline.attribution.trajectory import ParameterGroup, State, Step, Trajectory
from byline.attribution.transport import SketchTransport
from byline.attribution.update import update_of

__all__ = [
    "EKFAC",
    "EVEN",
    "FOLLOWED",
    "RIDGE",
    "WIDTH",
    "AuditCost",
    "Blend",
    "Credit",
    "Errors",
    "Evidence",
    "GaussNewtonTransport",
    "GroupScores",
    "HeldGame",
    "Mass",
    "Measure",
    "Metagradient",
    "Owners",
    "ParameterGroup",
    "RidgeGame",
    "Run",
    "ShareRule",
    "Shortlist",
    "SketchTransport",
    "State",
    "Step",
    "Subject",
    "Tangents",
    "Task",
    "Trajectory",
    "Transported",
    "TwoNumbers",
    "build_shortlist",
    "check_replay",
    "contributor_table",
    "contributor_tangents",
    "credit",
    "displacements",
    "evidence",
    "fit_blend",
    "from_half_widths",
    "group_scores",
    "held_game",
    "label_floors",
    "leading",
    "leave_out",
    "lexical_scores",
    "mass",
    "mean_table",
    "new_optimizers",
    "nonnegative",
    "one_channel",
    "open_run",
    "open_shortlist",
    "query_floors",
    "read_trajectory",
    "replay",
    "restore",
    "retrainer",
    "ridge_game",
    "scaled",
    "seed_errors",
    "set_rates",
    "settings_as_numbers",
    "share_table",
    "spread_errors",
    "standardise",
    "stream_errors",
    "two_numbers",
    "update_of",
    "visited",
    "volume_proof",
    "with_errors",
    "with_floors",
]
