"use strict";
// Tables whose headings sort them.

/** A cell: what is shown, what it is sorted by, and fainter below it an interval. */
const cell = (shown, value = shown, ends = "") => ({ shown, value, ends });
const empty = cell("", null);

function percentCell(estimate, sign = false) {
  if (!estimate || estimate[0] === null) return empty;
  const [value, low, high] = estimate;
  const ends = low === null ? "" : `[${percent(low)}, ${percent(high)}]`;
  return cell((sign && value > 0 ? "+" : "") + percent(value), value, ends);
}

function numberCell(value, interval, digits = 3) {
  if (value === null || value === undefined) return empty;
  const ends = interval && interval[0] !== null ? `[${interval.map((end) => end.toFixed(digits)).join(", ")}]` : "";
  return cell(value.toFixed(digits), value, ends);
}

/** Rows are {strategy, cells}; the first cell is the row's heading. */
function table(caption, headings, rows) {
  const body = h("tbody", {}, rows.map((row) => {
    const cells = row.cells.map(({ shown, value, ends }, column) => {
      const content = [String(shown), ends ? h("span", { class: "ends" }, ends) : null];
      return column ? h("td", { "data-value": value }, content)
        : h("th", { scope: "row", "data-value": value }, content);
    });
    return h("tr", { "data-strategy": row.strategy ?? null }, cells);
  }));
  const heads = headings.map((heading, column) => h("th", { scope: "col" },
    h("button", { type: "button", onclick: (event) => sort(body, column, event.currentTarget) }, heading)));
  const whole = h("table", {}, h("caption", {}, h("span", {}, caption)), h("thead", {}, h("tr", {}, heads)), body);
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, whole);
}

/** Numbers fall first, words rise first; what is missing stays last. */
function sort(body, column, button) {
  const head = button.parentElement;
  const rows = [...body.rows];
  const valueOf = (row) => row.cells[column].dataset.value;
  const numeric = rows.every((row) => valueOf(row) === undefined || !Number.isNaN(Number(valueOf(row))));
  const before = head.getAttribute("aria-sort");
  const rising = before ? before === "descending" : !numeric;
  const order = (a, b) => {
    const [x, y] = [valueOf(a), valueOf(b)];
    if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
    const difference = numeric ? Number(x) - Number(y) : x.localeCompare(y);
    return rising ? difference : -difference;
  };
  body.append(...rows.sort(order));
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", rising ? "ascending" : "descending");
  say(`Sorted by ${button.textContent}, ${rising ? "ascending" : "descending"}`);
}

function strategyTable(comparison, panel) {
  const rows = panel.curves.map((curve) => {
    const [least, most] = curve.trainable;
    const points = curve.runs.reduce((sum, run) => sum + run.length, 0);
    const trainable = least === most ? short(most) : `${short(least)} to ${short(most)}`;
    return { strategy: curve.strategy, cells: [
      cell(curve.strategy),
      numberCell(curve.area[0], curve.area.slice(1)),
      percentCell(curve.best), percentCell(curve.best_robust), percentCell(curve.robust_at_best),
      cell(trainable, most, `${percent(most / curve.total, 2)} %`),
      cell(curve.runs.length), cell(points),
    ] };
  });
  const caption = `${comparison.title}, ${panel.threat}: ${comparison.attack.label}, ${comparison.examples}. ` +
    `${100 * comparison.confidence}% intervals.`;
  return table(caption, ["strategy", "area", "best accuracy %", "best robust accuracy %",
    "robust % at best accuracy", "trainable", "runs", "points"], rows);
}

/** The verdict's numbers beyond those of the first table. */
function scalarTable(panel) {
  const { scalars, definitions } = panel.verdict;
  const keys = [...new Set(Object.values(scalars).flat().map((scalar) => scalar.key))];
  if (!keys.length) return null;
  const rows = panel.curves.filter((curve) => scalars[curve.strategy]).map((curve) => {
    const found = new Map(scalars[curve.strategy].map((scalar) => [scalar.key, scalar]));
    const cells = keys.map((key) => numberCell(found.get(key)?.value, found.get(key)?.interval));
    return { strategy: curve.strategy, cells: [cell(curve.strategy), ...cells] };
  });
  const meanings = keys.filter((key) => definitions[key]).map((key) => [key.replaceAll("_", " "), definitions[key]]);
  return h("details", {}, h("summary", {}, "More measures of every strategy"),
    table(`Measures under ${panel.threat}, as fractions`, ["strategy", ...keys.map((key) => key.replaceAll("_", " "))], rows),
    facts(meanings));
}

function differenceTable(panel) {
  const rows = panel.verdict.differences.map((d) => ({ cells: [
    cell(`${d.first} less ${d.second}`), numberCell(d.value, d.interval), cell(d.called ? "yes" : "no"),
  ] }));
  if (!rows.length) return null;
  return h("details", {}, h("summary", {}, "Every two strategies: is their difference real?"),
    table(`Differences of areas under ${panel.threat}; intervals widened for the number of comparisons`,
      ["pair", "difference of areas", "told apart"], rows));
}

function shiftTable(shift) {
  const names = {
    mean: "mean %", worst: "worst %", excess_error: "error above clean %", effective_robustness: "effective robustness %",
    mce: "mCE %", "ece/clean": "ECE clean %", "ece/shifted": "ECE shifted %",
  };
  const known = Object.keys(names).filter((name) => shift.curves.some((curve) => name in curve.measures));
  const signed = new Set(["excess_error", "effective_robustness"]);
  const rows = shift.curves.map((curve) => ({ strategy: curve.strategy, cells: [
    cell(curve.strategy), cell(curve.step), percentCell(curve.clean),
    ...known.map((name) => percentCell(curve.measures[name], signed.has(name))),
    curve.pearson ? numberCell(curve.pearson[0], curve.pearson.slice(1, 3)) : empty,
  ] }));
  return table(`${shift.title}: ${shift.label}; ${shift.examples}. Each strategy at its most accurate step.`,
    ["strategy", "step", "clean %", ...known.map((name) => names[name]), "Pearson with clean"], rows);
}

function groupTable(shift) {
  if (shift.groups.length < 2) return null;
  const rows = shift.groups.map((group) => ({ cells: [
    cell(group), ...shift.curves.map((curve) => percentCell(curve.groups[group])),
  ] }));
  return h("details", {}, h("summary", {}, `Every one of ${shift.groups.length} sets`),
    table(`Accuracy %, ${shift.label}`, ["set", ...shift.curves.map((curve) => curve.strategy)], rows));
}

function pointTable(places) {
  const points = places.map((place) => DATA.points[place]);
  const threats = [...new Set(points.flatMap((point) => Object.keys(point.robust)))];
  const rows = points.map((point) => ({ cells: [
    cell(point.step), cell(point.epoch), percentCell(point.accuracy),
    ...threats.map((threat) => percentCell(point.robust[threat])),
    cell(duration(point.cost[0]), point.cost[0]), cell(count(point.cost[1] + point.cost[2]), point.cost[1] + point.cost[2]),
  ] }));
  return table("Every evaluation of this run", ["step", "epoch", "accuracy %", ...threats.map((t) => `${t} %`), "time", "passes"], rows);
}
