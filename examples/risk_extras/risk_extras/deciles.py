"""A section of the report: the observed rate in each tenth of the test rows, ordered by score."""

from bank_models.extensions.report_sections import Grid, Paragraph, Part, Plot


def deciles_of_risk(figures, tables):
    """Observed and predicted rates by decile, where the run has them."""
    blocks = [Paragraph(f"How {figures['model']} orders the test rows of {figures['use_case']}, riskiest first.")]
    if "deciles" in tables:
        deciles = tables["deciles"]
        names = [f"decile {number}" for number in deciles["decile"]]
        rates = {"observed": deciles["observed_rate"], "predicted": deciles["mean_predicted"]}
        series = {name: list(zip(names, values, strict=True)) for name, values in rates.items()}
        blocks.append(Plot("Risk by decile", "Both should fall from left to right.", "", "rate", series, "bars"))
        columns = ["decile", "n_rows", "observed_rate", "mean_predicted"]
        rows = [[name, *values] for name, values in zip(names, deciles[columns[1:]].to_numpy().tolist(), strict=True)]
        blocks.append(Grid("Deciles", ["decile", "rows", "observed rate", "mean prediction"], rows))
    return Part("Deciles of risk", blocks)
