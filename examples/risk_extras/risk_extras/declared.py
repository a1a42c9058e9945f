"""What the training system is told of the metric, the transformer and the report section."""

from bank_models.extensions.features import Transformer
from bank_models.extensions.report_sections import ReportSection
from bank_models.metrics.names import Metric
from risk_extras.deciles import deciles_of_risk
from risk_extras.gini import gini
from risk_extras.quantile_rank import QuantileRank

GINI = Metric(
    tasks=("binary",),
    of="score",
    best=1,
    function=gini,
    sentence="Its Gini coefficient is {value}: 0 is chance, 1 a perfect ranking.",
)
QUANTILE_RANK = Transformer(QuantileRank, keeps_order=True, types=("risk_extras.quantile_rank.QuantileRank",))
DECILES_OF_RISK = ReportSection(deciles_of_risk)
