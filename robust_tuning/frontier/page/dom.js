"use strict";
// Elements and words that every part of the page uses.

const DATA = JSON.parse(document.getElementById("data").textContent);
const SHOWN = new Set(DATA.strategies);

/** An element; a string among the children becomes text, never markup. */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

const section = (name) => document.getElementById(name);
const say = (words) => { section("live").textContent = words; };
const percent = (value, digits = 1) => (100 * value).toFixed(digits);
const count = (value) => Math.round(value).toLocaleString("en-GB");
const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;

/** "91.2 % [90.1, 92.3]" of [value, low, high, n]. */
function percentWords(estimate) {
  const [value, low, high] = estimate;
  const ends = low === null ? "" : ` [${percent(low)}, ${percent(high)}]`;
  return `${percent(value)} %${ends}`;
}

function areaWords([value, low, high]) {
  return value.toFixed(3) + (low === null ? "" : ` [${low.toFixed(3)}, ${high.toFixed(3)}]`);
}

function short(n) {
  for (const [unit, name] of [[1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
    if (n >= unit) return (n / unit).toFixed(1) + name;
  }
  return String(n);
}

function duration(seconds) {
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  return seconds < 7200 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** A list of facts; pairs without a value are left out. */
function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== "");
  return h("dl", { class: "facts" }, known.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

const plain = (record) => Object.entries(record).map(([k, v]) => `${k} = ${JSON.stringify(v)}`).join(", ");

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

const inkOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const DASHES = ["solid", "dash", "dot"];
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "x", "star", "pentagon", "hexagon"];

/** A strategy's colour, dash and marker: never told apart by colour alone. */
function styleOf(strategy) {
  const place = DATA.strategies.indexOf(strategy);
  const colour = DATA.colours[place % DATA.colours.length];
  return {
    colour: colour === "#000000" && isDark() ? "#ffffff" : colour,
    dash: DASHES[Math.floor(place / DATA.colours.length) % DASHES.length],
    symbol: SYMBOLS[place % SYMBOLS.length],
  };
}
