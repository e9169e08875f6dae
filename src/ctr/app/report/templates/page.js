
"use strict";
document.documentElement.classList.add("scripts");
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, column) => {
    const value = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent;
    const sort = () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows], sign = down ? -1 : 1;
      const key = (row) => (value(row) === "inf" ? NaN : Number(value(row)));
      rows.sort((a, b) => {
        const x = key(a), y = key(b);
        if (isNaN(x) && isNaN(y)) return sign * value(a).localeCompare(value(b));
        if (isNaN(x) || isNaN(y)) return isNaN(x) ? 1 : -1;
        return sign * (x - y);
      });
      body.append(...rows);
    };
    head.setAttribute("aria-sort", "none");
    head.tabIndex = 0;
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
  });
}
for (const section of document.querySelectorAll("section")) {
  const point = (place) => {
    section.classList.toggle("pointing", place !== undefined);
    for (const shape of section.querySelectorAll("svg [class^=group-]"))
      shape.classList.toggle("pointed", shape.classList.contains("group-" + place));
  };
  for (const line of section.querySelectorAll("[data-group]")) {
    line.addEventListener("mouseenter", () => point(line.dataset.group));
    line.addEventListener("mouseleave", () => point());
  }
}
