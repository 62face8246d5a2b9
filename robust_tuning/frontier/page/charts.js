"use strict";
// Charts. Each function gives plotly its traces and its layout; `draw` shows them.

function layoutOf(x, y, more = {}) {
  const axis = { gridcolor: inkOf("--grid"), linecolor: inkOf("--line"), zeroline: false, automargin: true };
  const narrow = window.innerWidth < 640;
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest",
    font: { family: "system-ui, DejaVu Sans, sans-serif", size: narrow ? 11 : 13, color: inkOf("--ink") },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: inkOf("--soft"), activecolor: inkOf("--accent") },
    margin: { l: narrow ? 48 : 64, r: 14, t: 12, b: 52 },
    hoverlabel: { align: "left", bgcolor: inkOf("--card"), bordercolor: inkOf("--line"), font: { color: inkOf("--ink") } },
    xaxis: { ...axis, ...x, title: { text: x.title } },
    yaxis: { ...axis, ...y, title: { text: y.title } },
    ...more,
  };
}

function draw(place, [traces, layout]) {
  const config = {
    responsive: true, displaylogo: false, scrollZoom: false, displayModeBar: window.innerWidth < 640 ? false : "hover",
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
  };
  return Plotly.react(place, traces, layout, config).then(() => {
    place.removeAllListeners("plotly_click");
    place.on("plotly_click", (event) => {
      const strategy = event.points[0].data.meta;
      if (strategy) choose(strategy);
    });
  });
}

const shownCurves = (panel) => panel.curves.filter((curve) => SHOWN.has(curve.strategy));
const faded = (colour, share) => colour + Math.round(255 * share).toString(16).padStart(2, "0");

function pointWords(point, threat) {
  const robust = point.robust[threat];
  return [
    `<b>${point.strategy}</b> · step ${count(point.step)}, epoch ${point.epoch}`,
    `accuracy ${percentWords(point.accuracy)}`,
    `robust accuracy ${percentWords(robust)} (n = ${count(robust[3])})`,
    `run ${DATA.runs[point.run].name}, seed ${point.seed}`,
    `cost ${duration(point.cost[0])}, ${count(point.cost[1] + point.cost[2])} passes`,
  ].join("<br>");
}

/** Points of several runs as one line with gaps: x, y and hover words. */
function broken(runs, x, y, words) {
  const line = { x: [], y: [], text: [] };
  for (const places of runs) {
    const points = places.map((place) => DATA.points[place]).sort((a, b) => a.step - b.step);
    for (const point of points) { line.x.push(x(point)); line.y.push(y(point)); line.text.push(words(point)); }
    line.x.push(null); line.y.push(null); line.text.push("");
  }
  return line;
}

const trace = (strategy, more) => ({
  type: "scatter", mode: "lines+markers", meta: strategy, name: strategy, hoverinfo: "text", ...more,
});

/** The corners of a frontier from the reference and back to it. */
function corners(comparison, members, height) {
  const [low, floor] = comparison.reference;
  const x = [Math.min(low, members[0].accuracy[0])], y = [height(members[0])];
  for (const [place, member] of members.entries()) {
    if (comparison.interpolation === "staircase" && place) { x.push(x.at(-1)); y.push(height(member)); }
    x.push(member.accuracy[0]); y.push(height(member));
  }
  x.push(x.at(-1)); y.push(Math.min(floor, y.at(-1)));
  return { x, y };
}

function frontierChart(comparison, panel) {
  const bands = [], paths = [], lines = [];
  for (const curve of [...shownCurves(panel)].reverse()) {
    const { colour, dash, symbol } = styleOf(curve.strategy);
    const members = curve.members.map((place) => DATA.points[place]);
    const robust = (point) => point.robust[panel.threat];
    const upper = corners(comparison, members, (point) => robust(point)[2]);
    const lower = corners(comparison, members, (point) => robust(point)[1]);
    bands.push(trace(curve.strategy, {
      x: [...upper.x.slice(0, -1), ...lower.x.slice(0, -1).reverse()],
      y: [...upper.y.slice(0, -1), ...lower.y.slice(0, -1).reverse()],
      mode: "lines", line: { width: 0 }, fill: "toself", fillcolor: faded(colour, 0.12), hoverinfo: "skip",
    }));
    const path = broken(curve.runs, (p) => p.accuracy[0], (p) => robust(p)[0], (p) => pointWords(p, panel.threat));
    paths.push(trace(curve.strategy, {
      ...path, opacity: 0.45, line: { color: colour, width: 1 }, marker: { color: colour, size: 5, symbol },
    }));
    lines.push(trace(curve.strategy, {
      ...corners(comparison, members, (point) => robust(point)[0]),
      mode: "lines", line: { color: colour, width: 3, dash }, hoverinfo: "skip",
    }));
    lines.push(trace(curve.strategy, {
      x: members.map((p) => p.accuracy[0]), y: members.map((p) => robust(p)[0]),
      text: members.map((p) => `${pointWords(p, panel.threat)}<br>on the frontier`), mode: "markers",
      marker: { color: colour, size: 10, symbol, line: { color: inkOf("--paper"), width: 1.2 } },
    }));
  }
  return [[...bands, ...paths, ...lines], layoutOf(
    { title: "accuracy on clean images", tickformat: ".0%", rangemode: "tozero" },
    { title: `robust accuracy, ${panel.threat}`, tickformat: ".0%", rangemode: "tozero" },
  )];
}

function areaChart(comparison, panel) {
  const curves = [...shownCurves(panel)].reverse();
  const traces = curves.flatMap((curve) => {
    const [value, low, high] = curve.area, { colour } = styleOf(curve.strategy);
    const bar = {
      type: "bar", orientation: "h", y: [curve.strategy], x: [value], marker: { color: faded(colour, 0.75) },
      meta: curve.strategy, text: `${curve.strategy}: area ${areaWords(curve.area)}`, hoverinfo: "text",
      textposition: "none",
    };
    const ends = trace(curve.strategy, {
      x: [low, high], y: [curve.strategy, curve.strategy], hoverinfo: "skip",
      line: { color: inkOf("--ink"), width: 2 }, marker: { color: inkOf("--ink"), symbol: "line-ns-open", size: 9 },
    });
    return low === null ? [bar] : [bar, ends];
  });
  return [traces, layoutOf({ title: "area", rangemode: "tozero" }, { title: "" }, { barmode: "overlay" })];
}

/** The share of a quantity against the optimiser's steps. */
function stepChart(comparison, panel, title, estimate) {
  const traces = shownCurves(panel).map((curve) => {
    const { colour, dash, symbol } = styleOf(curve.strategy);
    const line = broken(curve.runs, (p) => p.step, (p) => estimate(p)[0], (p) => pointWords(p, panel.threat));
    return trace(curve.strategy, {
      ...line, line: { color: colour, width: 1.5, dash }, marker: { color: colour, size: 5, symbol },
    });
  });
  return [traces, layoutOf({ title: "optimiser steps", rangemode: "tozero" }, { title, tickformat: ".0%", rangemode: "tozero" })];
}

/** Robust accuracy against the radius, at each strategy's most accurate point. */
function radiusChart(comparison, panel) {
  const norm = panel.radius[0];
  const panels = comparison.panels.filter((other) => other.radius && other.radius[0] === norm)
    .sort((a, b) => a.radius[1] - b.radius[1]);
  const traces = shownCurves(panel).map((curve) => {
    const { colour, dash, symbol } = styleOf(curve.strategy);
    const point = DATA.points[curve.members.at(-1)];
    const steps = panels.filter((other) => other.threat in point.robust);
    const estimates = [point.accuracy, ...steps.map((other) => point.robust[other.threat])];
    const radii = [0, ...steps.map((other) => 255 * other.radius[1])];
    return trace(curve.strategy, {
      x: radii, y: estimates.map((e) => e[0]), line: { color: colour, width: 2, dash },
      marker: { color: colour, size: 7, symbol },
      error_y: {
        type: "data", symmetric: false, color: faded(colour, 0.6), thickness: 1,
        array: estimates.map((e) => e[2] - e[0]), arrayminus: estimates.map((e) => e[0] - e[1]),
      },
      text: estimates.map((e, i) => `<b>${curve.strategy}</b> · step ${point.step}<br>eps ${radii[i]}/255: ${percentWords(e)}`),
    });
  });
  return [traces, layoutOf({ title: `eps (${norm}, in 255ths)`, rangemode: "tozero" }, { title: "accuracy", tickformat: ".0%", rangemode: "tozero" })];
}

function parameterChart(comparison, panel) {
  const traces = shownCurves(panel).flatMap((curve) => {
    const { colour, symbol } = styleOf(curve.strategy);
    const [value, low, high] = curve.area, x = Math.max(1, curve.trainable[1]);
    const dot = trace(curve.strategy, {
      x: [x], y: [value], mode: "markers", marker: { color: colour, size: 12, symbol },
      text: [`${curve.strategy}: ${count(x)} trainable parameters<br>area ${areaWords(curve.area)}`],
    });
    const ends = trace(curve.strategy, {
      x: [x, x], y: [low, high], mode: "lines", line: { color: colour, width: 2 }, hoverinfo: "skip",
    });
    return low === null ? [dot] : [ends, dot];
  });
  return [traces, layoutOf({ title: "trainable parameters", type: "log", dtick: 1, exponentformat: "SI" }, { title: "area", rangemode: "tozero" })];
}

/** OOD accuracy against clean accuracy, both on the probit scale, where the line is straight. */
function shiftChart(shift) {
  const inside = (estimate) => Math.min(1 - 0.5 / estimate[3], Math.max(0.5 / estimate[3], estimate[0]));
  const traces = [], seen = [];
  for (const curve of shift.curves.filter((c) => SHOWN.has(c.strategy))) {
    const { colour, dash, symbol } = styleOf(curve.strategy), line = { x: [], y: [], text: [] };
    for (const points of curve.runs) {
      for (const point of [...points].sort((a, b) => a.step - b.step)) {
        line.x.push(probit(inside(point.clean))); line.y.push(probit(inside(point.mean)));
        line.text.push(`<b>${curve.strategy}</b> · step ${count(point.step)}<br>clean ${percentWords(point.clean)}<br>` +
          `${shift.shift} ${percentWords(point.mean)}<br>run ${point.run}`);
      }
      line.x.push(null); line.y.push(null); line.text.push("");
    }
    seen.push(...[...line.x, ...line.y].filter((value) => value !== null));
    traces.push(trace(curve.strategy, {
      ...line, line: { color: colour, width: 1, dash }, marker: { color: colour, size: 6, symbol },
    }));
  }
  const range = seen.length ? [Math.min(...seen) - 0.15, Math.max(...seen) + 0.15] : [-1, 1];
  const straight = (slope, intercept, dash) => ({
    type: "scatter", mode: "lines", x: range, y: range.map((x) => slope * x + intercept), hoverinfo: "skip",
    line: { color: inkOf("--soft"), width: 1.4, dash },
  });
  traces.unshift(straight(1, 0, "dot"));
  if (shift.line) traces.unshift(straight(shift.line.slope, shift.line.intercept, "solid"));
  const names = [0.1, 1, 5, 20, 50, 80, 95, 99, 99.9];
  const axis = { range, tickvals: names.map((name) => probit(name / 100)), ticktext: names.map((name) => `${name}%`) };
  return [traces, layoutOf({ title: "clean accuracy", ...axis }, { title: "accuracy under the shift", ...axis })];
}

/** The normal quantile (Acklam's rational approximation, relative error below 1.2e-9). */
function probit(p) {
  const a = [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.3577518672690, -30.66479806614716, 2.506628277459239];
  const b = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572];
  const c = [-0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783];
  const d = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416];
  const tail = (q) => (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) / ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
  if (p < 0.02425) return tail(Math.sqrt(-2 * Math.log(p)));
  if (p > 1 - 0.02425) return -tail(Math.sqrt(-2 * Math.log(1 - p)));
  const q = p - 0.5, r = q * q;
  return (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q / (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
}
