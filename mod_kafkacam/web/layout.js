/* Where n pictures go so that they are as large as possible. Pure: aspects in, boxes out. */

/* Equal cells, cols of them side by side; the last row stands in the middle. */
function grid(aspects, W, H, gap, cols) {
  const n = aspects.length, rows = Math.ceil(n / cols);
  const w = (W - gap * (cols - 1)) / cols;
  const tallest = w / Math.min(...aspects);
  const h = Math.min((H - gap * (rows - 1)) / rows, tallest);
  const sizes = aspects.map(a => ({ w: Math.min(w, h * a), h: Math.min(h, w / a) }));
  const cell = Math.max(...sizes.map(s => s.w));
  const boxes = sizes.map((s, i) => {
    const row = Math.floor(i / cols), inRow = row < rows - 1 ? cols : n - cols * (rows - 1);
    const left = (W - inRow * cell - gap * (inRow - 1)) / 2;
    return {
      x: left + (i % cols) * (cell + gap) + (cell - s.w) / 2,
      y: (H - rows * h - gap * (rows - 1)) / 2 + row * (h + gap) + (h - s.h) / 2, ...s,
    };
  });
  return { boxes, height: rows * h + gap * (rows - 1) };
}

/* Rows of one height each and full width, like lines of text: good for mixed aspects. */
function lines(aspects, W, H, gap, rows) {
  const target = aspects.reduce((a, b) => a + b) / rows;
  const split = [[]];
  let sum = 0;
  aspects.forEach((a, i) => {
    const row = split.at(-1);
    if (row.length && split.length < rows && sum + a / 2 > target * split.length) split.push([i]);
    else row.push(i);
    sum += a;
  });
  const full = split.map(row => (W - gap * (row.length - 1)) / row.reduce((s, i) => s + aspects[i], 0));
  const room = H - gap * (split.length - 1);
  const scale = Math.min(1, room / full.reduce((a, b) => a + b));
  const boxes = [];
  let y = (room - scale * full.reduce((a, b) => a + b)) / 2;
  split.forEach((row, r) => {
    const h = full[r] * scale;
    let x = (W - gap * (row.length - 1) - h * row.reduce((s, i) => s + aspects[i], 0)) / 2;
    for (const i of row) {
      boxes[i] = { x, y, w: h * aspects[i], h };
      x += h * aspects[i] + gap;
    }
    y += h + gap;
  });
  return { boxes, height: H };
}

const area = ({ boxes }) => boxes.reduce((sum, b) => sum + Math.max(0, b.w) * Math.max(0, b.h), 0);

/* Boxes for pictures of these aspects (width / height) in a window of W x H, gap between them.
 * cols 0: whatever shows most. Where a tile would get narrower than least, the page gets longer
 * than the window instead: {boxes, height}. All in CSS pixels. */
export function arrange(aspects, W, H, { gap = 2, cols = 0, least = 0 } = {}) {
  const n = aspects.length;
  if (!n) return { boxes: [], height: 0 };
  if (cols) return fixed(aspects, W, H, gap, Math.min(cols, n), true);
  let best = null;
  const consider = it => { if (!best || area(it) > area(best) * 1.001) best = it; };
  for (let c = 1; c <= n; c++) consider(grid(aspects, W, H, gap, c));
  if (Math.max(...aspects) > 1.05 * Math.min(...aspects)) {
    for (let r = 1; r <= n; r++) consider(lines(aspects, W, H, gap, r));
  }
  const widest = Math.max(...best.boxes.map(b => b.w));
  if (widest < least) {
    return fixed(aspects, W, H, gap, Math.max(1, Math.min(n, Math.floor((W + gap) / (least + gap)))), false);
  }
  return best;
}

/* This many columns; what does not fit is scrolled to, unless shrink. */
function fixed(aspects, W, H, gap, cols, shrink) {
  const rows = Math.ceil(aspects.length / cols);
  const w = (W - gap * (cols - 1)) / cols;
  const need = rows * w / Math.min(...aspects) + gap * (rows - 1);
  return grid(aspects, W, shrink ? H : Math.max(H, need), gap, cols);
}
