// Draws the charts of a page with Chart.js from the JSON beside each canvas; arrow keys walk through a chart's values.
(() => {
  "use strict";
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const faded = (hex, alpha) => hex + Math.round(alpha * 255).toString(16).padStart(2, "0");
  const shown = (value) => {
    if (value === null || value === undefined) return "–";
    if (Array.isArray(value)) return value.map(shown).join(" to ");
    if (typeof value !== "number") return String(value);
    const size = Math.abs(value);
    if (size !== 0 && size < 1e-3) return value.toLocaleString("en", { maximumSignificantDigits: 3 });
    return value.toLocaleString("en", { maximumFractionDigits: size >= 1000 ? 0 : size >= 10 ? 2 : 4 });
  };
  const tick = (value, all) => {  // one notation along an axis: 50K beside 100K
    const size = Math.abs(value);
    if (size !== 0 && size < 1e-3) return value.toLocaleString("en", { maximumSignificantDigits: 2 });
    const isLarge = all.some((one) => Math.abs(one.value) >= 1e5);
    return value.toLocaleString("en", { maximumFractionDigits: 4, notation: isLarge ? "compact" : "standard" });
  };
  const paper = matchMedia("print");
  const HIDDEN = ["edge"];
  const isSwarm = (spec) => spec.series.some((series) => series.style === "swarm");
  const channels = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const between = (low, high) => (share) => {  // grey without a share
    if (share === null) return faded(color("none"), 0.7);
    const [a, b] = [channels(low), channels(high)];
    return `rgb(${a.map((from, i) => Math.round(from + (b[i] - from) * share)).join(" ")} / 85%)`;
  };

  function dataset(series, spec) {
    const ink = color(`series-${series.color}`);
    const isCategory = ["bars", "spans", "dots", "waterfall"].includes(series.style);
    const axis = isCategory && spec.horizontal ? "y" : "x";
    const base = { label: series.name, borderColor: ink, backgroundColor: ink, borderWidth: 2, pointRadius: 0, pointHitRadius: 6,
      pointHoverRadius: 5, indexAxis: axis, tension: 0, spanGaps: false, style: series.style,
      pointStyle: ["line", "dashed", "steps"].includes(series.style) ? "line" : ["bars", "spans", "band", "waterfall"].includes(series.style) ? "rect" : "circle" };
    const isCrowded = spec.series.reduce((n, each) => n + each.points.length, 0) > 150;
    const points = isCategory ? series.points : series.points.map(([x, y]) => ({ x, y }));
    const styles = {
      line: { type: "line" },
      steps: { type: "line", stepped: "before" },
      dashed: { type: "line", borderDash: [6, 5], borderWidth: 1.5, borderColor: ink },
      edge: { type: "line", borderWidth: 0 },
      band: { type: "line", borderWidth: 0, fill: "-1", backgroundColor: faded(ink, 0.2) },
      points: { type: "line", showLine: false, pointRadius: isCrowded ? 2.2 : 4, backgroundColor: faded(ink, isCrowded ? 0.5 : 0.9), borderWidth: 0 },
      bars: { type: "bar", borderWidth: 0, borderRadius: 3, maxBarThickness: 34 },
      spans: { type: "bar", borderWidth: 0, barThickness: 5, borderRadius: 3, backgroundColor: faded(ink, 0.45), grouped: false },
      waterfall: { type: "bar", borderWidth: 0, barThickness: 13, borderRadius: 2, grouped: false, borderSkipped: false },
      rug: { type: "line", showLine: false, pointStyle: "line", pointRotation: 90, pointRadius: 5, pointHitRadius: 0, pointHoverRadius: 5, borderColor: faded(ink, 0.5), borderWidth: 1.5, clip: false },
      dots: { type: "line", showLine: false, pointRadius: paper.matches ? 3 : 5, borderWidth: 0 },
      marker: { type: "line", showLine: false, pointRadius: paper.matches ? 4 : 7, pointHoverRadius: 8, pointBorderWidth: 2, pointBorderColor: color("card"), order: -1 },
      swarm: { type: "line", showLine: false, pointRadius: innerWidth < 640 ? 1.8 : 2.8, borderWidth: 0, pointBorderWidth: 0,
        pointBackgroundColor: series.style === "swarm" ? series.points.map(([, , share]) => between(color("low"), color("high"))(share)) : undefined },
    };
    return { ...base, data: points, ...styles[series.style] };
  }

  function axis(given, name, spec) {
    const isFromZero = spec.series.some((series) => series.style === "bars");
    const common = { title: { display: Boolean(given.label) && !(name === "y" && given.labels), text: given.label, color: color("muted") },
      grid: { color: color("grid") }, border: { color: color("line") } };
    const short = (text, most) => text.length > most ? text.slice(0, most - 1) + "…" : text;
    if (given.labels) {
      const isLong = given.labels.length > 40 || (name === "x" && given.labels.length > 12);
      return { ...common, type: "category", labels: given.labels, offset: true, grid: { display: false },
        ticks: { color: color("muted"), autoSkip: isLong && name === "x", maxTicksLimit: isLong ? (innerWidth < 640 ? 4 : 9) : undefined,
          maxRotation: isLong ? 0 : 40,
          callback(index) {
            const most = name === "y" ? (innerWidth < 640 ? 18 : 34) : 18;
            const [first, ...rest] = String(given.labels[index]).split(": ");
            const whole = [first, ...rest].join(": ");
            return whole.length > most && rest.length ? [short(first, most), short(rest.join(": "), most)] : short(whole, most);
          } } };
    }
    if (name === "y" && given.names) {  // features down the page, a line of dots for each
      return { ...common, type: "linear", min: given.min, max: given.max, reverse: true,
        ticks: { color: color("ink"), stepSize: 1, autoSkip: false, includeBounds: false,
          callback: (value) => Number.isInteger(value) ? short(given.names[value] ?? "", innerWidth < 640 ? 18 : 34) : "" } };
    }
    const grid = isSwarm(spec) ? { color: (line) => color(line.tick.value === 0 ? "muted" : "grid") } : common.grid;
    return { ...common, grid, type: given.type || "linear", min: given.min, max: given.max, beginAtZero: isFromZero,
      grace: name === "y" && given.min === undefined ? "4%" : 0,
      ticks: { color: color("muted"), maxTicksLimit: 8, includeBounds: false, precision: given.whole ? 0 : undefined,
        callback: (value, index, all) => given.names ? given.names[value] ?? "" : tick(value, all) } };
  }

  function config(spec) {
    const isFree = spec.series.some((series) => ["points", "swarm"].includes(series.style));
    const named = (item) => spec.x.names && !spec.horizontal ? spec.x.names[item.parsed.x] : undefined;
    return {
      type: "line",
      data: { labels: spec.x.labels || spec.y.labels, datasets: spec.series.map((series) => dataset(series, spec)) },
      options: {
        animation: false, responsive: true, maintainAspectRatio: false, normalized: true,
        indexAxis: spec.horizontal ? "y" : "x",
        interaction: { mode: isFree ? "nearest" : "index", intersect: false, axis: spec.horizontal ? "y" : isFree ? "xy" : "x" },
        scales: { x: axis(spec.x, "x", spec), y: axis(spec.y, "y", spec) },
        plugins: {
          legend: { display: !isSwarm(spec) && spec.series.filter((s) => !HIDDEN.includes(s.style)).length > 1, align: "start",
            labels: { color: color("ink"), usePointStyle: true, pointStyleWidth: paper.matches ? 10 : 16, boxHeight: paper.matches ? 5 : 8, padding: paper.matches ? 5 : 14, filter: (item, data) => !HIDDEN.includes(data.datasets[item.datasetIndex].style)
              && data.datasets.findIndex((set) => set.label === item.text) === item.datasetIndex } },
          tooltip: { callbacks: {
            title: (items) => !items.length ? "" : isSwarm(spec) ? `row ${spec.x.rows[items[0].dataIndex]}` : (named(items[0]) ?? (spec.x.labels || spec.y.labels ? items[0].label : `${spec.x.label}: ${shown(items[0].parsed.x)}`)),
            label: (item) => {
              const raw = item.raw;
              if (item.dataset.style === "swarm") return told(spec.series[item.datasetIndex], item.dataIndex);
              const value = raw && typeof raw === "object" && !Array.isArray(raw) ? raw.y : raw;
              return `${item.dataset.label}: ${shown(value)}`;
            } } },
        },
      },
    };
  }

  const told = (series, index) => {
    const [adds, , , value] = series.points[index];
    return `${series.name} = ${shown(value)}: ${adds > 0 ? "+" : ""}${shown(adds)}`;
  };

  function table(spec) {
    const element = document.createElement("table");
    const add = (row, tag, text) => { const cell = document.createElement(tag); cell.textContent = text; row.append(cell); return cell; };
    const head = element.createTHead().insertRow();
    const body = element.createTBody();
    const labels = spec.x.labels || spec.y.labels;
    if (labels) {
      add(head, "th", (spec.horizontal ? spec.y : spec.x).label || "name");
      spec.series.forEach((series) => add(head, "th", series.name).className = "number");
      labels.forEach((label, i) => {
        const row = body.insertRow();
        add(row, "th", label);
        spec.series.forEach((series) => add(row, "td", shown(series.points[i])).className = "number");
      });
    } else if (isSwarm(spec)) {
      ["feature", "row", "value", "adds"].forEach((text) => add(head, "th", text));
      spec.series.forEach((series) => series.points.forEach(([adds, , , value], i) => {
        const row = body.insertRow();
        add(row, "th", series.name);
        [String(spec.x.rows[i]), value, adds].forEach((number) => add(row, "td", shown(number)).className = "number");
      }));
    } else {
      ["series", spec.x.label, spec.y.label].forEach((text) => add(head, "th", text));
      spec.series.forEach((series) => series.points.forEach(([x, y]) => {
        const row = body.insertRow();
        add(row, "th", series.name);
        add(row, "td", spec.x.names ? spec.x.names[x] ?? shown(x) : shown(x)).className = "number";
        add(row, "td", shown(y)).className = "number";
      }));
    }
    return element;
  }

  function walk(chart, spoken) {
    let index = -1;
    return (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
      if (event.key === "Escape") { chart.setActiveElements([]); chart.tooltip.setActiveElements([], { x: 0, y: 0 }); chart.update("none"); return; }
      if (step === undefined) return;
      event.preventDefault();
      const sets = chart.data.datasets.filter((set) => !HIDDEN.includes(set.style));
      const last = Math.max(...sets.map((set) => set.data.length)) - 1;
      index = Math.min(last, Math.max(0, step === Infinity ? last : index + step));
      const active = chart.data.datasets.map((set, datasetIndex) => ({ datasetIndex, index, set }))
        .filter(({ set }) => !HIDDEN.includes(set.style) && set.data[index] !== null && set.data[index] !== undefined)
        .map(({ datasetIndex }) => ({ datasetIndex, index }));
      chart.setActiveElements(active);
      chart.tooltip.setActiveElements(active, { x: 0, y: 0 });
      chart.update("none");
      spoken.textContent = [...(chart.tooltip.title || []), ...(chart.tooltip.body || []).flatMap((part) => part.lines)].join("; ");
    };
  }

  const letters = () => { Chart.defaults.font.size = paper.matches ? 8 : 12; };
  const charts = [];
  letters();
  for (const figure of document.querySelectorAll("figure[data-chart]")) {
    const spec = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
    const canvas = figure.querySelector("canvas");
    const chart = new Chart(canvas, config(spec));
    charts.push([chart, spec]);
    canvas.addEventListener("keydown", walk(chart, figure.querySelector(".spoken")));
    const details = figure.querySelector("details");
    details.addEventListener("toggle", () => {
      const holder = details.querySelector(".scroll");
      if (details.open && !holder.hasChildNodes()) holder.append(table(spec));
    });
  }
  const redraw = () => {
    letters();
    charts.forEach(([chart, spec]) => {
      const { data, options } = config(spec);
      Object.assign(chart.data, data);
      chart.options = options;
      chart.resize();
      chart.update("none");
    });
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  paper.addEventListener("change", redraw);
})();
