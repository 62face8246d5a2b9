"use strict";
// What is read rather than seen: the answer, the question, examples, runs, commands, definitions.

function answerCard(comparison, panel) {
  const heading = h("h3", {}, `${comparison.title} · ${panel.threat}`);
  const verdict = panel.verdict;
  if (!verdict) return h("div", { class: "card" }, heading, h("p", { class: "sentence" }, byArea(panel)), areaNotes(panel));
  const groups = verdict.groups.map((group) => h("li", {}, group.join(", "),
    group.length > 1 ? h("span", { class: "soft" }, " (cannot be told apart)") : null));
  return h("div", { class: "card" }, heading, h("p", { class: "sentence" }, verdict.sentence),
    groups.length > 1 || (groups.length && panel.curves.length > 1)
      ? [h("p", { class: "soft" }, "By falling area:"), h("ol", { class: "groups" }, groups)] : null,
    verdict.warnings.length ? warningBox("Before you rely on it", verdict.warnings) : null,
    verdict.notes.map((note) => h("p", { class: "soft" }, note)), areaNotes(panel));
}

const warningBox = (title, lines) => h("div", { class: "warning" }, h("b", {}, title),
  h("ul", {}, lines.map((line) => h("li", {}, line))));

function areaNotes(panel) {
  return panel.curves.filter((curve) => curve.note)
    .map((curve) => h("p", { class: "soft" }, `${curve.strategy}: no interval of the area: ${curve.note}`));
}

/** Without a verdict: the areas as they are, and no claim beyond them. */
function byArea(panel) {
  const [first, second] = panel.curves;
  const lead = `${first.strategy} has the largest area under its frontier: ${areaWords(first.area)}.`;
  if (!second) return `${lead} It is the only strategy here.`;
  return `${lead} Next is ${second.strategy} with ${areaWords(second.area)}. Whether the difference is more than chance was not tested.`;
}

function fillAnswer() {
  const cards = DATA.comparisons.flatMap((c) => c.panels.map((panel) => answerCard(c, panel)));
  if (!cards.length) cards.push(h("p", {}, "No attack was run, so there is no robust accuracy to compare. The accuracies on other kinds of images are below."));
  section("answer").append(h("div", { class: "answers" }, cards));
}

function fillAsked() {
  const backbones = [...new Set(DATA.runs.map((run) => run.backbone))].join(", ");
  const benchmarks = [...new Set(DATA.runs.map((run) => run.benchmark))].join(", ");
  const ways = DATA.strategies.length;
  section("asked").append(
    h("p", {}, `A network that had been trained on other images (${backbones}) was taught the task ${benchmarks} in ` +
      `${ways === 1 ? "one way" : `${ways} ways, called strategies,`} which differ in how much of the network may change: ${DATA.strategies.join(", ")}. ` +
      `There are ${plural(DATA.runs.length, "run")}, measured ${plural(DATA.points.length, "time")} while they trained.`),
    h("p", {}, "Training raises the accuracy on ordinary images. It can also make the network easier to fool by changes " +
      "that no person would notice; the share of images that it still names correctly against such an attack is its robust " +
      "accuracy. The question: which strategy keeps most robust accuracy at a given accuracy, and how sure can one be?"),
    ...DATA.comparisons.map((c) => facts([
      ["measured on", `${c.benchmark}, ${c.split} split, ${c.examples} images`],
      ["attack", `${c.attack.name}: ${plain(c.attack.settings)}`],
      ["compared by", c.definition],
      ["intervals", `${100 * c.confidence} %: Wilson for accuracies; for areas ${count(c.replicates)} draws of the images, the same for all strategies`],
    ])));
}

function fillShifts() {
  const place = section("shifts");
  if (!DATA.shifts.length) {
    place.append(h("p", {}, "Not measured. Add shifts to a run's configuration, such as --config configs/shifts/corruptions.yaml, to see how accuracy holds on corrupted images or other domains."));
    return [];
  }
  place.append(h("p", {}, "Accuracy on images unlike those of training, against accuracy on ordinary ones. On these axes such " +
    "accuracies tend to lie on a line; a strategy above the line holds more than its clean accuracy lets one expect. Dotted: equal accuracy."));
  return DATA.shifts.map((shift) => {
    const chart = h("div", { class: "chart", role: "img", "aria-label": `${shift.label}: accuracy under the shift against clean accuracy; the table below has the numbers` });
    const line = shift.line ? `${shift.line.equation} through ${shift.line.points} points, R² ${shift.line.r_squared[0]?.toFixed(3)}` : "No line can be drawn through these points.";
    place.append(h("h3", {}, shift.label), h("figure", {}, chart, h("figcaption", {}, line)), shiftTable(shift),
      groupTable(shift) ?? "", ...shift.notes.map((note) => h("p", { class: "soft" }, note)));
    return [chart, () => shiftChart(shift)];
  });
}

function fillGallery() {
  const place = section("gallery");
  if (DATA.gallery_warnings.length) place.append(warningBox("Examples that could not be read", DATA.gallery_warnings));
  if (!DATA.gallery.length) {
    place.append(h("p", {}, "None were kept. A run whose evaluations store examples has a folder examples/ with a file per threat; the next report shows them."));
    return;
  }
  place.append(h("p", {}, "Left the image, in the middle what the attack added, enlarged by the factor that stands below it (grey is no change), right the sum, which the network then named."));
  for (const set of DATA.gallery) {
    const run = DATA.runs[set.run];
    const shrunk = set.shown < Math.max(...set.pixels) ? `; shown with ${set.shown} of ${Math.max(...set.pixels)} pixels` : "";
    place.append(h("div", { "data-strategy": run.strategy }, h("h3", {}, `${run.strategy} · ${set.threat}`),
      h("p", { class: "soft" }, `Run ${run.name}, step ${count(set.step)}. Of ${plural(set.stored, "kept example")} the attack turned ${set.fooled} from right to wrong${shrunk}.`),
      h("div", { class: "examples" }, set.examples.map((example) => exampleFigure(example, set)))));
  }
}

function exampleFigure(example, set) {
  const picture = (name, alt, ...words) => h("div", {},
    h("img", { src: DATA.pictures[example[name]], alt, class: set.shown <= 96 ? "exact" : null }), ...words);
  const named = (prediction) => h("span", { class: prediction === example.label ? null : "wrong" },
    prediction + (prediction === example.label ? "" : " (wrong)"));
  return h("figure", { class: "example" }, h("div", { class: "triple" },
    picture("clean", `Image ${example.index}, a ${example.label}`, "named ", named(example.predicted_clean)),
    picture("perturbation", `What the attack added, times ${example.scale}`, `change × ${example.scale}, at most ${example.size}/255`),
    picture("adversarial", "The attacked image", "named ", named(example.predicted_adversarial))),
  h("figcaption", {}, `Image ${example.index}: ${example.label}`));
}

function fillRuns() {
  section("runs").append(...DATA.runs.map((run, number) => {
    const places = DATA.points.flatMap((point, place) => (point.run === number ? [place] : []));
    const [seconds, passes, memory] = run.cost;
    return h("details", { "data-strategy": run.strategy },
      h("summary", {}, h("b", {}, run.name), h("span", { class: "soft" }, `${run.strategy}, seed ${run.seed}, ${plural(places.length, "evaluation")}`)),
      facts([
        ["folder", run.folder], ["benchmark", `${run.benchmark}, ${run.split} split`], ["backbone", run.backbone],
        ["strategy", `${run.strategy}(${plain(run.arguments)})`], ["objective", run.objective], ["seed", String(run.seed)],
        ["parameters", `${count(run.trainable)} of ${count(run.total)} trainable`],
        ["attack", run.attack ? `${run.attack.name}(${plain(run.attack.settings)}), fingerprint ${run.attack.fingerprint}` : "none"],
        ["evaluations cost", `${duration(seconds)}, ${count(passes)} passes of one image` + (memory ? `, up to ${(memory / 1e9).toFixed(1)} GB` : "")],
        ["measured", run.time[0] === run.time[1] ? run.time[0] : `${run.time[0]} to ${run.time[1]}`],
        ["code and configuration", `version ${run.version}, configuration ${run.hash}`],
      ]),
      pointTable(places), gradientWarnings(places),
      run.config === null ? h("p", { class: "soft" }, "This run's folder has no config.yaml.")
        : h("details", {}, h("summary", {}, "config.yaml"), h("pre", { tabindex: "0" }, run.config)));
  }));
}

/** What speaks against a robust accuracy: counts beside those of the images attacked. */
function gradientWarnings(places) {
  const lines = places.flatMap((place) => Object.entries(DATA.points[place].diagnostics).map(([threat, found]) =>
    `step ${DATA.points[place].step}, ${threat}: ${plain(found)}`));
  return lines.length ? h("details", {}, h("summary", {}, "Diagnostics of the attacks"), h("pre", { tabindex: "0" }, lines.join("\n"))) : null;
}

function commandBlock(command) {
  const text = h("pre", { tabindex: "0" }, h("code", {}, command));
  const copy = h("button", { type: "button", class: "copy", onclick: () => navigator.clipboard.writeText(command).then(
    () => say("Copied"), () => getSelection().selectAllChildren(text)) }, "Copy");
  return [text, copy];
}

const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

function fillAgain() {
  const known = DATA.runs.filter((run) => run.config !== null);
  const fits = known.map((run) => `robust-tuning fit --config ${quoted(`${run.folder}/config.yaml`)}`).join("\n");
  section("again").append(
    h("p", {}, "This page and the files beside it:"), ...commandBlock(DATA.command),
    ...(fits ? [h("p", {}, "The runs, each from its own configuration, which is also folded into its entry above:"), ...commandBlock(fits)]
      : [h("p", {}, "No run's folder has its config.yaml, so the runs' own commands are not known.")]),
    h("p", { class: "soft" }, `Made with robust-tuning ${[...new Set(DATA.runs.map((run) => run.version))].join(", ")}.`));
}

function fillDefinitions() {
  const words = [
    ["Accuracy", "The share of the evaluation images, unchanged, that the network names correctly."],
    ["Robust accuracy", "The share that it names correctly unchanged and after every change that the attack tried. An attack finds weaknesses and proves none absent: a stronger one can only lower this number."],
    ["Threat, such as linf-1/255", "Which changes the attacker may make. linf-1/255: no colour value of any pixel by more than 1/255 of its range, which is one step of an 8-bit image. l2 and l1 limit the length of the whole change instead. eps is the limit."],
    ["Step, epoch", "A step is one update of the network, an epoch one pass over the training images."],
    ["Frontier", "The measured states of a strategy that no other of its states beats in both accuracy and robust accuracy. In the chart they are bold, all states faint, and the band is the interval of the frontier's robust accuracies one by one."],
    ["Area", "One number for a frontier, larger is better: " + ([...new Set(DATA.comparisons.map((c) => c.definition))].join("; ") || "not measured here") + "."],
    ["Interval", "The values that remain plausible given how few images were used. Those of accuracies are Wilson's, those of areas come from drawing the images anew many times. They do not cover other seeds or other training data. An area, being the best of many states, can lie near or above the upper end of its interval."],
    ["Strategy", "How the pretrained network is adapted: all of it, its last layer alone, or small added parts. Trainable is how many numbers may change."],
    ["Pass", "One image once through the network, forward or backward: what an attack costs, on any machine."],
    ["Split", "Which images were measured. Validation images may be used for choices during training; test images are read at the end."],
    ["Shift, OOD", "Out-of-distribution: images unlike those of training, such as corrupted ones or drawings. Mean is over kinds of shift, worst is the worst kind."],
    ["Effective robustness", "Accuracy under a shift less what the line through all points gives at the same clean accuracy."],
    ["ECE", "Expected calibration error: how far the network's confidence is from its accuracy."],
    ["mCE", "The error under corruptions relative to that of a reference network."],
  ];
  section("definitions").append(h("dl", { class: "words" }, words.flatMap(([word, meaning]) => [h("dt", {}, word), h("dd", {}, meaning)])));
}
