"""What the training system is told of our models, metrics and so on."""

from bank_models.extensions.data_sources import Source
from bank_models.extensions.features import Transformer
from bank_models.extensions.report_sections import ReportSection
from bank_models.metrics.names import Metric
from bank_models.models.algorithm import FOR_TREES, Algorithm
from team_models.burden import debt_burden
from team_models.ledger import branch_ledger
from team_models.mean_target import MeanTarget
from team_models.metrics import largest_error, net_benefit

STUMPS = Algorithm(
    "team_models.stumps",
    is_random=False,
    rounds="team_models.rounds",
    round_parameter="n_rounds",
    keeps_monotone=True,
    preprocessing=FOR_TREES,
    types=("team_models.stumps.StumpsClassifier", "team_models.stumps.StumpsRegressor"),
)
NET_BENEFIT = Metric(
    tasks=("binary",),
    of="score",
    function=net_benefit,
    takes_weights=True,
    sentence="Acting at a risk of one in five, it gains {value} rightly treated cases for each case.",
)
LARGEST_ERROR = Metric(
    tasks=("regression",),
    of="score",
    is_loss=True,
    best=0,
    function=largest_error,
    has_interval=False,
    sentence="The worst of its predictions is off by {value} {unit}.",
)
NEAREST_CLASS = Algorithm(
    "team_models.nearest",
    is_random=False,
    takes_weights=False,
    takes_sparse=False,
    types=("team_models.nearest.NearestClassClassifier",),
)
NEAREST_CENTRES = Algorithm(
    "team_models.nearest",
    is_random=False,
    takes_weights=False,
    takes_sparse=False,
    types=("team_models.nearest.NearestCentres",),
)
MEAN_TARGET = Transformer(MeanTarget, takes=("category",), uses_target=True, types=("team_models.mean_target.MeanTarget",))
BRANCH_LEDGER = Source(branch_ledger)
DEBT_BURDEN = ReportSection(debt_burden)
