"""What the training system is told of our models and metrics."""

from src.metrics.names import Metric
from src.models.algorithm import FOR_TREES, Algorithm
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
