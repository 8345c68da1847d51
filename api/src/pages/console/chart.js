// Small charts: bars drawn as SVG. What they show is also said in words, or in a table beside them.

import { drawn } from "./dom.js";

const WIDTH = 600;

// One bar a step. Of several rows each bar is drawn over the one before; the first is the highest.
export function bars(label, rows, { height = 120 } = {}) {
  const most = Math.max(1, ...rows.flatMap(({ values }) => values));
  const steps = rows[0]?.values.length ?? 1;
  const step = WIDTH / steps;
  const picture = drawn("svg", { viewBox: `0 0 ${WIDTH} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": label });
  for (const part of [0.25, 0.5, 0.75, 1]) {
    const y = height - part * (height - 4);
    picture.append(drawn("line", { class: "grid", x1: 0, x2: WIDTH, y1: y, y2: y }));
  }
  for (const { name, values } of rows) {
    values.forEach((value, at) => {
      const tall = value ? Math.max(2, (value / most) * (height - 4)) : 0;
      const place = { x: at * step + step * 0.12, y: height - tall, width: step * 0.76, height: tall };
      if (tall) picture.append(drawn("rect", { class: name, rx: Math.min(2, step * 0.2), ...place }));
    });
  }
  return picture;
}

export function spark(values) {
  const [width, height] = [120, 28];
  const most = Math.max(1, ...values);
  const at = (value, index) => `${((index / Math.max(1, values.length - 1)) * width).toFixed(1)},${(height - 2 - (value / most) * (height - 4)).toFixed(1)}`;
  const line = values.map(at).join(" ");
  return drawn("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    drawn("polygon", { points: `0,${height} ${line} ${width},${height}` }), drawn("polyline", { points: line }));
}
