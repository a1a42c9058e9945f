"use strict";
(() => {
  const form = document.querySelector(".controls");
  const tables = [...document.querySelectorAll(".board")];  // trained; then, folded, what is not
  const waiting = document.querySelector(".waiting");
  const lines = tables.map((table) => [...table.tBodies[0].rows]);  // with a line above each department
  const rows = lines.flat().filter((row) => row.dataset.task);
  const groups = lines.flat().filter((row) => row.dataset.group);
  const heads = [...tables[0].tHead.rows[0].cells];
  const cards = [...document.querySelectorAll("a[data-department]")];
  const field = (name) => form.elements.namedItem(name);
  const chosen = ["department", "task", "state", "registry", "data"];
  const labels = heads.map((head) => head.textContent.toLowerCase());
  let sorted = { column: -1, direction: 1 };

  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.hasAttribute("data-sort") ? cell.dataset.sort : cell.textContent.trim();
  };

  const compare = (a, b) => {
    const [x, y] = [Number(a), Number(b)];
    return Number.isFinite(x) && Number.isFinite(y) ? x - y : a.localeCompare(b, "en");
  };

  function sort(column, direction) {
    sorted = { column, direction };
    heads.forEach((head, i) => head.setAttribute("aria-sort", i !== column ? "none" : direction > 0 ? "ascending" : "descending"));
    const order = (a, b) => {
      const [x, y] = [value(a, column), value(b, column)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return direction * compare(x, y);
    };
    tables.forEach((table, i) => {
      const uses = lines[i].filter((row) => row.dataset.task);
      table.tBodies[0].append(...(column < 0 ? lines[i] : [...uses.sort(order), ...lines[i].filter((row) => row.dataset.group)]));
    });
    group();
    field("sort").value = column < 0 ? "" : String(column);
  }

  function group() {  // a department's line, where rows stand by department and one of its rows is shown
    for (const line of groups) {
      const ours = [...line.parentElement.rows].filter((row) => row.dataset.department === line.dataset.group);
      line.hidden = sorted.column >= 0 || ours.every((row) => row.hidden);
    }
  }

  function filter() {
    const words = field("text").value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const fits = chosen.every((name) => !field(name).value || row.dataset[name] === field(name).value);
      row.hidden = !(fits && words.every((word) => text.includes(word)));
      shown += !row.hidden;
    }
    for (const card of cards) {
      if (card.dataset.department === field("department").value) card.setAttribute("aria-current", "true");
      else card.removeAttribute("aria-current");
    }
    group();
    fold();
    form.querySelector("output").textContent = `${shown} of ${rows.length} use cases`;
    document.querySelector(".none").hidden = shown > 0;
  }

  function fold() {  // open while a filter looks for something, or where nothing is trained
    if (!waiting) return;
    const left = [...waiting.querySelectorAll("tr[data-task]")].filter((row) => !row.hidden).length;
    waiting.hidden = left === 0;
    waiting.querySelector("summary").textContent = `${left} not trained`;
    waiting.open = !lines[0].length || ["text", ...chosen].some((name) => field(name).value);
  }

  function remember() {  // in the address, so that a view can be sent to somebody
    const parts = new URLSearchParams();
    for (const name of ["text", ...chosen]) if (field(name).value) parts.set(name, field(name).value);
    if (sorted.column >= 0) parts.set("sort", `${sorted.direction < 0 ? "-" : ""}${labels[sorted.column]}`);
    history.replaceState(null, "", String(parts) ? `#${parts}` : location.href.split("#")[0]);
  }

  function recall() {
    const parts = new URLSearchParams(location.hash.slice(1));
    if (!location.hash.includes("=")) return;
    for (const name of ["text", ...chosen]) field(name).value = parts.get(name) ?? "";
    const by = parts.get("sort") ?? "";
    sort(labels.indexOf(by.replace(/^-/, "")), by.startsWith("-") ? -1 : 1);
    filter();
  }

  const changed = () => { filter(); remember(); };

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => {
      const first = head.dataset.first === "high" ? -1 : 1;
      sort(column, sorted.column === column ? -sorted.direction : first);
      remember();
    });
    head.replaceChildren(button);
  });
  cards.forEach((card) => card.addEventListener("click", (event) => {
    event.preventDefault();
    const department = field("department");
    department.value = department.value === card.dataset.department ? "" : card.dataset.department;
    changed();
  }));
  form.addEventListener("input", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => { sort(-1, 1); changed(); }));
  field("sort").addEventListener("change", (event) => {
    const column = event.target.value === "" ? -1 : Number(event.target.value);
    sort(column, column >= 0 && heads[column].dataset.first === "high" ? -1 : 1);
    remember();
  });
  form.hidden = false;
  sort(-1, 1);
  filter();
  recall();
  addEventListener("hashchange", recall);
})();
