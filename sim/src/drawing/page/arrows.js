// The arrows, and the map of everything beside the picture.

const LOST_AT = 0.56; // What is lost ends so far on its way.
const LANE_EDGE = 7; // Arrows begin and end beside the bar of the lane.

/** Corners of an arrow in the room, without scrolling: it begins between top and bottom of the left end, and so on. */
function shape(arrow) {
  const centre = (lane) => AXIS + view.laneWidth * (lane + 0.5);
  const x0 = centre(arrow.from), target = arrow.to === null ? x0 + view.laneWidth * 0.6 : centre(arrow.to);
  const side = Math.sign(target - x0) || 1;
  const isWhole = arrow.fate !== "lost" && arrow.fate !== "open" && arrow.ended !== null;
  const start = x0 + side * LANE_EDGE;
  const full = arrow.from === arrow.to ? start + 30 : target - side * LANE_EDGE;
  const end = isWhole ? full : start + (full - start) * LOST_AT;
  const late = (t) => t + usual * LOST_AT;
  const ended = isWhole ? arrow.ended : [late(arrow.sent[0]), late(arrow.sent[1])];
  const y = (t) => HEAD + view.scale.y(t);
  return { x0: start, x1: end, side, isWhole, y0: y(arrow.sent[0]), y0b: y(arrow.sent[1]), y1: y(ended[0]), y1b: y(ended[1]) };
}

function drawArrows() {
  const [dx, dy] = [-$("scroll").scrollLeft, -$("scroll").scrollTop];
  view.drawn = 0;
  const near = view.hover?.type === "arrow" ? view.hover : view.pinned?.type === "arrow" ? view.pinned : null;
  for (const item of view.shown.arrows) {
    const at = shape(item.arrow);
    const top = Math.min(at.y0, at.y1) + dy, bottom = Math.max(at.y0b, at.y1b) + dy;
    if (bottom < HEAD - 10 || top > view.height + 10) continue;
    for (const key of ["y0", "y0b", "y1", "y1b"]) at[key] += dy;
    at.x0 += dx;
    at.x1 += dx;
    places.push({ item, at });
    if (item !== near) drawArrow(item.arrow, at, false);
    view.drawn++;
  }
  const place = near && places.find((one) => one.item === near);
  if (place) drawArrow(near.arrow, place.at, true);
}

function drawArrow(arrow, at, isNear) {
  const colour = colours[arrow.kind];
  pen.strokeStyle = pen.fillStyle = colour;
  pen.globalAlpha = isNear ? 1 : arrow.fate === "twice" ? 0.55 : 0.85;
  pen.lineWidth = isNear ? 3 : 1.3;
  pen.setLineDash(arrow.fate === "lost" ? [5, 3] : arrow.fate === "twice" ? [8, 3, 2, 3] : arrow.fate === "open" ? [2, 3] : []);
  if (arrow.count > 1) {
    pen.save();
    pen.globalAlpha = isNear ? 0.5 : 0.2;
    pen.beginPath();
    pen.moveTo(at.x0, at.y0);
    pen.lineTo(at.x1, at.y1);
    pen.lineTo(at.x1, at.y1b);
    pen.lineTo(at.x0, at.y0b);
    pen.fill();
    pen.restore();
    line(at.x0, at.y0b, at.x1, at.y1b);
  }
  line(at.x0, at.y0, at.x1, at.y1);
  pen.setLineDash([]);
  if (at.isWhole) head(at, arrow.count > 1 ? at.y1b : at.y1, arrow.count > 1 ? at.y1b - at.y0b : at.y1 - at.y0);
  if (arrow.fate === "lost") cross(at.x1, (at.y1 + at.y1b) / 2, isNear ? 5 : 3.6);
  if (arrow.fate === "damaged") zigzag(at);
  if (arrow.fate === "open") ring(at.x1, at.y1);
  // From far away the numbers would hide what they count.
  if (arrow.count > 1 && usual * view.pxPerUs > 3) {
    const x = at.x0 + (at.x1 - at.x0) * 0.3, y = (at.y0 + at.y0b + (at.y1 + at.y1b - at.y0 - at.y0b) * 0.3) / 2;
    pen.globalAlpha = 1;
    label({ text: "×" + many(arrow.count), x, y, colour, align: "center", width: 80 });
  }
  pen.globalAlpha = 1;
  pen.lineWidth = 1;
}

function head(at, y, fall) {
  const long = Math.hypot(at.x1 - at.x0, fall) || 1;
  const [ux, uy] = [(at.x1 - at.x0) / long, fall / long];
  pen.beginPath();
  pen.moveTo(at.x1, y);
  pen.lineTo(at.x1 - ux * 8 - uy * 3.2, y - uy * 8 + ux * 3.2);
  pen.lineTo(at.x1 - ux * 8 + uy * 3.2, y - uy * 8 - ux * 3.2);
  pen.fill();
}

function cross(x, y, radius) {
  pen.strokeStyle = colours.lost;
  pen.globalAlpha = 1;
  pen.lineWidth = 2;
  line(x - radius, y - radius, x + radius, y + radius);
  line(x - radius, y + radius, x + radius, y - radius);
}

function zigzag(at) {
  pen.strokeStyle = colours.lost;
  pen.globalAlpha = 1;
  pen.lineWidth = 1.6;
  const x = (at.x0 + at.x1) / 2, y = (at.y0 + at.y1) / 2;
  pen.beginPath();
  [[-6, 3], [-2, -4], [2, 4], [6, -3]].forEach(([dx, dy], i) => (i ? pen.lineTo(x + dx, y + dy) : pen.moveTo(x + dx, y + dy)));
  pen.stroke();
}

function ring(x, y) {
  pen.beginPath();
  pen.arc(x, y, 3, 0, 7);
  pen.stroke();
}

/** How many arrows of the whole have a place at all: a number that is no number would be drawn nowhere. */
function placed() {
  return items.arrows.filter(({ arrow }) => Object.values(shape(arrow)).every((n) => typeof n === "boolean" || Number.isFinite(n))).length;
}

/** Everything, narrow: how much was sent, what was lost, faults, violations, and where the view is. */
function drawMap() {
  const map = $("map"), ratio = window.devicePixelRatio || 1;
  const [width, height] = [map.clientWidth, map.clientHeight];
  if (map.width !== Math.round(width * ratio) || map.height !== Math.round(height * ratio)) {
    [map.width, map.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  }
  const pen = map.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.fillStyle = colours.raised;
  pen.fillRect(0, 0, width, height);
  const y = (t) => (view.scale.y(t) / view.scale.height) * height;
  for (const { fault, at, until } of view.shown.faults) {
    pen.globalAlpha = fault.what === "link" || fault.what === "latency" ? 0.1 : 0.4;
    pen.fillStyle = fault.what === "crash" || fault.what === "partition" ? colours.lost : colours.fault;
    pen.fillRect(width - 14, y(at), 14, Math.max(y(until) - y(at), 2));
  }
  pen.globalAlpha = 1;
  const all = new Float64Array(Math.ceil(height) + 1), lost = new Float64Array(all.length);
  for (const { arrow } of view.shown.arrows) (arrow.fate === "lost" ? lost : all)[Math.round(y(arrow.sent[0]))] += arrow.count;
  const most = Math.max(1, ...all);
  for (let row = 0; row < all.length; row++) {
    pen.fillStyle = colours.datagram;
    if (all[row]) pen.fillRect(0, row, 3 + (width - 22) * Math.sqrt(all[row] / most), 1);
    pen.fillStyle = colours.lost;
    if (lost[row]) pen.fillRect(0, row, 3 + (width - 22) * Math.sqrt(Math.min(lost[row] / most, 1)), 1.5);
  }
  pen.fillStyle = colours.bad;
  for (const { at } of items.violations) pen.fillRect(0, y(at) - 1, width, 2.5);
  const top = ($("scroll").scrollTop / view.scale.height) * height;
  const part = Math.min((view.height - HEAD) / view.scale.height, 1) * height;
  pen.fillStyle = pen.strokeStyle = colours.accent;
  pen.globalAlpha = 0.14;
  pen.fillRect(0, top, width, Math.max(part, 3));
  pen.globalAlpha = 1;
  pen.strokeRect(0.5, top + 0.5, width - 1, Math.max(part, 3) - 1);
}
