// What is shown: items, filter, zoom, and where the view is.

const items = {
  arrows: data.arrows.map(arrowItem),
  marks: data.marks.map(markItem),
  stays: data.stays.map(stayItem),
  faults: data.faults.map(faultItem),
  violations: data.violations.map(violationItem),
};
for (const item of Object.values(items).flat()) {
  item.words = [item.type, item.group, item.kind ?? "", item.title, item.where, item.what, item.arrow ? item.arrow.fate : ""]
    .join(" ").toLowerCase();
}

/** How long arrows take, as a rule. */
const usual = (() => {
  const all = data.arrows.filter((a) => a.ended && a.fate !== "lost").map((a) => a.ended[0] - a.sent[0]).sort((a, b) => a - b);
  return all.length ? Math.max(all[all.length >> 1], 100) : 1000;
})();

const view = {
  pxPerUs: 0.01, squeeze: true, hidden: new Set(), filter: "", shown: items, scale: null, laneWidth: 0,
  width: 0, height: 0, hover: null, pinned: null, violation: -1,
};
const AXIS = 78, HEAD = 34, TALLEST = 8e6;
const CLOSEST = 0.2; // Pixels a microsecond.

/** All words must be there; those with a minus must not. */
function matches(item, words) {
  if (view.hidden.has(item.group)) return false;
  return words.every((word) => (word[0] === "-" && word.length > 1 ? !item.words.includes(word.slice(1)) : item.words.includes(word)));
}

function applyFilter() {
  const words = view.filter.toLowerCase().split(/\s+/).filter((word) => word && word !== "-");
  const pass = (list) => list.filter((item) => matches(item, words));
  // States and violations are where everything else is seen against.
  view.shown = { ...items, arrows: pass(items.arrows), marks: pass(items.marks), faults: view.hidden.has("faults") ? [] : items.faults };
  view.table = Object.values(items).flatMap(pass).sort((a, b) => a.at - b.at);
}

/** The moments at which something that is shown happens. */
function knots() {
  const all = new Set([0, data.end_us]);
  for (const { arrow } of view.shown.arrows) {
    all.add(arrow.sent[0]).add(arrow.sent[1]);
    if (arrow.ended && arrow.fate !== "lost") all.add(arrow.ended[0]).add(arrow.ended[1]);
  }
  for (const item of [...view.shown.marks, ...items.stays, ...view.shown.faults, ...items.violations]) all.add(item.at).add(item.until);
  return [...all].sort((a, b) => a - b);
}

function rescale(pxPerUs) {
  const moments = knots();
  const end = Math.max(data.end_us, 1);
  view.pxPerUs = Math.min(Math.max(pxPerUs, (view.height - HEAD) / end / 4), CLOSEST);
  view.scale = makeScale(moments, view.pxPerUs, view.squeeze);
  while (view.scale.height > TALLEST) {
    view.pxPerUs /= 1.5;
    view.scale = makeScale(moments, view.pxPerUs, view.squeeze);
  }
}

/** So large that neighbours can be told apart, and not larger. */
function readable() {
  const arrows = view.shown.arrows.length;
  return closestTo(Math.min(Math.max(arrows * 24, view.height), 40000), 24 / usual);
}

/** Everything at once. */
const fitting = () => closestTo(view.height - HEAD, CLOSEST);

/** The largest zoom at which the picture is not taller than this. One after the other: squeezed pauses make it jump. */
function closestTo(height, most) {
  const moments = knots();
  let zoom = most;
  while (zoom > 1e-9 && makeScale(moments, zoom, view.squeeze).height > height) zoom /= 1.15;
  return zoom;
}

/** Sizes everything anew, and keeps the moment `at` (µs) at the same height, or puts it at `part` of the height. */
function relayout(pxPerUs, at = null, part = null) {
  const scroll = $("scroll");
  const keep = at ?? (view.scale ? view.scale.t(scroll.scrollTop + (view.height - HEAD) / 2) : 0);
  const from = view.scale && part === null ? view.scale.y(keep) - scroll.scrollTop : (view.height - HEAD) * (part ?? 0) + MARGIN;
  view.width = scroll.clientWidth;
  view.height = scroll.clientHeight;
  rescale(pxPerUs);
  const lanes = data.hosts.length || 1;
  view.laneWidth = Math.max(170, (view.width - AXIS) / lanes);
  // The canvas is as large as the window onto the room, and stays in it.
  $("room").style.height = Math.max(view.scale.height + HEAD, view.height) + "px";
  $("room").style.width = AXIS + view.laneWidth * lanes + "px";
  scroll.scrollTop = view.scale.y(keep) - from;
  redraw();
}

function goTo(at, part = 0.4) {
  $("scroll").scrollTop = view.scale.y(at) - (view.height - HEAD) * part;
  redraw();
}
