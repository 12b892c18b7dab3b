// The same in words, for those who cannot or would rather not look at a picture.

const ROWS = 300;
let rowsShown = ROWS;

function fillTable() {
  const rows = view.table.slice(0, rowsShown).map((item) => {
    const row = element("tr", "", item.type === "violation" ? "violation" : item.arrow?.fate === "lost" ? "lost" : "");
    const go = element("button", time(item.at));
    go.type = "button";
    go.addEventListener("click", () => {
      pin(item);
      $("scroll").scrollIntoView({ block: "center" });
      goTo(item.at);
    });
    const when = element("td");
    when.append(go);
    const title = item.type === "violation" ? "violated: " + item.title : item.type === "stay" ? "state: " + item.title : item.title;
    row.append(when, element("td", title), element("td", item.where), element("td", item.what));
    return row;
  });
  $("rows").replaceChildren(...rows);
  const left = view.table.length - rows.length;
  $("more").hidden = left <= 0;
  $("more").textContent = `Show more (${many(left)} left)`;
}

function fillAside() {
  const violations = items.violations.map((item, index) => {
    const entry = element("li"), go = element("button");
    go.type = "button";
    go.append(element("strong", item.title), element("br"), element("span", `${time(item.at)}${item.where ? " on " + item.where : ""}`, "when"));
    go.append(element("br"), element("span", item.what));
    go.addEventListener("click", () => showViolation(index));
    entry.append(go);
    return entry;
  });
  $("violations").replaceChildren(...violations);
  $("violations-box").hidden = violations.length === 0;
  const faults = items.faults.map((item) => {
    const entry = element("li"), go = element("button");
    go.type = "button";
    go.append(element("span", time(item.at) + " ", "when"), element("span", `${item.title}, ${item.where}`));
    go.title = item.what;
    go.addEventListener("click", () => { pin(item); goTo(item.at, 0.2); });
    entry.append(go);
    return entry;
  });
  $("faults").replaceChildren(...(faults.length ? faults : [element("li", "none", "faint")]));
  const legend = [
    ["dashed, ending in ✗", "lost"], ["dash and dot", "a second copy"], ["with a jag", "damaged on the way"],
    ["ending in ○", "under way at the end"], ["broad, with ×n", "so many, close together"],
  ];
  $("legend").replaceChildren(...legend.map(([how, what]) => {
    const entry = element("li");
    entry.append(element("span", how), element("span", " – " + what, "faint"));
    return entry;
  }));
}

function fillHeader() {
  const { figures, violations, hosts, end_us } = data;
  const names = [...new Set(violations.map((violation) => violation.invariant))];
  $("verdict").textContent = violations.length
    ? `✗ ${violations.length === 1 ? "1 violation" : many(violations.length) + " violations"}: ${names.join(", ")}` : "✓ no violation";
  $("verdict").className = violations.length ? "bad" : "good";
  const parts = [
    `${many(hosts.length)} hosts`, `${span(end_us)} simulated`, `${many(figures.sent)} messages`, `${many(figures.lost)} lost`,
    `${many(figures.twice)} doubled`, `${many(figures.damaged)} damaged`, `${many(figures.records)} records`,
  ];
  if (figures.pause_us) parts.push(`pauses up to ${span(figures.pause_us)} joined: ${many(data.arrows.length)} arrows`);
  if (figures.missing) parts.push(`${many(figures.missing)} records missing here`);
  if (figures.marks_left_out) parts.push(`${many(figures.marks_left_out)} events left out`);
  $("figures").textContent = parts.join(" · ");
  $("figures").title = "Fingerprint: " + figures.fingerprint;
  $("next").hidden = violations.length === 0;
}

function fillKinds() {
  const groups = { ...KINDS, events: "events", faults: "faults" };
  const counts = {};
  for (const item of [...items.arrows, ...items.marks, ...items.faults]) {
    counts[item.group] = (counts[item.group] ?? 0) + (item.arrow?.count ?? 1);
  }
  const buttons = Object.entries(groups).filter(([group]) => counts[group]).map(([group, name]) => {
    const button = element("button", "");
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    const swatch = element("span", "", "swatch");
    swatch.style.background = `var(--${group === "events" ? "ink" : group === "faults" ? "fault" : group})`;
    button.append(swatch, `${name} ${many(counts[group])}`);
    button.addEventListener("click", () => {
      const isOn = view.hidden.delete(group);
      if (!isOn) view.hidden.add(group);
      button.setAttribute("aria-pressed", String(isOn));
      refilter();
    });
    return button;
  });
  $("kinds").replaceChildren(...buttons);
}
