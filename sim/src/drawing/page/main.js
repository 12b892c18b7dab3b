// Wires it all up.

function refilter() {
  rowsShown = ROWS;
  applyFilter();
  const all = items.arrows.length + items.marks.length;
  const shown = view.shown.arrows.length + view.shown.marks.length;
  $("shown").textContent = shown === all ? "" : `${many(shown)} of ${many(all)} arrows and events`;
  fillTable();
  relayout(view.pxPerUs);
}

function showViolation(index) {
  if (!items.violations.length) return;
  view.violation = (index + items.violations.length) % items.violations.length;
  const item = items.violations[view.violation];
  document.querySelectorAll("#violations button").forEach((button, n) => button.setAttribute("aria-current", String(n === view.violation)));
  pin(item);
  goTo(item.at, 0.66);
}

const zoom = (factor, at = null) => relayout(view.pxPerUs * factor, at);
const fit = () => relayout(fitting(), 0, 0);

function squeeze() {
  view.squeeze = !view.squeeze;
  $("squeeze").setAttribute("aria-pressed", String(view.squeeze));
  relayout(view.pxPerUs);
}

const THEMES = ["system", "light", "dark"];
function theme(name) {
  document.documentElement.dataset.theme = name;
  $("theme").textContent = "Theme: " + name;
  readColours();
  redraw();
}

const KEYS = {
  "/": () => $("filter").focus(),
  "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: fit, s: squeeze,
  n: () => showViolation(view.violation + 1), N: () => showViolation(view.violation - 1),
  Escape: () => pin(null),
};

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === $("filter")) {
    if (event.key !== "Escape") return;
    $("filter").value = view.filter = "";
    refilter();
    $("scroll").focus();
    return;
  }
  const act = KEYS[event.key];
  if (act) {
    act();
    event.preventDefault();
  }
}

/** `#t=SECONDS&zoom=PIXELS_A_MS&fit&filter=WORDS&theme=dark`: a link to a place in the picture. */
function fromAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  if (asked.has("theme")) theme(THEMES.includes(asked.get("theme")) ? asked.get("theme") : "system");
  if (asked.has("filter")) {
    $("filter").value = view.filter = asked.get("filter");
    refilter();
  }
  if (asked.has("fit")) fit();
  if (Number(asked.get("zoom")) > 0) relayout(Number(asked.get("zoom")) / 1000);
  if (asked.has("t")) goTo(Number(asked.get("t")) * 1e6 || 0, 0.1);
  return asked.has("fit") || asked.has("t");
}

/** Says at the foot of the page what was drawn: for people, and for tests that read the page. */
function report() {
  const status = $("status");
  status.dataset.errors = errors.length;
  if (errors.length) {
    status.textContent = "Errors in the script: " + errors.join("; ");
    return;
  }
  Object.assign(status.dataset, {
    hosts: data.hosts.length, arrows: items.arrows.length, placed: placed(), drawn: view.drawn, lost: data.figures.lost,
    faults: items.faults.length, violations: items.violations.length, rows: $("rows").childElementCount,
  });
  status.textContent = `${many(items.arrows.length)} arrows, ${many(view.drawn)} of them in sight.`;
}

function drag(event) {
  if (!(event.buttons & 1)) return;
  const box = $("map").getBoundingClientRect();
  $("scroll").scrollTop = ((event.clientY - box.top) / box.height) * view.scale.height - (view.height - HEAD) / 2;
}

$("filter").addEventListener("input", () => { view.filter = $("filter").value; refilter(); });
$("in").addEventListener("click", () => zoom(1.5));
$("out").addEventListener("click", () => zoom(1 / 1.5));
$("fit").addEventListener("click", fit);
$("squeeze").addEventListener("click", squeeze);
$("next").addEventListener("click", () => showViolation(view.violation + 1));
$("theme").addEventListener("click", () => theme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]));
$("more").addEventListener("click", () => { rowsShown += 2000; fillTable(); });
$("map").addEventListener("pointerdown", drag);
$("map").addEventListener("pointermove", drag);
$("scroll").addEventListener("scroll", redraw);
canvas.addEventListener("pointermove", hover);
canvas.addEventListener("pointerleave", unhover);
canvas.addEventListener("click", () => pin(view.hover));
canvas.addEventListener("wheel", (event) => {
  if (!event.ctrlKey) return;
  event.preventDefault();
  zoom(event.deltaY < 0 ? 1.25 : 0.8, view.scale.t(event.offsetY - HEAD + $("scroll").scrollTop));
}, { passive: false });
document.addEventListener("keydown", key);
window.addEventListener("resize", () => relayout(view.pxPerUs));
window.addEventListener("hashchange", fromAddress);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); redraw(); });

theme("system");
fillHeader();
fillAside();
fillKinds();
applyFilter();
fillTable();
// Twice: how large the view is decides how large everything is.
relayout(view.pxPerUs, 0, 0);
relayout(readable(), 0, 0);
if (!fromAddress() && items.violations.length) showViolation(0);
draw();
