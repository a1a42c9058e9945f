// Moves the threshold: one slider changes every number of thresholds.csv inside its panel, and the points on the curves.
(() => {
  "use strict";
  const panel = document.querySelector(".decider");
  if (!panel) return;
  const { steps, rates, chosen, flagged } = JSON.parse(panel.querySelector("script[data-steps]").textContent);
  const [slider, output, button] = ["input", "output", "button"].map((name) => panel.querySelector(`.slider ${name}`));
  const numbers = [...panel.querySelectorAll("data[data-csv='thresholds.csv']")];
  const inWords = (column, value) => {
    if (value === null) return "–";
    if (rates.includes(column)) return `${value.toLocaleString("en", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 }).slice(0, -1)} %`;
    if (column === "threshold") return value.toLocaleString("en", { maximumSignificantDigits: 4 });
    return value.toLocaleString("en", { maximumFractionDigits: column === "f1" ? 3 : 2 });
  };

  const shade = () => panel.querySelectorAll(".matrix tbody tr").forEach((row) => {
    const cells = [...row.querySelectorAll("td")];
    const counts = cells.map((cell) => Number(cell.querySelector("data").value));
    const total = counts.reduce((sum, count) => sum + count, 0) || 1;
    cells.forEach((cell, i) => cell.style.setProperty("--share", `${Math.round(50 * counts[i] / total)}%`));
  });

  const mark = (at) => document.querySelectorAll("figure[data-chart]").forEach((figure) => {
    const { moves } = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
    if (!moves) return;
    const chart = Chart.getChart(figure.querySelector("canvas"));
    chart.data.datasets.filter((set) => set.style === "marker").forEach((set, i) => {
      const [x, y] = moves[i].map((column) => steps[column][at]);
      set.data = x === null || y === null ? [] : [{ x, y }];
    });
    chart.update("none");
  });

  const show = () => {
    const at = Number(slider.value);
    for (const number of numbers) {
      const { column } = number.dataset;
      const value = steps[column][at];
      number.value = value ?? "";
      number.dataset.row = at;
      number.textContent = inWords(column, value);
    }
    const said = `${inWords("threshold", steps.threshold[at])}: ${inWords("flagged_rate", steps.flagged_rate[at])} ${flagged}`;
    output.textContent = said;
    slider.setAttribute("aria-valuetext", said);
    shade();
    mark(at);
  };

  slider.value = chosen;  // a browser that comes back to the page remembers another
  slider.addEventListener("input", show);
  button.addEventListener("click", () => { slider.value = chosen; show(); });
  for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", show);
  panel.querySelector(".slider").hidden = false;
  show();
})();
