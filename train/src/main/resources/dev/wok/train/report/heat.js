
// A colour is mixed from the even load's towards the low or the high one by the load's logarithm, up to a factor of 2.
function mixer() {
  const parse = (name) => colour(name).match(/[0-9a-f]{2}/gi).map((part) => parseInt(part, 16));
  const even = parse("even"), low = parse("low"), high = parse("high");
  return (load) => {
    const octaves = Math.max(-1, Math.min(1, Math.log2(load)));
    const end = octaves < 0 ? low : high;
    return even.map((from, i) => Math.round(from + (end[i] - from) * Math.abs(octaves)));
  };
}

function paint(canvas, loadAt) {
  const mix = mixer();
  const image = new ImageData(canvas.width, canvas.height);
  for (let y = 0, i = 0; y < canvas.height; y++) {
    for (let x = 0; x < canvas.width; x++, i += 4) {
      image.data.set([...mix(loadAt(x, y)), 255], i);
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function describe(layer, column, expert) {
  const { first, last, cells, experts } = data.loads;
  const steps = first[column] === last[column] ? `step ${first[column]}` : `steps ${first[column]}\u2013${last[column]}`;
  return `${data.layers[layer]}, expert ${expert}, ${steps}: ${(cells[layer][column * experts + expert] / 100).toFixed(2)} \u00d7 mean`;
}

function showTip(event, layer) {
  const { first, experts } = data.loads;
  const box = event.currentTarget.getBoundingClientRect();
  const at = (share, count) => Math.max(0, Math.min(count - 1, Math.floor(share * count)));
  const column = at((event.clientX - box.left) / box.width, first.length);
  const expert = at((event.clientY - box.top) / box.height, experts);
  const tip = document.getElementById("tip");
  tip.textContent = describe(layer, column, expert);
  tip.hidden = false;
  const x = Math.max(4, Math.min(innerWidth - tip.offsetWidth - 4, event.clientX + 12));
  const below = event.clientY + 18;
  const y = below + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 10 : below;
  tip.style.transform = `translate(${x}px, ${y}px)`;
}

function hideTip() {
  document.getElementById("tip").hidden = true;
}

function drawLoads() {
  const { first, last, cells, experts } = data.loads;
  if (cells.length === 0) return;
  const section = document.getElementById("loads");
  section.hidden = false;
  paint(section.querySelector(".legend canvas"), (x) => 2 ** ((x - 50) / 50));
  const strips = section.querySelector(".strips");
  strips.replaceChildren();
  cells.forEach((strip, layer) => {
    const name = document.createElement("span");
    name.textContent = data.layers[layer];
    const canvas = document.createElement("canvas");
    canvas.width = first.length;
    canvas.height = experts;
    canvas.style.height = Math.max(40, Math.min(128, experts * 5)) + "px";
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `expert load of ${data.layers[layer]} over the steps`);
    canvas.addEventListener("pointermove", (event) => showTip(event, layer));
    canvas.addEventListener("pointerdown", (event) => showTip(event, layer));
    canvas.addEventListener("pointerleave", hideTip);
    strips.append(name, canvas);
    paint(canvas, (x, y) => strip[x * experts + y] / 100);
  });
  const ends = section.querySelectorAll(".ends span");
  ends[0].textContent = `step ${first[0].toLocaleString("en")}`;
  ends[1].textContent = `step ${last.at(-1).toLocaleString("en")}`;
}

drawLoads();
dark.addEventListener("change", drawLoads);
addEventListener("scroll", hideTip, { passive: true });
