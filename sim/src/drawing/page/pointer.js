// What the pointer is at, and what is told of it.

/** The distance of a point from a line between two others. */
function distance(x, y, x0, y0, x1, y1) {
  const square = (x1 - x0) ** 2 + (y1 - y0) ** 2;
  const part = square ? Math.max(0, Math.min(1, ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / square)) : 0;
  return Math.hypot(x - x0 - part * (x1 - x0), y - y0 - part * (y1 - y0));
}

function reach(place, x, y) {
  if (place.point) return Math.max(0, Math.hypot(x - place.point[0], y - place.point[1]) - 3);
  if (place.box) {
    const [left, top, width, height] = place.box;
    const isIn = x >= left && x <= left + width && y >= top - 2 && y <= top + height + 2;
    // Bands and bars are behind everything else.
    return isIn ? (place.item.type === "fault" ? 5.5 : place.item.type === "stay" ? 5 : 0) : Infinity;
  }
  const { x0, x1, y0, y1, y0b, y1b } = place.at;
  const part = (x - x0) / (x1 - x0 || 1);
  if (place.item.arrow.count > 1 && part >= 0 && part <= 1) {
    const [low, high] = [y0 + part * (y1 - y0), y0b + part * (y1b - y0b)];
    if (y >= low && y <= high) return 1;
  }
  return Math.min(distance(x, y, x0, y0, x1, y1), distance(x, y, x0, y0b, x1, y1b));
}

function itemAt(x, y) {
  if (y < HEAD || x < AXIS) return null;
  let best = null, least = 6;
  for (const place of places) {
    const far = reach(place, x, y);
    if (far <= least) [best, least] = [place.item, far];
  }
  return best;
}

function hover(event) {
  const box = canvas.getBoundingClientRect();
  const item = itemAt(event.clientX - box.left, event.clientY - box.top);
  if (item !== view.hover) {
    view.hover = item;
    redraw();
    if (!view.pinned) details(item);
  }
  const tip = $("tip");
  tip.hidden = !item;
  if (!item) return;
  tip.replaceChildren(element("strong", item.title), element("span", `${item.where} at ${time(item.at)}`));
  if (item.what) tip.append(element("br"), element("span", item.what.slice(0, 240)));
  const isRight = event.clientX > window.innerWidth / 2, isLow = event.clientY > window.innerHeight / 2;
  tip.style.left = isRight ? "auto" : event.clientX + 16 + "px";
  tip.style.right = isRight ? window.innerWidth - event.clientX + 16 + "px" : "auto";
  tip.style.top = isLow ? "auto" : event.clientY + 12 + "px";
  tip.style.bottom = isLow ? window.innerHeight - event.clientY + 12 + "px" : "auto";
}

function unhover() {
  view.hover = null;
  $("tip").hidden = true;
  if (!view.pinned) details(null);
  redraw();
}

function pin(item) {
  view.pinned = item;
  details(item);
  redraw();
}

function details(item) {
  const box = $("details");
  if (!item) return box.replaceChildren(element("p", "Point at something; click to keep it here.", "faint"));
  const list = element("dl");
  for (const [name, value] of item.facts) list.append(element("dt", name), element("dd", value, value.length > 200 ? "long" : ""));
  box.replaceChildren(element("strong", item.title), list);
}

function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}
