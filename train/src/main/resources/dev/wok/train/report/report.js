const run = JSON.parse(document.getElementById("data").textContent);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const charts = [];

function smooth(values) {
  let mean = null;
  return values.map((v) => {
    if (v == null) return mean;
    mean = mean == null ? v : 0.9 * mean + 0.1 * v;
    return mean;
  });
}

function chart(id, steps, lines, height = 240) {
  const home = document.getElementById(id);
  if (!home || steps.length === 0) {
    if (home) home.textContent = "nothing recorded yet";
    return;
  }
  const draw = () => {
    home.textContent = "";
    const axis = { stroke: css("--soft"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line") } };
    const number = (v) => (v == null ? "–" : Math.abs(v) < 0.01 && v !== 0 ? v.toExponential(2) : +v.toPrecision(5));
    return new uPlot(
      {
        width: home.clientWidth,
        height,
        cursor: { y: false },
        scales: { x: { time: false } },
        axes: [axis, { ...axis, size: 60, values: (_, ticks) => ticks.map(number) }],
        series: [
          { label: "step" },
          ...lines.map((line) => ({
            label: line.label,
            stroke: css(line.color),
            width: line.width ?? 1.6,
            alpha: line.alpha ?? 1,
            dash: line.dash,
            points: { show: line.points ?? false },
            value: (_, v) => number(v),
          })),
        ],
      },
      [steps, ...lines.map((line) => line.values)],
      home,
    );
  };
  charts.push({ home, draw, plot: draw() });
}

function heat(layer, index) {
  const home = document.getElementById("heat-" + index);
  const canvas = home.querySelector("canvas");
  const says = home.querySelector("small");
  const columns = run.heat.steps.length;
  const experts = layer.length;
  canvas.width = columns;
  canvas.height = experts;
  canvas.style.height = Math.max(48, Math.min(220, experts * 9)) + "px";
  const pen = canvas.getContext("2d");
  const mix = (a, b, t) => a.map((v, i) => Math.round(v + (b[i] - v) * t));
  const cold = [42, 111, 151], even = [217, 214, 207], hot = [179, 64, 31];
  for (let e = 0; e < experts; e++) {
    for (let c = 0; c < columns; c++) {
      const load = layer[e][c];
      const color = load < 1 ? mix(cold, even, load) : mix(even, hot, Math.min(1, (load - 1) / 2));
      pen.fillStyle = `rgb(${color.join(",")})`;
      pen.fillRect(c, e, 1, 1);
    }
  }
  const resting = says.textContent;
  canvas.addEventListener("mousemove", (event) => {
    const box = canvas.getBoundingClientRect();
    const c = Math.min(columns - 1, Math.floor(((event.clientX - box.left) / box.width) * columns));
    const e = Math.min(experts - 1, Math.floor(((event.clientY - box.top) / box.height) * experts));
    if (c >= 0 && e >= 0) {
      says.textContent = `${resting}: step ${run.heat.steps[c]}, expert ${e}, ${layer[e][c].toFixed(2)} × the mean`;
    }
  });
  canvas.addEventListener("mouseleave", () => (says.textContent = resting));
}

const m = run.metrics;
chart("loss", m.step, [
  { label: "loss", values: m.loss, color: "--a", alpha: 0.35, width: 1 },
  { label: "smoothed", values: smooth(m.loss), color: "--a" },
]);
const e = run.evaluations;
chart("bits", e.step, [
  { label: "held-out text", values: e.held_out_bits_per_byte, color: "--b", points: true },
  { label: "gzip -9", values: e.gzip_bits_per_byte, color: "--soft", dash: [6, 4], points: true },
]);
chart("rate", m.step, [{ label: "learning rate", values: m.learning_rate, color: "--c" }]);
chart("norm", m.step, [{ label: "gradient norm", values: m.grad_norm, color: "--d" }]);
chart("speed", m.step, [{ label: "tokens/s", values: m.tokens_per_second, color: "--b" }]);
const palette = ["--b", "--c", "--d", "--soft"];
chart("violation", m.step, [
  ...run.violations.map((values, i) => ({
    label: run.layers[i], values, color: palette[i % palette.length], alpha: 0.6, width: 1,
  })),
  { label: "largest", values: m.max_violation, color: "--a" },
]);
run.heat.layers.forEach(heat);

let pending = 0;
const redraw = () => {
  cancelAnimationFrame(pending);
  pending = requestAnimationFrame(() => charts.forEach((c) => { c.plot.destroy(); c.plot = c.draw(); }));
};
let width = innerWidth;
addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; redraw(); } });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
