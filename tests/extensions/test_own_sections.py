"""Report sections of a team: made of our elements, escaped, and told where they fail."""

import logging

import pytest
from extensions.package import TEAM, enable, install
from markupsafe import Markup

from bank_models.extensions import packages
from bank_models.extensions.report_sections import Grid, Paragraph, Part, Plot
from bank_models.report import page
from bank_models.report.own_sections import Tables, own_sections, shown
from bank_models.report.run import Run

FACTS = {"use_case_key": "branch_loans", "model": "stumps", "metric": "roc_auc", "task": "binary", "config": {}}
ATTACK = "<script>alert('x')</script>"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run with two tables, in a project with the package of the team; gives a function of its settings of the report."""
    monkeypatch.chdir(tmp_path)
    for path in (TEAM, tmp_path / "site"):
        monkeypatch.syspath_prepend(str(path))
    packages._opened.cache_clear()
    enable(tmp_path, "team-models")
    folder = tmp_path / "run"
    (folder / "plots").mkdir(parents=True)
    (folder / "importance.csv").write_text("feature,importance\ndti,0.2\nregion,0.1\n")
    (folder / "explained_rows.csv").write_text("row,value\n1,2\n")
    (folder / "plots/roc.csv").write_text("false_positive_rate,true_positive_rate\n0,0\n0.5,0.9\n1,1\n")

    def made(sections, cases=5):
        config = {"use_case": {"task": "binary", "metric": "roc_auc"}, "report": {"cases": cases, "sections": sections}}
        return Run(FACTS | {"config": config}, {"test_roc_auc": 0.8}, folder)

    yield made
    packages._opened.cache_clear()


def rendered(*sections):
    return page.render("t", "k", "n", "l", "f", sections)


def test_a_section_of_a_team_is_shown_with_its_texts_escaped(run):
    (section,) = own_sections(run(["debt_burden"]))
    html = rendered(section)
    assert "The team&#39;s &lt;b&gt;own&lt;/b&gt; look at stumps &amp; its roc_auc." in html
    assert [block.kind for block in section.blocks] == ["text", "table", "chart"]


def test_a_section_that_fails_says_so_in_the_report_and_in_the_terminal_and_the_others_are_shown(run, tmp_path, caplog):
    text = "from bank_models.extensions.report_sections import ReportSection\n"
    text += f"def breaks(figures, tables): raise ValueError({ATTACK!r})\nBREAKS = ReportSection(breaks)"
    install(tmp_path / "site", "bad-sections", "1.0", {"bad_sections": text}, report_sections={"breaks": "bad_sections:BREAKS"})
    enable(tmp_path, "team-models", "bad-sections")
    with caplog.at_level(logging.WARNING):
        failed, fine = own_sections(run(["breaks", "debt_burden"]))
    assert "The report section breaks could not be written: ValueError" in caplog.text
    html = rendered(failed, fine)
    assert "This section could not be written: ValueError: &lt;script&gt;" in html
    assert ATTACK not in html
    assert fine.title == "Debt burden"


def test_a_section_whose_package_is_gone_says_what_to_do(run, tmp_path, caplog):
    enable(tmp_path)
    (section,) = own_sections(run(["debt_burden"]))
    assert "debt_burden is of the installed package team-models, which this project does not enable." in section.blocks[0].text
    (section,) = own_sections(run(["never_seen"]))
    assert "no enabled extension has a report section never_seen" in section.blocks[0].text


def test_no_text_of_a_section_is_taken_for_html_whatever_it_says_of_itself():
    class Sly(str):
        def __html__(self):
            return ATTACK

        def __str__(self):
            return self

    class Object:
        def __html__(self):
            return ATTACK

        def __str__(self):
            return Markup(ATTACK)

    texts = [ATTACK, Markup(ATTACK), Sly(ATTACK), Object()]
    for text in texts:
        blocks = [Paragraph(text), Grid(text, [text], [[text]]), Plot(text, text, text, text, {text: [(text, 1.0)]}, "bars")]
        html = rendered(shown(Part(text, blocks), "attack"))
        assert ATTACK not in html
        assert "alert(" in html


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("<p>raw</p>", "it must give a Part, not a str"),
        (Part("t", ["<p>raw</p>"]), "a block must be a Paragraph, a Grid or a Plot, not a str"),
        (Part("t", [Markup("<p>raw</p>")]), "a block must be a Paragraph, a Grid or a Plot, not a Markup"),
        (Part("t", [Paragraph("x")] * 51), "it has 51 blocks, at most 50 are shown"),
        (Part("t", [Grid("g", ["a", "b"], [[1]])]), "a row of the table 'g' has another length than its header"),
        (Part("t", [Grid("g", ["a"], [[1]] * 20_001)]), "the table 'g' has more than 20,000 cells"),
        (Part("t", [Plot("p", "c", "x", "y", {})]), "the chart 'p' must have 1 to 5,000 points"),
        (Part("t", [Plot("p", "c", "x", "y", {"s": [(1, float("nan"))]})]), "a chart cannot show nan"),
        (Part("t", [Plot("p", "c", "x", "y", {"s": [(1, 1)]}, "html")]), "a chart has style line, points, bars, not html"),
    ],
)
def test_what_is_none_of_our_elements_is_refused(part, message):
    with pytest.raises((TypeError, ValueError), match=message):
        shown(part, "bad")


def test_a_page_without_single_rows_gives_a_section_no_table_of_single_rows(run):
    assert "explained_rows" in Tables(run([]))
    assert list(Tables(run([], cases=0))) == ["importance", "plots/roc"]
    with pytest.raises(KeyError, match="explained_rows: the run has importance, plots/roc"):
        Tables(run([], cases=0))["explained_rows"]


def test_a_cell_without_a_value_is_shown_as_none():
    (block,) = shown(Part("t", [Grid("g", ["a", "b", "c", "d"], [[None, float("nan"), True, 2]])]), "s").blocks
    assert [str(cell) for cell in block.rows[0]] == ["None", "None", "True", "2"]
