// The picture, except for the arrows: axis, faults, lanes, dots, violations. Only what is in sight is drawn.

const canvas = $("lanes");
const pen = canvas.getContext("2d");
let colours = {};
let wanted = false;
/** What was drawn last, with where it is: for the pointer. The later, the nearer. */
let places = [];
/** Rectangles that have words in them already. */
let taken = [];

/** A canvas knows no `light-dark()`: an element is asked what comes of it. */
function readColours() {
  const probe = document.createElement("i");
  document.body.append(probe);
  for (const name of ["ground", "raised", "ink", "faint", "line", "grid", "accent", "lost", "bad", "good", "fault",
    ...Object.keys(KINDS), "s-good", "s-busy", "s-wait", "s-hurt", "s-over"]) {
    probe.style.color = `var(--${name})`;
    colours[name] = getComputedStyle(probe).color;
  }
  probe.remove();
}

function redraw() {
  if (!wanted) {
    wanted = true;
    requestAnimationFrame(() => { wanted = false; draw(); });
  }
}

const laneX = (lane) => AXIS + view.laneWidth * (lane + 0.5) - $("scroll").scrollLeft;
const screenY = (t) => HEAD + view.scale.y(t) - $("scroll").scrollTop;
const inSight = (from, to) => screenY(to) >= HEAD - 20 && screenY(from) <= view.height + 20;

function draw() {
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(view.width * ratio) || canvas.height !== Math.round(view.height * ratio)) {
    canvas.width = Math.round(view.width * ratio);
    canvas.height = Math.round(view.height * ratio);
    canvas.style.width = view.width + "px";
    canvas.style.height = view.height + "px";
  }
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.fillStyle = colours.ground;
  pen.fillRect(0, 0, view.width, view.height);
  pen.font = '12px system-ui, "Segoe UI", "DejaVu Sans", sans-serif';
  pen.textBaseline = "middle";
  places = [];
  taken = [];
  drawGrid();
  const words = [...drawFaults(), ...drawLanes()];
  drawArrows();
  words.push(...drawMarks());
  drawViolations();
  for (const word of words) label(word);
  drawAxis();
  drawHeads();
  drawMap();
  report();
}

function drawGrid() {
  const scroll = $("scroll").scrollTop;
  view.ticks = ticks(view.scale, scroll - 40, scroll + view.height, 58);
  pen.strokeStyle = colours.grid;
  pen.lineWidth = 1;
  for (const tick of view.ticks) line(AXIS, screenY(tick.t), view.width, screenY(tick.t));
  for (const pause of view.scale.breaks) {
    const top = screenY(pause.from), bottom = screenY(pause.to);
    if (bottom < HEAD || top > view.height) continue;
    pen.fillStyle = colours.grid;
    pen.fillRect(AXIS, top + 5, view.width - AXIS, bottom - top - 10);
  }
}

function drawFaults() {
  const words = [];
  for (const item of view.shown.faults) {
    if (!inSight(item.at, item.until)) continue;
    const { what, host: a, to: b } = item.fault;
    const top = screenY(item.at), height = Math.max(screenY(item.until) - top, 3);
    const left = b === null ? laneX(a) - 40 : Math.min(laneX(a), laneX(b)), width = b === null ? 80 : Math.abs(laneX(a) - laneX(b));
    const isWeak = what === "link" || what === "latency";
    const colour = what === "crash" || what === "partition" ? colours.lost : colours.fault;
    pen.save();
    pen.beginPath();
    pen.rect(left, top, width, height);
    pen.clip();
    pen.globalAlpha = isWeak ? 0.07 : 0.13;
    pen.fillStyle = colour;
    pen.fillRect(left, top, width, height);
    if (!isWeak) hatch(left, top, width, height, colour, what === "hold");
    pen.restore();
    pen.strokeStyle = colour;
    pen.globalAlpha = 0.7;
    pen.setLineDash(isWeak ? [2, 4] : []);
    line(left, top, left + width, top);
    if (item.fault.until !== null) line(left, top + height, left + width, top + height);
    pen.setLineDash([]);
    pen.globalAlpha = 1;
    places.push({ item, box: [left, top, width, height] });
    const text = item.title + (b !== null && item.fault.one_way ? ` ${way(item.fault)}` : "") + (isWeak && item.fault.detail ? `: ${item.fault.detail}` : ` for ${span(item.until - item.at)}`);
    words.push({ text, x: left + width / 2, y: top + 10, least: top + 10, most: top + height - 8, colour, align: "center", sticky: true, width: Math.max(width - 16, 120) });
  }
  return words;
}

function hatch(left, top, width, height, colour, isSteep) {
  const from = Math.max(top, HEAD - 30), to = Math.min(top + height, view.height + 30);
  pen.strokeStyle = colour;
  pen.globalAlpha = 0.22;
  pen.lineWidth = 1.5;
  // Anchored to time, so that it scrolls with what it lies on.
  const phase = (((from - top) % 12) + 12) % 12;
  pen.beginPath();
  for (let x = left - (to - from) - 12 - phase; x < left + width + 12; x += 12) {
    pen.moveTo(x, isSteep ? from : to);
    pen.lineTo(x + (to - from), isSteep ? to : from);
  }
  pen.stroke();
  pen.lineWidth = 1;
}

const STATES = {
  live: "s-good", linked: "s-good", serving: "s-good", fetching: "s-busy", connecting: "s-wait", up: "s-wait", alone: "s-wait",
  recovering: "s-hurt", migrating: "s-hurt", draining: "s-hurt", leaving: "s-over", closed: "s-over", stopped: "s-over", idle: "s-over",
};
const stateColour = (state) => colours[STATES[state] ?? "s-busy"];

function drawLanes() {
  const words = [];
  const bottom = Math.min(view.height, screenY(data.end_us));
  const seen = new Set(items.stays.map((item) => item.stay.host));
  data.hosts.forEach((_, lane) => {
    const x = Math.round(laneX(lane)) + 0.5;
    pen.strokeStyle = seen.has(lane) ? colours.line : colours.faint;
    pen.lineWidth = seen.has(lane) ? 1.5 : 3;
    line(x, Math.max(HEAD, screenY(0)), x, bottom);
  });
  pen.lineWidth = 1;
  for (const item of items.stays) {
    if (!inSight(item.at, item.until)) continue;
    const x = laneX(item.stay.host), top = screenY(item.at), height = Math.max(screenY(item.until) - top, 1.5);
    pen.fillStyle = stateColour(item.stay.state);
    round(x - 5, top, 10, height, Math.min(3, height / 2));
    pen.fill();
    places.push({ item, box: [x - 8, top, 16, height] });
    if (height >= 12) {
      words.push({ text: item.title, x: x + 11, y: top + 8, least: top + 8, most: top + height - 6, colour: colours.ink, align: "left", sticky: true, width: view.laneWidth * 0.62 });
    }
  }
  return words;
}

const ALARM = /lost|down(?!load)|refused|failed|panic|lagged|gone|gave|broken|dropped|fault|resync/i;

function drawMarks() {
  const words = [];
  for (const item of view.shown.marks) {
    if (!inSight(item.at, item.at)) continue;
    const x = laneX(item.mark.host) - 12, y = screenY(item.at);
    const isAlarm = ALARM.test(item.mark.event);
    pen.fillStyle = isAlarm ? colours.lost : colours.ink;
    pen.beginPath();
    pen.arc(x, y, isAlarm ? 4 : 3, 0, 7);
    pen.fill();
    places.push({ item, point: [x, y] });
    words.push({ text: item.title, x: x - 8, y, colour: isAlarm ? colours.lost : colours.faint, align: "right", width: view.laneWidth / 2 - 24 });
  }
  return words;
}

function drawViolations() {
  items.violations.forEach((item, index) => {
    if (!inSight(item.at, item.at)) return;
    const y = screenY(item.at), lane = item.violation.host;
    pen.strokeStyle = pen.fillStyle = colours.bad;
    pen.lineWidth = index === view.violation ? 3 : 2;
    line(AXIS, y, view.width, y);
    if (lane !== null) {
      pen.beginPath();
      pen.arc(laneX(lane), y, 11, 0, 7);
      pen.stroke();
    }
    pen.lineWidth = 1;
    const x = lane === null ? AXIS + 12 : laneX(lane) + 22;
    label({ text: "✗ " + item.title, x, y: y - 12, colour: colours.bad, align: "left", width: 320, isBold: true });
    places.push({ item, box: [AXIS, y - 4, view.width, 8] });
  });
}

function drawAxis() {
  pen.fillStyle = colours.ground;
  pen.fillRect(0, HEAD, AXIS, view.height);
  pen.textAlign = "right";
  pen.fillStyle = colours.faint;
  for (const tick of view.ticks) pen.fillText(time(Math.round(tick.t), tick.step), AXIS - 8, screenY(tick.t));
  for (const pause of view.scale.breaks) {
    const top = screenY(pause.from), bottom = screenY(pause.to);
    if (bottom < HEAD || top > view.height) continue;
    pen.fillStyle = colours.ground;
    pen.fillRect(0, top + 9, AXIS, bottom - top - 18);
    pen.fillStyle = colours.accent;
    pen.fillText("⋮ " + span(pause.to - pause.from), AXIS - 8, (top + bottom) / 2);
  }
  pen.strokeStyle = colours.line;
  line(AXIS + 0.5, HEAD, AXIS + 0.5, view.height);
}

function drawHeads() {
  pen.fillStyle = colours.raised;
  pen.fillRect(0, 0, view.width, HEAD);
  pen.strokeStyle = colours.line;
  line(0, HEAD - 0.5, view.width, HEAD - 0.5);
  pen.textAlign = "center";
  pen.fillStyle = colours.ink;
  pen.save();
  pen.font = "600 13px " + pen.font.replace(/^[^ ]+ /, "");
  data.hosts.forEach((name, lane) => pen.fillText(name, laneX(lane), HEAD / 2, view.laneWidth - 8));
  pen.restore();
}

/** Words on a ground of their own, unless others are there already. Sticky ones stay in sight as long as what they name does. */
function label({ text, x, y, least, most, colour, align, sticky, width, isBold }) {
  if (sticky) y = Math.max(y, Math.min(HEAD + 12, most));
  if (y < HEAD - 8 || y > view.height + 8) return;
  pen.save();
  if (isBold) pen.font = "600 " + pen.font;
  let words = text;
  while (words.length > 4 && pen.measureText(words).width > width) words = words.slice(0, -2).trimEnd() + "…";
  const wide = pen.measureText(words).width;
  const left = Math.min(align === "left" ? x : align === "right" ? x - wide : x - wide / 2, view.width - wide - 6);
  const box = () => [left - 4, y - 8, wide + 8, 16];
  const isFree = () => !taken.some((other) => overlap(other, box()));
  // Bands have room to give way in.
  while (sticky && !isFree() && y + 17 <= most) y += 17;
  if (isFree()) {
    taken.push(box());
    pen.fillStyle = colours.ground;
    pen.globalAlpha = 0.86;
    round(...box(), 5);
    pen.fill();
    pen.globalAlpha = 1;
    pen.textAlign = "left";
    pen.fillStyle = colour;
    pen.fillText(words, left, y + 0.5);
  }
  pen.restore();
}

const overlap = ([ax, ay, aw, ah], [bx, by, bw, bh]) => ax < bx + bw && bx < ax + aw && ay < by + bh && by < ay + ah;

function line(x0, y0, x1, y1) {
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
}

function round(x, y, width, height, radius) {
  pen.beginPath();
  pen.roundRect(x, y, width, height, radius);
}
