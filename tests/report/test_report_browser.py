import csv
import json
import re
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from browser import DESKTOP, PHONE, WIDTHS, check_draws, check_fits, n_sheets, needs_chromium, violations
from conftest import KINDS
from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score

from bank_models import report

LIGHT = """() => ["--muted", "--card"].map((name) => {
    const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim().slice(1);
    const parts = [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255);
    const [r, g, b] = parts.map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
})"""

pytestmark = needs_chromium


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_opens_without_an_error_or_a_request_and_draws_every_chart(browser, run_of, kind):
    page, faults = browser(run_of(kind) / report.NAME)
    assert len(page.query_selector_all("figure canvas")) >= 3
    check_draws(page)
    assert faults == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_phone_needs_no_sideways_scrolling(browser, run_of, kind):
    page, _ = browser(run_of(kind) / report.NAME, **PHONE)
    check_fits(page, 390)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_fits_every_window_in_light_and_dark(browser, run_of, width, scheme):
    page, faults = browser(run_of("tuned") / report.NAME, viewport={"width": width, "height": 900}, color_scheme=scheme)
    check_fits(page, width)
    check_draws(page)
    assert faults == []


def test_the_keyboard_reaches_sections_charts_and_tables(browser, run_of):
    page, _ = browser(run_of("binary") / report.NAME)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#verdict"
    chart = page.query_selector("figure:has(h3:text-is('ROC curve')) canvas")
    chart.focus()
    page.keyboard.press("ArrowRight")
    spoken = page.query_selector("figure:has(h3:text-is('ROC curve')) .spoken")
    assert "model: 0" in spoken.text_content()
    page.keyboard.press("End")
    assert "model: 1" in spoken.text_content()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("figure:has(h3:text-is('ROC curve')) details tr:nth-child(5)")


def test_every_chart_has_a_name_and_a_caption(browser, run_of):
    page, _ = browser(run_of("regression") / report.NAME)
    for figure in page.query_selector_all("figure"):
        assert figure.query_selector("canvas").get_attribute("aria-label")
        assert figure.query_selector("figcaption").text_content()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(browser, run_of, scheme):
    page, _ = browser(run_of("tuned") / report.NAME, color_scheme=scheme, **DESKTOP)
    ink, card = page.evaluate(LIGHT)
    assert (max(ink, card) + 0.05) / (min(ink, card) + 0.05) > 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["tuned", "regression"])
def test_axe_finds_nothing_that_keeps_anybody_out(browser, run_of, kind, scheme):
    page, _ = browser(run_of(kind) / report.NAME, color_scheme=scheme, **DESKTOP)
    assert violations(page) == []


def test_the_answers_lead_to_the_sections_that_show_why(browser, run_of):
    page, _ = browser(run_of("tuned") / report.NAME)
    questions = [each.text_content() for each in page.query_selector_all(".answer dt")]
    assert questions == [
        "Shall we use it?", "Which threshold, and what does it cost?", "Who is treated differently?", "What will make it fail?",
        "Is it better than the one in production?",
    ]  # fmt: skip
    assert page.locator(".answers").bounding_box()["y"] < DESKTOP["viewport"]["height"] / 2
    page.emulate_media(reduced_motion="reduce")
    page.click(".answer a[href='#quality']")
    assert abs(page.locator("#quality").bounding_box()["y"]) < 120


def move(page, at: int) -> dict[str, str]:
    """Set the slider to a place; what the panel then shows, by column of thresholds.csv."""
    page.locator("#threshold").evaluate("(slider, at) => { slider.value = at; slider.dispatchEvent(new Event('input')); }", at)
    shown = page.evaluate("""[...document.querySelectorAll(".decider data[data-csv='thresholds.csv']")]
        .map((number) => [number.dataset.column, [number.value, number.textContent, number.dataset.row]])""")
    return dict(shown)


MARKS = """() => Object.values(Chart.instances).flatMap((chart) => chart.data.datasets)
    .filter((set) => set.style === "marker").map((set) => set.data.map(({ x, y }) => [x, y]))"""


@pytest.mark.parametrize("kind", ["binary", "tuned"])
def test_the_slider_shows_what_scikit_learn_computes_at_20_thresholds(browser, run_of, kind):
    folder = run_of(kind)
    page, faults = browser(folder / report.NAME)
    rows = pq.read_table(folder / "test_scores.parquet").to_pandas()
    y, score = rows["y_true"].to_numpy(), rows["score"].to_numpy()
    last = int(page.get_attribute("#threshold", "max"))
    for at in np.linspace(0, last, 20).round().astype(int).tolist():
        shown = move(page, at)
        value = {column: float(number) if number else None for column, (number, _, _) in shown.items()}
        decided = (score >= value["threshold"]).astype(int)
        counts = [value[name] for name in ("true_negatives", "false_positives", "false_negatives", "true_positives")]
        assert counts == confusion_matrix(y, decided, labels=[0, 1]).ravel().tolist()
        assert value["flagged_rate"] == pytest.approx(decided.mean(), abs=1e-6)
        assert value["recall"] == pytest.approx(recall_score(y, decided), abs=1e-6)
        assert value["f1"] == pytest.approx(f1_score(y, decided), abs=1e-6)
        alarms = 1 - recall_score(y, decided, pos_label=0)
        assert value["false_positive_rate"] == pytest.approx(alarms, abs=1e-6)
        precision = pytest.approx(precision_score(y, decided), abs=1e-6) if decided.any() else None
        assert value["precision"] == precision
        if kind == "tuned":  # a refused good applicant costs 1, an accepted bad one 5
            assert value["cost"] == pytest.approx(counts[1] + 5 * counts[2])
        assert shown["recall"][1] == f"{100 * value['recall']:.1f} %"
        assert {row for _, _, row in shown.values()} == {str(at)}
        roc, curve, *separation = page.evaluate(MARKS)[:4]
        assert roc == [[value["false_positive_rate"], value["recall"]]]
        assert curve == ([[value["recall"], value["precision"]]] if decided.any() else [])
        assert separation == [[[value["threshold"], value[name]]] for name in ("recall", "false_positive_rate")]
    assert faults == []


def test_the_threshold_moves_by_keyboard_and_goes_back(browser, run_of):
    page, _ = browser(run_of("tuned") / report.NAME)
    chosen = page.text_content(".slider output")
    page.focus("#threshold")
    page.keyboard.press("ArrowRight")
    assert page.text_content(".slider output") != chosen
    page.keyboard.press("End")
    assert page.text_content(".slider output").endswith(": 0.0 % flagged")
    assert page.get_attribute("#threshold", "aria-valuetext") == page.text_content(".slider output")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.text_content(".slider output") == chosen


def test_the_threshold_moves_by_touch_and_points_survive_a_change_to_dark(browser, run_of):
    page, _ = browser(run_of("tuned") / report.NAME, **PHONE)
    before = page.text_content(".slider output")
    page.locator("#threshold").scroll_into_view_if_needed()
    box = page.locator("#threshold").bounding_box()
    assert box["height"] >= 24
    page.touchscreen.tap(box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2)
    assert page.text_content(".slider output") != before
    marks = page.evaluate(MARKS)
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(100)
    assert page.evaluate(MARKS) == marks


def test_hostile_notes_do_nothing(browser, run_of, tmp_path):
    folder = shutil.copytree(run_of("binary"), tmp_path / "run")
    facts = json.loads((folder / "metadata.json").read_text())
    facts["notes"] = ["</script><script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"]
    facts["config"]["use_case"]["name"] = facts["notes"][0]
    facts["durations_s"][facts["notes"][0]] = 1.0
    (folder / "metadata.json").write_text(json.dumps(facts))
    report.write(folder)
    page, faults = browser(folder / report.NAME)
    page.wait_for_timeout(200)
    assert page.evaluate("document.scripts.length - document.querySelectorAll('script[type]').length") == 2
    assert page.query_selector("img") is None
    assert page.text_content("h1") == facts["notes"][0]
    assert faults == []


def test_a_case_gives_its_reasons_as_a_table_of_the_contributions_of_its_row(browser, run_of):
    folder = run_of("tuned")
    page, _ = browser(folder / report.NAME)
    figures = page.locator("#cases figure").all()
    assert 3 <= len(figures) <= 5
    rows = list(csv.DictReader((folder / "contributions.csv").open()))
    for figure in figures:
        row = re.search(r"Row ([\d,]+);", figure.locator("figcaption").inner_text())[1].replace(",", "")
        known = {one["feature"]: float(one["contribution"]) for one in rows if one["row"] == row}
        figure.locator("summary").click()
        cells = figure.locator("tbody tr").evaluate_all(
            "rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
        )
        for name, *spans in cells[:-1]:  # the last line is all other features
            low, high = next(span for span in spans if " to " in span).split(" to ")
            step = float(high.replace(",", "")) - float(low.replace(",", ""))
            assert step == pytest.approx(known[name.split(" = ")[0]], abs=2e-3)


def test_a_page_prints_without_what_only_a_screen_needs(browser, run_of):
    page, _ = browser(run_of("clustering") / report.NAME)
    page.emulate_media(media="print")
    page.wait_for_timeout(100)
    assert page.query_selector(".contents").bounding_box() is None
    assert n_sheets(page.pdf(prefer_css_page_size=True)) >= 2


@pytest.mark.parametrize("kind", ["binary", "tuned", "multiclass", "regression", "anomaly"])
def test_verdict_and_quality_print_on_the_first_two_pages(browser, run_of, kind):
    page, _ = browser(run_of(kind) / report.NAME)
    whole = n_sheets(page.pdf(prefer_css_page_size=True))
    page.evaluate("document.querySelectorAll('main > section:not(#verdict, #quality), footer').forEach((one) => one.remove())")
    leaflet = n_sheets(page.pdf(prefer_css_page_size=True))
    assert leaflet <= 2
    assert leaflet < whole, "what follows begins a page of its own"


def test_quality_follows_the_verdict_on_paper_and_what_drives_it_on_screen(browser, run_of):
    page, _ = browser(run_of("tuned") / report.NAME)
    places = "['verdict', 'quality', 'explanation'].map((key) => document.getElementById(key).getBoundingClientRect().top)"
    verdict, quality, explanation = page.evaluate(places)
    assert verdict < explanation < quality
    page.emulate_media(media="print")
    verdict, quality, explanation = page.evaluate(places)
    assert verdict < quality < explanation


@pytest.mark.parametrize("kind", ["tuned", "regression"])
def test_no_chart_is_cut_by_the_end_of_a_printed_page(browser, run_of, kind):
    page, _ = browser(run_of(kind) / report.NAME, viewport={"width": 688, "height": 1017})  # A4 less its margins
    page.emulate_media(media="print")
    page.wait_for_timeout(200)
    figures = page.locator("figure").evaluate_all(
        "all => all.map((one) => [getComputedStyle(one).breakInside, one.getBoundingClientRect().height])"
    )
    assert len(figures) > 8
    assert {inside for inside, _ in figures} == {"avoid"}
    assert max(height for _, height in figures) < 1017
