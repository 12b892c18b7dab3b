"use strict";
// What things are called. Everything that an item is, in words: for the tooltip, the filter and the table alike.

const errors = [];
window.addEventListener("error", (event) => { errors.push(event.message); report(); });

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);

const KINDS = {
  handshake: "QUIC handshake", datagram: "datagram", connect: "connect", stream: "stream bytes", close: "close",
};
const FATES = { arrived: "arrived", twice: "arrived as a second copy", damaged: "arrived damaged", lost: "lost", open: "under way at the end" };
const FAULTS = {
  partition: "cut", hold: "held", crash: "crashed", link: "bad link", latency: "latency",
};

/** Seconds, as finely as `stepUs` asks for. */
function time(us, stepUs = 1) {
  const digits = stepUs >= 1e6 ? 0 : stepUs >= 1e5 ? 1 : stepUs >= 1e4 ? 2 : stepUs >= 1e3 ? 3 : stepUs >= 1e2 ? 4 : 6;
  return (us / 1e6).toFixed(us % 1e3 === 0 ? Math.min(digits, 3) : digits) + " s";
}

/** How long, shortly. */
function span(us) {
  if (us < 1e3) return us + " µs";
  if (us < 1e6) return +(us / 1e3).toFixed(us < 1e4 ? 2 : 1) + " ms";
  if (us < 6e7) return +(us / 1e6).toFixed(us < 1e7 ? 2 : 1) + " s";
  return +(us / 6e7).toFixed(1) + " min";
}

const host = (lane) => (lane === null ? "nobody" : data.hosts[lane]);
const many = (n) => n.toLocaleString("en");
const size = (bytes) => (bytes < 10000 ? many(bytes) + " bytes" : bytes < 1e7 ? many(Math.round(bytes / 1000)) + " kB" : (bytes / 1e6).toFixed(1) + " MB");

/** From and to of a fault: ann ↔ bob. */
function way(fault) {
  return fault.to === null ? host(fault.host) : `${host(fault.host)} ${fault.one_way ? "→" : "↔"} ${host(fault.to)}`;
}

/** Every item has: type, at (µs), title, where, what (one line), facts (for details), words (for the filter). */
function arrowItem(arrow) {
  const { kind, fate, count, bytes, sent, ended } = arrow;
  const facts = [["from", host(arrow.from)], ["to", host(arrow.to)]];
  facts.push(["sent", count > 1 ? `${time(sent[0])} to ${time(sent[1])}` : time(sent[0])]);
  const came = fate !== "lost" && fate !== "open";
  if (ended) facts.push([came ? "arrived" : "noticed", count > 1 ? `${time(ended[0])} to ${time(ended[1])}` : time(ended[0])]);
  if (ended && came && count === 1) facts.push(["took", span(ended[0] - sent[0])]);
  facts.push(["fate", FATES[fate] + (arrow.cause ? `: ${arrow.cause}` : "")]);
  if (bytes) facts.push(["size", size(bytes)]);
  const number = kind === "handshake" || kind === "datagram" ? "number" : kind === "connect" ? "port" : "connection";
  facts.push([count > 1 ? `first ${number}` : number, String(arrow.id)]);
  const what = (bytes ? size(bytes) + ", " : "") + FATES[fate] + (arrow.cause ? `: ${arrow.cause}` : "") +
    (ended && came && count === 1 ? ` after ${span(ended[0] - sent[0])}` : "");
  return {
    type: "arrow", group: kind, at: sent[0], until: Math.max(sent[1], ended ? ended[1] : 0), arrow, facts, what,
    title: (count > 1 ? `${many(count)} × ` : "") + KINDS[kind], where: `${host(arrow.from)} → ${host(arrow.to)}`,
  };
}

function markItem(mark) {
  const facts = [["host", host(mark.host)], ["at", mark.count > 1 ? `${time(mark.at)} to ${time(mark.last)}` : time(mark.at)]];
  if (mark.detail) facts.push([mark.count > 1 ? "first" : "detail", mark.detail]);
  return {
    type: "mark", group: "events", at: mark.at, until: mark.last, mark, facts, where: host(mark.host),
    title: mark.event + (mark.count > 1 ? ` × ${many(mark.count)}` : ""), what: mark.detail, kind: mark.kind,
  };
}

function stayItem(stay) {
  const title = stay.state + (stay.epoch === null ? "" : ` · epoch ${stay.epoch}`);
  const facts = [["host", host(stay.host)], ["from", time(stay.from)], ["to", stay.to === null ? "the end" : time(stay.to)]];
  facts.push(["for", span((stay.to ?? data.end_us) - stay.from)]);
  if (stay.epoch !== null) facts.push(["epoch", String(stay.epoch)]);
  if (stay.life !== null) facts.push(["life", String(stay.life + 1)]);
  return { type: "stay", group: "state", at: stay.from, until: stay.to ?? data.end_us, stay, facts, title, where: host(stay.host), what: "" };
}

function faultItem(fault) {
  const title = FAULTS[fault.what] ?? fault.what;
  const facts = [["where", way(fault)], ["from", time(fault.from)], ["to", fault.until === null ? "the end" : time(fault.until)]];
  facts.push(["for", span((fault.until ?? data.end_us) - fault.from)]);
  if (fault.detail) facts.push(["what", fault.detail]);
  const until = fault.until ?? data.end_us;
  return { type: "fault", group: "faults", at: fault.from, until, fault, facts, title, where: way(fault), what: fault.detail || `for ${span(until - fault.from)}` };
}

function violationItem(violation) {
  const facts = [["at", time(violation.at)], ["host", violation.host === null ? "all" : host(violation.host)], ["seen", violation.text]];
  return {
    type: "violation", group: "violations", at: violation.at, until: violation.at, violation, facts,
    title: violation.invariant, where: violation.host === null ? "" : host(violation.host), what: violation.text,
  };
}
