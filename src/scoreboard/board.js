"use strict";
(() => {
  const form = document.querySelector(".controls");
  const table = document.querySelector(".board");
  const rows = [...table.tBodies[0].rows];
  const heads = [...table.tHead.rows[0].cells];
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
    table.classList.toggle("is-sorted", column >= 0);
    heads.forEach((head, i) => head.setAttribute("aria-sort", i !== column ? "none" : direction > 0 ? "ascending" : "descending"));
    const order = column < 0 ? rows : [...rows].sort((a, b) => {
      const [x, y] = [value(a, column), value(b, column)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return direction * compare(x, y);
    });
    table.tBodies[0].append(...order);
    field("sort").value = column < 0 ? "" : String(column);
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
    form.querySelector("output").textContent = `${shown} of ${rows.length} use cases`;
    document.querySelector(".none").hidden = shown > 0;
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
