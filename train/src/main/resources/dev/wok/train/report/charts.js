"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

function short(value) {
  if (value === null || value === undefined) return "\u2013";
  const size = Math.abs(value);
  if (size >= 1e6) return +(value / 1e6).toPrecision(4) + " M";
  if (size >= 1e4) return +(value / 1e3).toPrecision(4) + " k";
  if (size !== 0 && size < 1e-3) return (+value.toPrecision(3)).toExponential();
  return String(+value.toPrecision(4));
}

function layerColour(layer, layers) {
  const hue = 170 + (140 * layer) / Math.max(1, layers - 1);
  return `hsl(${hue} 55% ${dark.matches ? 62 : 45}%)`;
}

function besideColour(run) {
  return `hsl(${(350 + 67 * run) % 360} 75% ${dark.matches ? 62 : 42}%)`;
}

const TITLES = {
  pass_at_1: ["pass@1", "Share of answers that are right, between the ends of its 95 % interval."],
  reward: ["Reward", "Mean over the step's answers; thin: its parts, without their weights."],
  reward_deviation: ["Deviation of rewards", ""],
  length: ["Length", "Tokens of an answer."],
  entropy: ["Entropy", "Of the next token, in nats."],
  kl: ["KL", "From the reference, in nats per token."],
  sampler_difference: ["Sampler and trainer", "Mean difference of their log-probabilities; 0 where they compute the same bits."],
  clipped: ["Clipped", "Share of tokens without slope because of the clip."],
  equal_groups: ["Equal groups", "Share of questions whose answers have all the same reward."],
  truncated: ["Truncated", "Share of answers that were cut off."],
};

// A chart for each group of figures that a method records.
function curves(prefix, x, groups, more) {
  const known = Object.keys(TITLES);
  const rank = (group) => (known.includes(group) ? known.indexOf(group) : known.length);
  const sorted = Object.entries(groups ?? {}).sort(([a], [b]) => rank(a) - rank(b));
  return sorted.map(([group, series]) => {
    const [title, note] = TITLES[group] ?? [group.replaceAll("_", " "), ""];
    const id = "curve-" + prefix.slice(0, 4).trim() + group;
    place(id, prefix + title, note);
    const names = Object.keys(series);
    const style = (name, i) => (name === group || names.length === 1 ? { width: 2, stroke: colour("main") } : { width: 1, stroke: besideColour(i) });
    return { id, x, lines: names.map((name, i) => ({ label: name.replace(group + "/", ""), values: series[name], ...more, ...style(name, i) })) };
  });
}

function place(id, title, note) {
  if (document.getElementById(id)) return;
  const section = document.createElement("section");
  section.className = "chart";
  section.id = id;
  section.hidden = true;
  const head = document.createElement("h2");
  head.textContent = title[0].toUpperCase() + title.slice(1);
  const text = document.createElement("p");
  text.textContent = note;
  const plot = document.createElement("div");
  plot.className = "plot";
  section.append(head, ...(note ? [text] : []), plot);
  document.getElementById("curves").append(section);
}

function charts() {
  const steps = data.steps;
  const held = data.evaluations;
  const line = (label, values, name, more) => ({ label, values, stroke: colour(name), width: 1.75, ...more });
  const points = { points: { show: true, size: 6 } };
  const loss = [line("loss", data.loss, "thin", { width: 1 }), line("smoothed", data.smooth, "main")];
  if (data.mtp_loss) loss.push(line("MTP", data.mtp_loss, "third", { width: 1 }));
  const layers = data.layer_violations;
  const others = (x, values) => data.beside.map((run, i) => line(run.name, values(run), "other", { x: x(run), stroke: besideColour(i), dash: [6, 4] }));
  const otherSteps = (values) => others((run) => run.metrics.steps, (run) => run.metrics[values]);
  return [
    ...curves("held out: ", held.steps, held.curves, points),
    ...curves("", steps, data.curves, { width: 1.25 }),
    { id: "loss", x: steps, lines: [...loss, ...otherSteps("smooth")] },
    {
      id: "held_out",
      x: held.steps,
      lines: [
        line("held out", held.held_out_bits_per_byte, "main", points),
        line("gzip -9", held.gzip_bits_per_byte, "other", { dash: [6, 4], points: { show: held.steps.length < 2, size: 6 } }),
        ...others((run) => run.evaluations.steps, (run) => run.evaluations.held_out_bits_per_byte),
      ],
    },
    { id: "learning_rate", x: steps, lines: [line("learning rate", data.learning_rate, "main")] },
    { id: "grad_norm", x: steps, lines: [line("gradient norm", data.grad_norm, "main", { width: 1.25 })] },
    { id: "speed", x: steps, lines: [line("tokens/s", data.speed, "main", { width: 1.25 })] },
    {
      id: "violation",
      x: steps,
      many: layers.length > 8,
      lines: [
        ...layers.map((values, i) => ({ label: data.layers[i], values, stroke: layerColour(i, layers.length), width: 1, class: "layer" })),
        line("largest", data.violation, "ink", { width: 2 }),
        ...otherSteps("violation"),
      ],
    },
  ].filter((chart) => chart.lines.some((l) => l.values.some((v) => v !== null)));
}

function axis(more) {
  const grid = { stroke: colour("line"), width: 1 };
  return { stroke: colour("muted"), grid, ticks: { ...grid, size: 5 }, font: "12px system-ui, sans-serif", ...more };
}

function wholeSteps(plot, splits) {
  return splits.map((v) => (Number.isInteger(v) ? short(v) : null));
}

// Away from the pointer the legend shows each line's newest value.
function showLast(plot) {
  if (plot.cursor.idx === null || plot.cursor.idx === undefined || plot.cursor.left < 0) {
    plot.setLegend({ idxs: plot.data.map((column) => column.findLastIndex((v) => v !== null && v !== undefined)) });
  }
}

function draw(chart) {
  const section = document.getElementById(chart.id);
  section.hidden = false;
  const place = section.querySelector(".plot");
  place.replaceChildren();
  place.classList.toggle("many", Boolean(chart.many));
  const options = {
    width: Math.max(200, place.clientWidth),
    height: 240,
    hooks: { ready: [showLast], setCursor: [showLast] },
    cursor: { sync: { key: "steps" }, points: { size: 7 }, drag: { x: true, y: false } },
    scales: { x: { time: false }, y: { range: (plot, low, high) => range(low, high) } },
    axes: [axis({ values: wholeSteps, space: 60, size: 36 }), axis({ values: (plot, splits) => splits.map(short), size: 58 })],
    series: [
      { label: "step", value: (plot, v) => (v === null ? "\u2013" : v.toLocaleString("en")) },
      ...chart.lines.map(({ values, x, ...series }) => ({ points: { show: chart.x.length < 2, size: 6 }, ...series, value: (plot, v) => short(v) })),
    ],
  };
  return { place, plot: new uPlot(options, table(chart), place) };
}

// One column of steps for all lines; where a line has no point of its own at another's step it goes straight on.
function table(chart) {
  const own = [chart.x, ...chart.lines.filter((l) => !l.x).map((l) => l.values)];
  const others = chart.lines.filter((l) => l.x).map((l) => [l.x, l.values]);
  return others.length === 0 ? own : uPlot.join([own, ...others]);
}

function range(low, high) {
  if (low === null) return [0, 1];
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  return [low >= 0 && low < 0.35 * high ? 0 : low - room, high + room];
}

let drawn = [];
const fit = new ResizeObserver((entries) => {
  for (const { place, plot } of drawn) {
    if (entries.some((entry) => entry.target === place) && place.clientWidth > 0) {
      plot.setSize({ width: Math.max(200, place.clientWidth), height: 240 });
    }
  }
});

function drawCharts() {
  drawn.forEach(({ place, plot }) => {
    fit.unobserve(place);
    plot.destroy();
  });
  drawn = charts().map(draw);
  drawn.forEach(({ place }) => fit.observe(place));
  document.getElementById("zoom").hidden = drawn.length === 0;
}

// Samples of the step that is asked for, or of the nearest one before.
function find() {
  const all = [...document.querySelectorAll(".sample")];
  const box = document.getElementById("find");
  box.hidden = all.length < 2;
  box.querySelector("input").addEventListener("input", (event) => {
    const asked = parseInt(event.target.value, 10);
    const steps = all.map((sample) => Number(sample.dataset.step));
    const found = Math.max(...steps.filter((step) => step <= asked), Number.NEGATIVE_INFINITY);
    all.forEach((sample, i) => {
      sample.hidden = Number.isFinite(asked) && steps[i] !== found;
      if (steps[i] === found) sample.open = true;
    });
    box.querySelector("span").textContent = Number.isFinite(asked) && !Number.isFinite(found) ? "none that early" : "";
  });
}

find();
drawCharts();
dark.addEventListener("change", drawCharts);
