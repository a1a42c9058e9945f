"""What the training system is told of the scorecard."""

from bank_models.models.algorithm import FOR_TREES, Algorithm

SCORECARD = Algorithm(
    "additive_scorecard.scorecard",
    is_random=False,
    rounds="additive_scorecard.rounds",
    round_parameter="n_rounds",
    keeps_monotone=True,
    preprocessing=FOR_TREES,
    types=(
        "additive_scorecard.scorecard.AdditiveScorecardClassifier",
        "additive_scorecard.scorecard.AdditiveScorecardRegressor",
    ),
)
