"""A section of the report: what counts most, in the team's words."""

from bank_models.extensions.report_sections import Grid, Paragraph, Part, Plot


def debt_burden(figures, tables):
    """The importance of each feature, and the ROC curve."""
    blocks = [Paragraph(f"The team's <b>own</b> look at {figures['model']} & its {figures['metric']}.")]
    if "importance" in tables:
        importance = tables["importance"]
        rows = [[str(name), float(value)] for name, value in importance.iloc[:, :2].itertuples(index=False)]
        blocks.append(Grid("What counts", ["feature", "importance"], rows))
    if "plots/roc" in tables:
        points = list(tables["plots/roc"].iloc[:, :2].itertuples(index=False, name=None))
        blocks.append(Plot("Ranking", "Found against alarmed.", "false alarms", "found", {"test": points}))
    return Part("Debt burden", blocks)
