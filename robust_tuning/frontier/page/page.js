"use strict";
// The page as a whole: which comparison, which threat, which strategies, which colours.

const charts = []; // [place, function that gives traces and layout]
const chosen = { comparison: 0, panel: 0 };

const current = () => {
  const comparison = DATA.comparisons[chosen.comparison];
  return [comparison, comparison.panels[chosen.panel]];
};

/** One click isolates a strategy; further clicks add and remove; none left means all. */
function choose(strategy) {
  if (SHOWN.size === DATA.strategies.length) SHOWN.clear(), SHOWN.add(strategy);
  else if (!SHOWN.delete(strategy)) SHOWN.add(strategy);
  if (!SHOWN.size) showAll();
  showChosen();
}

const showAll = () => DATA.strategies.forEach((strategy) => SHOWN.add(strategy));

function showChosen() {
  for (const element of document.querySelectorAll("[data-strategy]")) {
    element.hidden = !SHOWN.has(element.dataset.strategy);
  }
  for (const button of document.querySelectorAll(".chips button")) {
    const strategy = button.dataset.chip;
    button.setAttribute("aria-pressed", strategy ? SHOWN.has(strategy) : SHOWN.size === DATA.strategies.length);
  }
  say(SHOWN.size === DATA.strategies.length ? "All strategies are shown" : `Shown: ${[...SHOWN].join(", ")}`);
  redraw();
}

function redraw() {
  if (!window.Plotly) return Promise.resolve();
  return Promise.all(charts.map(([place, chart]) => draw(place, chart())));
}

function swatch(strategy) {
  const { colour } = styleOf(strategy);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("width", "14"), svg.setAttribute("height", "14"), svg.setAttribute("aria-hidden", "true");
  const dot = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of Object.entries({ width: 14, height: 14, rx: 3, fill: colour })) dot.setAttribute(name, value);
  svg.append(dot);
  return svg;
}

function chips() {
  const all = h("button", { type: "button", "aria-pressed": "true", onclick: () => { showAll(); showChosen(); } }, "All");
  const each = DATA.strategies.map((strategy) => h("button", {
    type: "button", "aria-pressed": "true", "data-chip": strategy, onclick: () => choose(strategy),
  }, swatch(strategy), strategy));
  return h("div", { class: "chips", role: "group", "aria-label": "Strategies shown" }, all, each);
}

function selector(name, options, picked) {
  const select = h("select", {}, options.map((option, place) => h("option", { value: place }, option)));
  select.addEventListener("change", () => picked(Number(select.value)));
  return options.length > 1 ? h("label", {}, `${name} `, select) : null;
}

function figure(title, caption, chart, more = "") {
  const place = h("div", { class: `chart ${more}`, role: "img", "aria-label": `${title}. The tables below have the numbers.` });
  charts.push([place, () => chart(...current())]);
  return h("figure", {}, h("h3", {}, title), place, h("figcaption", {}, caption));
}

function fillFrontier() {
  const place = section("frontier");
  if (!DATA.comparisons.length) { place.append(h("p", {}, "No attack was run.")); return; }
  const controls = h("div", { class: "controls" });
  const threats = () => {
    const names = current()[0].panels.map((panel) => panel.threat);
    controls.querySelector(".threat")?.remove();
    const select = selector("Threat", names, (panel) => { chosen.panel = panel; showPanel(); });
    if (select) { select.className = "threat"; controls.append(select); }
  };
  const titles = DATA.comparisons.map((c) => `${c.title} · ${c.attack.label}`);
  controls.append(selector("Comparison", titles, (comparison) => {
    Object.assign(chosen, { comparison, panel: 0 }); threats(); showPanel();
  }) ?? "");
  threats();
  place.append(
    h("p", {}, "Right is more accurate, up is more robust. Click a strategy to see it alone, further ones to add them. Point at a mark for its numbers."),
    controls, chips(),
    figure("Robust accuracy against accuracy", "Faint: every measured state, joined in the order of training. Bold: the frontier, with the band of its intervals.", frontierChart, "main"),
    h("div", { class: "pair" },
      figure("Area under each frontier", "With its interval.", areaChart),
      figure("Trainable parameters against area", "With the area's interval; logarithmic to the right.", parameterChart),
      figure("Robust accuracy during training", "Every run.", (c, p) => stepChart(c, p, `robust accuracy, ${p.threat}`, (point) => point.robust[p.threat])),
      figure("Accuracy during training", "Every run, on clean images.", (c, p) => stepChart(c, p, "accuracy", (point) => point.accuracy)),
      figure("Accuracy against the size of the attack", "Every strategy at its most accurate state on the frontier; eps 0 is no attack.",
        (c, p) => (p.radius ? radiusChart(c, p) : [[], layoutOf({ title: "eps" }, { title: "accuracy" })]))));
}

function showPanel() {
  const [comparison, panel] = current();
  const place = section("table");
  place.replaceChildren(place.querySelector("h2"),
    h("p", {}, "Click a heading to sort. Intervals stand below the numbers."),
    strategyTable(comparison, panel), ...(panel.verdict ? [scalarTable(panel) ?? "", differenceTable(panel) ?? ""] : []));
  showChosen();
}

function paint() {
  for (const button of document.querySelectorAll(".chips button[data-chip]")) {
    button.querySelector("svg").replaceWith(swatch(button.dataset.chip));
  }
  return redraw();
}

/** The library stands in the page as gzip in base64. */
async function loadPlotly() {
  const packed = atob(section("plotly").textContent);
  const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = h("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
}

function setUpTheme() {
  section("theme").addEventListener("change", (event) => {
    const theme = event.target.value;
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    paint();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
}

/** On paper everything is unfolded and light; afterwards the page is as it was. */
function setUpPrinting() {
  let folded = [], theme;
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((details) => { details.open = true; });
    theme = document.documentElement.dataset.theme;
    document.documentElement.dataset.theme = "light";
    paint();
  });
  addEventListener("afterprint", () => {
    folded.forEach((details) => { details.open = false; });
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    paint();
  });
}

async function main() {
  fillAnswer();
  fillAsked();
  fillFrontier();
  charts.push(...fillShifts());
  fillGallery();
  fillRuns();
  fillAgain();
  fillDefinitions();
  if (DATA.comparisons.length) showPanel();
  else section("table").remove();
  setUpTheme();
  setUpPrinting();
  try {
    await loadPlotly();
    await redraw();
  } catch (error) {
    section("frontier").prepend(h("p", { class: "warning" }, `The charts cannot be drawn: ${error.message}. The tables hold all numbers; a browser of 2023 or later draws them.`));
  }
  document.body.dataset.ready = "true";
}

main();
