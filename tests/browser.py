"""Browser test helpers: Chromium, and the checks that every page passes."""

import os

import pytest

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
WIDTHS = (390, 900, 1280, 1920)
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
needs_chromium = pytest.mark.skipif(
    not os.access(CHROMIUM, os.X_OK), reason=f"needs {CHROMIUM}: apt-get install chromium (as root); .ci/run does that"
)
IS_DRAWN = """(canvas) => {
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    const seen = new Set();
    for (let i = 0; i < pixels.length; i += 4) {
        if (pixels[i + 3]) seen.add((pixels[i] << 16) | (pixels[i + 1] << 8) | pixels[i + 2]);
    }
    return seen.size;
}"""
ALL_ARE_MADE = "document.querySelectorAll('figure canvas').length === Object.keys(Chart.instances).length"


def check_draws(page) -> None:
    """Every chart has ink."""
    for canvas in page.query_selector_all("figure canvas"):
        assert canvas.evaluate(IS_DRAWN) > 5, canvas.get_attribute("aria-label")
        assert canvas.bounding_box()["height"] > 100


def check_fits(page, width: int) -> None:
    """Nothing has to be scrolled sideways, and no chart leaves the window."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("visualViewport.scale") == 1
    for canvas in page.query_selector_all("figure canvas"):
        box = canvas.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def violations(page) -> list[tuple[str, str]]:
    """Rules of accessibility that the page breaks, by axe-core, each with the first place."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python: make setup")
    found = axe.Axe().run(page).response["violations"]
    return [(each["id"], each["nodes"][0]["html"]) for each in found]


def n_sheets(pdf: bytes) -> int:
    """Pages of a document that the browser printed."""
    return pdf.count(b"/Type /Page\n")
