"""The scoreboard in a real browser."""

import pytest
from browser import n_sheets, needs_chromium, violations
from scoreboard_runs import METRICS, facts, write_portfolio, write_run

from bank_models.config.catalogue import CONF, catalogue
from bank_models.scoreboard import __main__ as command_line

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1440, "height": 1000}
TRAINED = 63  # of 65
SIZES = [DESKTOP, *({"width": width, "height": 768} for width in (1366, 1024)), PHONE, {"width": 320, "height": 568}]

sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: make setup installs it")
pytestmark = needs_chromium


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """All use cases but two, one of them failing a gate, one with two models and one with an enormous name."""
    root, (first, *entries, _) = tmp_path_factory.mktemp("board") / "runs", catalogue([CONF])
    write_portfolio(root, entries)
    write_run(root / "fair_lending/xgboost", facts("fair_lending", department="compliance"), METRICS | {"val_score": 0.5})
    without_baseline = {name: value for name, value in METRICS.items() if not name.startswith(("baseline", "gain"))}
    numbers = without_baseline | {"demographic_parity_ratio_sex": 0.5}
    write_run(root / "own/xgboost", facts("own", "m" * 90, about={"name": "Unbroken" * 30}), numbers)
    assert first["key"] == "kyc_verification"
    assert command_line.main(["--runs", str(root), "--registry", str(root)]) == 0
    return root


@pytest.fixture
def visit(chromium, root):
    """Open the written page: visit(viewport=PHONE). Whatever it asks for or complains of fails the test."""
    contexts, asked, complaints = [], [], []

    def opened(**settings):
        context = chromium.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce"} | settings)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((root / "scoreboard.html").as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
    beside = root.as_uri()
    assert [url for url in asked if not url.startswith(("data:", f"{beside}/"))] == []


def names(page) -> list[str]:
    return page.locator("tbody tr[data-task]:visible").evaluate_all(
        "rows => rows.map(row => row.querySelector('th').dataset.sort)"
    )


def column(page, label: str) -> list[str]:
    cells = page.locator(f"tbody tr[data-task]:visible td[data-label='{label}']")
    return cells.evaluate_all("cells => cells.map(cell => cell.dataset.sort ?? cell.textContent.trim())")


def chooser(page, label: str):
    return page.get_by_role("combobox", name=label, exact=True)


def test_it_opens_with_every_use_case_and_without_a_network(visit):
    page = visit()
    assert len(names(page)) == TRAINED
    assert page.locator("tbody tr[data-task]").count() == 65
    assert page.locator("output").inner_text() == "65 of 65 use cases"
    assert page.evaluate("performance.getEntriesByType('resource').filter(one => !one.name.startsWith('data:')).length") == 0


@pytest.mark.parametrize("viewport", SIZES, ids=lambda size: size["width"])
@pytest.mark.parametrize("is_scripted", [True, False])
def test_nobody_has_to_scroll_sideways(visit, viewport, is_scripted):
    page = visit(viewport=viewport, java_script_enabled=is_scripted)
    page.locator("summary").first.click()
    box = page.locator("html").bounding_box()
    page.mouse.wheel(500, 0)
    page.wait_for_timeout(50)
    assert page.locator("html").bounding_box()["x"] == box["x"] == 0
    widest = max(
        one["x"] + one["width"]
        for one in map(lambda card: card.bounding_box(), page.locator("tbody tr[data-task]:visible").all()[:8])
    )
    assert widest <= viewport["width"]


def test_what_is_not_trained_is_folded_below_what_is_and_opens_for_a_filter(visit):
    page = visit()
    waiting = page.locator(".waiting")
    assert waiting.locator("summary").inner_text() == "2 not trained"
    assert not waiting.locator("tr[data-task]").first.is_visible()
    last = page.locator("table.board").first.bounding_box()
    assert waiting.bounding_box()["y"] >= last["y"] + last["height"]
    waiting.locator("summary").focus()
    page.keyboard.press("Enter")
    assert len(names(page)) == 65
    again = visit()
    chooser(again, "Status").select_option("not trained")
    assert len(names(again)) == 2


def test_rows_stand_by_department_below_its_name_until_they_are_sorted(visit):
    page = visit()
    lines = (
        page.locator("table.board")
        .first.locator("tbody tr:visible")
        .evaluate_all("rows => rows.map((row) => [row.dataset.group ?? null, row.dataset.department ?? null])")
    )
    assert len({name for name, _ in lines if name}) == 8
    heading = None
    for name, department in lines:
        heading = name or heading
        assert department in (None, heading)
    chooser(page, "Department").select_option("treasury")
    assert set(page.locator("tr.group:visible").all_inner_texts()) == {"Treasury"}
    page.locator("thead th", has_text="Lift").first.get_by_role("button").click()
    assert page.locator("tr.group:visible").count() == 0


def test_the_meaning_of_the_lift_stands_above_the_table(visit):
    page = visit()
    legend = page.locator(".key")
    assert "from the baseline, 0 %, to the best there can be, 100 %" in legend.inner_text()
    assert legend.bounding_box()["y"] < page.locator("table.board").first.bounding_box()["y"]


def test_a_click_sorts_and_a_second_one_turns_it_around(visit):
    page = visit()
    head = page.locator("thead th", has_text="Lift").first
    head.get_by_role("button").click()
    lifts = [float(text) for text in column(page, "Lift") if text]
    assert lifts == sorted(lifts, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    assert column(page, "Lift")[-1] == "", "what has no lift comes last"
    head.get_by_role("button").click()
    lifts = [float(text) for text in column(page, "Lift") if text]
    assert (lifts, head.get_attribute("aria-sort")) == (sorted(lifts), "ascending")
    assert column(page, "Lift")[-1] == ""


def test_sorting_works_by_keyboard(visit):
    page = visit()
    page.locator("thead th", has_text="Use case").get_by_role("button").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Department"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    assert names(page) == page.evaluate("names => names.sort((a, b) => a.localeCompare(b, 'en'))", names(page))
    page.keyboard.press("Space")
    assert names(page)[0][0] > names(page)[-1][0]


def test_filters_narrow_the_table_and_show_all_brings_it_back(visit):
    page = visit()
    chooser(page, "Department").select_option("treasury")
    assert set(column(page, "Department")) == {"Treasury"}
    chooser(page, "Task").select_option("regression")
    assert set(column(page, "Task")) == {"regression"}
    n_both = len(names(page))
    assert page.locator("output").inner_text() == f"{n_both} of 65 use cases"
    chooser(page, "Status").select_option("not trained")
    page.get_by_role("button", name="Show all").click()
    sync_api.expect(page.locator("output")).to_have_text("65 of 65 use cases")
    chooser(page, "Status").select_option("red")
    assert names(page) == ["Unbroken" * 30]
    page.get_by_label("Search").fill("nothing is like this")
    assert names(page) == []
    assert page.locator(".none").is_visible()


def test_searching_works_by_keyboard(visit):
    page = visit()
    page.get_by_label("Search").focus()
    page.keyboard.type("Fraud xgboost")
    assert len(names(page)) >= 2
    assert all("xgboost" in model for model in column(page, "Model"))


def test_a_department_is_a_filter_by_mouse_and_by_keyboard(visit):
    page = visit()
    card = page.locator("a[data-department=compliance]")
    card.click()
    assert set(column(page, "Department")) == {"Compliance"}
    assert card.get_attribute("aria-current") == "true"
    card.focus()
    page.keyboard.press("Enter")
    assert len(names(page)) == TRAINED


def test_a_phone_sorts_by_a_list(visit):
    page = visit(viewport=PHONE)
    chooser(page, "Sort by").select_option(label="score")
    scores = [float(text) for text in column(page, "Score") if text]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(("width", "is_table"), [(390, False), (899, False), (900, True), (1280, True), (1920, True)])
def test_it_is_a_table_from_900_pixels_up_and_cards_below(visit, width, is_table):
    page = visit(viewport={"width": width, "height": 900})
    row = page.locator("tbody tr[data-task]:visible").first
    assert row.evaluate("row => getComputedStyle(row).display") == ("table-row" if is_table else "grid")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if is_table:
        shown = (
            page.locator("table.board")
            .first.locator("thead th:visible")
            .evaluate_all("heads => heads.map((head) => head.textContent)")
        )
        assert {"Use case", "Model", "Score", "Lift", "Gates", "Registry"} <= set(shown)


def test_filters_and_order_stand_in_the_address_and_come_back_with_it(visit):
    page = visit()
    chooser(page, "Department").select_option("treasury")
    page.get_by_label("Search").fill("rate")
    page.locator("thead th", has_text="Lift").first.get_by_role("button").click()
    expected, address = names(page), page.url
    assert 0 < len(expected) < 65
    assert address.endswith("#text=rate&department=treasury&sort=-lift")
    again = visit()
    again.evaluate("hash => { location.hash = hash; }", address.split("#")[1])
    sync_api.expect(again.locator("output")).to_have_text(f"{len(expected)} of 65 use cases")
    assert names(again) == expected
    again.reload()
    assert names(again) == expected
    again.get_by_role("button", name="Show all").click()
    sync_api.expect(again.locator("output")).to_have_text("65 of 65 use cases")
    assert "#" not in again.url


def test_gates_open_by_keyboard_and_say_why(visit):
    page = visit()
    row = page.locator("tbody tr", has_text="UnbrokenUnbroken")
    assert "fairness" in row.locator("summary").inner_text()
    row.locator("summary").focus()
    page.keyboard.press("Enter")
    assert row.get_by_text("0.50 for sex").is_visible()


def test_without_scripts_it_is_a_plain_table(visit):
    page = visit(java_script_enabled=False)
    assert page.locator("tbody tr[data-task]").count() == 65
    assert not page.locator(".controls").is_visible()
    page.locator("a[data-department=treasury]").click()
    assert page.url.endswith("#department-treasury")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(visit, scheme):
    page = visit(color_scheme=scheme)
    script = """() => {
        const light = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number)
            .map((c) => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
            .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
        const behind = (element) => {
            const colour = getComputedStyle(element).backgroundColor;
            return colour === "rgba(0, 0, 0, 0)" ? behind(element.parentElement) : colour;
        };
        return [...document.querySelectorAll("small, td, th, .badge, dt, dd, summary, strong, label")]
            .filter((one) => one.textContent.trim() && one.checkVisibility())
            .map((one) => {
                const [a, b] = [light(getComputedStyle(one).color), light(behind(one))].sort((x, y) => y - x);
                return [(a + .05) / (b + .05), one.outerHTML.slice(0, 80)];
            }).filter(([contrast]) => contrast < 4.5);
    }"""
    assert page.evaluate(script) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_keeps_anybody_out(visit, scheme):
    page = visit(color_scheme=scheme)
    page.locator(".waiting > summary").click()
    assert violations(page) == []


def test_it_prints_all_columns_on_few_sheets(visit, tmp_path):
    page = visit()
    page.pdf(path=tmp_path / "board.pdf", prefer_css_page_size=True)
    assert 1 < n_sheets((tmp_path / "board.pdf").read_bytes()) <= 9


def test_the_report_of_a_run_is_a_click_away_without_a_server(visit, root):
    page = visit()
    row = page.locator("tbody tr", has_text="fair_lending").first
    assert row.locator("summary", has_text="2 runs").count() == 1
    href = row.locator("th a").get_attribute("href")
    row.locator("th a").click()
    assert page.url == (root / href).as_uri()
    assert page.locator("body").inner_text() == "A report"
