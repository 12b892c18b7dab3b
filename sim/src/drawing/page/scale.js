// Time to pixels and back. Times in which nothing happens take little room, if they are to.

const BREAK_FROM = 96; // A pause that would take so many pixels is shortened
const BREAK_TO = 38; //   to so many.
const MARGIN = 22; // Above the first and below the last moment.

/** `knots` are the moments at which something happens, in order and without doubles. */
function makeScale(knots, pxPerUs, squeeze) {
  const ts = [knots[0]], ys = [MARGIN], breaks = [];
  let y = MARGIN;
  for (let i = 1; i < knots.length; i++) {
    const px = (knots[i] - knots[i - 1]) * pxPerUs;
    const isBreak = squeeze && px > BREAK_FROM;
    const top = y;
    y += isBreak ? BREAK_TO : px;
    if (isBreak) {
      if (ts[ts.length - 1] !== knots[i - 1]) { ts.push(knots[i - 1]); ys.push(top); }
      breaks.push({ from: knots[i - 1], to: knots[i], top, bottom: y });
    }
    if (isBreak || i === knots.length - 1) { ts.push(knots[i]); ys.push(y); }
  }
  return {
    pxPerUs, breaks, ts, ys, height: y + MARGIN,
    y: (t) => between(ts, ys, t),
    t: (at) => between(ys, ts, at),
  };
}

/** Interpolates; goes on in a straight line outside. */
function between(from, to, value) {
  const last = from.length - 1;
  if (last < 1) return to[0] + (value - from[0]);
  let low = 0, high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (from[middle] <= value) low = middle; else high = middle;
  }
  const width = from[high] - from[low];
  return width > 0 ? to[low] + ((value - from[low]) * (to[high] - to[low])) / width : to[high];
}

/** The largest of 1, 2, 5, 10, ... microseconds that `least` fits into. */
function niceStep(least) {
  let step = 1;
  for (;;) {
    for (const factor of [1, 2, 5]) if (step * factor >= least) return step * factor;
    step *= 10;
  }
}

/** Moments to write at the axis, for what is between two heights. */
function ticks(scale, top, bottom, apart) {
  const step = niceStep(apart / scale.pxPerUs);
  const out = [];
  let free = -Infinity;
  for (let i = 1; i < scale.ts.length; i++) {
    const [y0, y1] = [scale.ys[i - 1], scale.ys[i]];
    if (y1 < top || y0 > bottom) continue;
    const isBreak = scale.breaks.some((pause) => pause.from === scale.ts[i - 1] && pause.to === scale.ts[i]);
    const add = (t) => {
      const y = scale.y(t);
      if (y >= free) { out.push({ t, y, step }); free = y + 17; }
    };
    add(scale.ts[i - 1]);
    if (isBreak) continue;
    const first = Math.max(scale.ts[i - 1], scale.t(Math.max(y0, top)));
    const end = Math.min(scale.ts[i], scale.t(Math.min(y1, bottom)));
    for (let t = Math.ceil(first / step) * step; t <= end; t += step) add(t);
  }
  return out;
}
