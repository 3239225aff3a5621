/* Where boxes stand and how links run, in pixels: time to the right, layers upward. */

const Layout = (() => {
  const STEP = 104,
    FOLD = 96,
    GAP = 46;
  const OP = { width: 78, height: 38, gapX: 30, gapY: 12 };
  const INSET = { side: 14, top: 24, bottom: 14 };
  const LEAF = { height: 25, gap: 6 };
  const BAR = 34,
    ROW_GAP = 26,
    BAND = 13,
    BUS = 9,
    MARGIN = 8;
  const STATE = 31,
    HEADING = 20,
    SYMBOLS = 26;

  const letters = (text, size = 6.3) => text.length * size;

  function stepHeight(box) {
    return box.states.length ? HEADING + box.states.length * STATE + 3 : 44;
  }

  function leafTitle(box) {
    const node = box.nodes[0];
    const parts = (node.name || "constant").split(".");
    // Without the modules around: "W_hh.weight" of "recurrent.l0.W_hh.weight_l0".
    return parts
      .slice(-2)
      .join(".")
      .replace(/_l\d+(_reverse)?$/, "");
  }

  function arrange(folded, symbols) {
    const { boxes, rows, columns } = folded;
    const leaves = rows.map(() => []);
    for (const box of boxes)
      if (box.kind === "parameter" || box.kind === "constant") leaves[box.row].push(box);
    const every = leaves.flat();
    for (const leaf of every) leaf.title = leafTitle(leaf);
    const leafWidth = Math.max(
      0,
      ...every.map(
        (leaf) => letters(leaf.title) + letters(Page.shape(leaf.nodes[0].slots[0].shape), 5.4) + 24,
      ),
    );
    const titles = Math.max(
      0,
      ...rows.map((row) => (row.over_time ? letters(row.title || "loop", 7) : 0)),
    );
    const left = MARGIN + Math.max(every.length ? leafWidth + 30 : 0, titles + 8);
    for (const box of boxes) if (box.inside) inner(box, folded.links);

    let x = left + BAND;
    const spans = columns.map((column, i) => {
      const own = boxes.filter((box) => box.column === i && box.inside).map((box) => box.width);
      const width = Math.max(column.folded ? FOLD : STEP, ...own);
      const span = { x, width, middle: x + width / 2 };
      x += width + GAP;
      return span;
    });
    const right = (columns.length ? x - GAP : left + 420) + BAND;

    let y = MARGIN + (symbols ? SYMBOLS : 6);
    const bands = [],
      buses = new Map();
    for (let row = rows.length - 1; row >= 0; row--) {
      const own = boxes.filter((box) => box.row === row);
      const stack = leaves[row].length * (LEAF.height + LEAF.gap) - LEAF.gap;
      const busy = rows[row].over_time ? leaves[row] : [];
      const steps = own.filter((box) => box.kind === "step" || box.kind === "fold");
      const tall = Math.max(0, ...steps.map((box) => (box.inside ? box.height : stepHeight(box))));
      const height = rows[row].over_time
        ? Math.max(tall + 2 * BAND + 14 + busy.length * BUS, stack + 32)
        : Math.max(BAR, stack);
      if (rows[row].over_time) {
        bands.push({ row, x: left, y, width: right - left, height });
        busy.forEach((leaf, i) =>
          buses.set(leaf.key, y + height - (busy.length - i - 0.3) * BUS - 2),
        );
      }
      for (const box of steps) {
        const span = spans[box.column];
        const own = box.inside ? box.height : stepHeight(box);
        const width = box.inside ? box.width : box.kind === "fold" ? FOLD : STEP;
        const free = height - 2 * BAND - 14 - busy.length * BUS;
        place(box, span.middle - width / 2, y + BAND + 14 + (free - own) / 2, width, own);
        for (const op of box.inside || [])
          place(op, box.x + op.at.x, box.y + op.at.y, OP.width, OP.height);
      }
      for (const box of own.filter((b) => b.kind === "bar"))
        place(box, left, y + (height - BAR) / 2, right - left, BAR);
      let at = y + (height - stack) / 2;
      if (rows[row].over_time) at = Math.max(y + 7, y + height - stack - 7);
      for (const leaf of leaves[row]) {
        place(leaf, MARGIN, at, leafWidth, LEAF.height);
        at += LEAF.height + LEAF.gap;
      }
      y += height + ROW_GAP;
    }
    const height = y - ROW_GAP + (symbols ? SYMBOLS : 6) + MARGIN;
    const found = {
      width: right + MARGIN,
      height,
      margin: MARGIN,
      left,
      right,
      spans,
      bands,
      buses,
    };
    for (const link of folded.links) link.route = route(link, found, boxes);
    return found;
  }

  function place(box, x, y, width, height) {
    Object.assign(box, { x, y, width, height, cx: x + width / 2, cy: y + height / 2 });
  }

  /** Operations of a step in columns by depth; long links get a way point in each between. */
  function inner(box, links) {
    const own = new Set(box.inside);
    const depth = new Map(),
      takes = new Map(box.inside.map((op) => [op, []]));
    for (const link of links)
      if (own.has(link.from) && own.has(link.to)) takes.get(link.to).push(link.from);
    for (const op of box.inside)
      depth.set(op, 1 + Math.max(-1, ...takes.get(op).map((source) => depth.get(source))));
    const last = Math.max(...depth.values());
    const levels = Array.from({ length: last + 1 }, () => []);
    for (const op of box.inside) levels[depth.get(op)].push({ op, height: OP.height, before: [] });
    const item = (op) => levels[depth.get(op)].find((found) => found.op === op);
    for (const link of links) {
      const [inFrom, inTo] = [own.has(link.from), own.has(link.to)];
      if ((!inFrom && !inTo) || (!(inFrom && inTo) && link.kind !== "time")) continue;
      link.ways = link.ways || [];
      let before = inFrom ? item(link.from) : null;
      const end = inTo ? depth.get(link.to) : last + 1;
      for (let level = inFrom ? depth.get(link.from) + 1 : 0; level < end; level++) {
        const point = { link, level, height: 3, before: before ? [before] : [] };
        levels[level].push(point);
        before = point;
      }
      if (inTo && before) item(link.to).before.push(before);
    }
    const total = (level) => level.reduce((sum, found) => sum + found.height + OP.gapY, -OP.gapY);
    const tall = Math.max(...levels.map(total));
    for (const [number, level] of levels.entries()) {
      for (const found of level) {
        const ys = found.before.map((source) => source.y + source.height / 2);
        found.wish = ys.length
          ? ys.reduce((a, b) => a + b) / ys.length
          : found.op
            ? INSET.top + tall / 2
            : INSET.top;
      }
      level.sort((a, b) => a.wish - b.wish);
      const size = total(level);
      const centre = level.reduce((sum, found) => sum + found.wish, 0) / Math.max(level.length, 1);
      let y = INSET.top + Math.min(Math.max(centre - INSET.top - size / 2, 0), tall - size);
      const x = INSET.side + number * (OP.width + OP.gapX);
      for (const found of level) {
        found.y = y;
        if (found.op) found.op.at = { x, y };
        else found.link.ways.push({ box, x, y: y + 1.5 });
        y += found.height + OP.gapY;
      }
    }
    box.width = (last + 1) * (OP.width + OP.gapX) - OP.gapX + 2 * INSET.side;
    box.height = tall + INSET.top + INSET.bottom;
  }

  /** Height at which a state leaves or enters a box that shows it. */
  function port(box, link) {
    const names = [...link.values].map((slot) => slot.node.label || slot.node.name);
    const index = box.states.findIndex((state) => names.includes(state.name));
    return index < 0 ? box.cy : box.y + HEADING + index * STATE + 6;
  }

  const curve = (a, b) => {
    const bend = Math.max(14, Math.abs(b.x - a.x) / 2);
    return `C${a.x + bend},${a.y} ${b.x - bend},${b.y} ${b.x},${b.y}`;
  };

  /** The path of a link, where its ends are, which way they point, and where a label may stand. */
  function route(link, layout, boxes) {
    const { from, to, kind } = link;
    const up = { angle: -90 },
      rightward = { angle: 0 };
    if (from.kind === "parameter" || from.kind === "constant") {
      const bus = layout.buses.get(from.key);
      if (to.kind === "bar" || bus === undefined) {
        const bars = {
          x: to.kind === "bar" ? to.x : to.cx,
          y:
            to.kind === "bar"
              ? Math.min(Math.max(from.cy, to.y + 5), to.y + to.height - 5)
              : to.y + to.height,
        };
        const start = { x: from.x + from.width, y: from.cy };
        return {
          path: `M${start.x},${start.y}${curve(start, bars)}`,
          start: { ...start, ...rightward },
          end: { ...bars, ...rightward },
        };
      }
      // From the line that runs below all steps of the layer, straight up into the step.
      const order = [...layout.buses.keys()].indexOf(from.key);
      const x = to.cx + ((order % 8) + (order % 8 > 3 ? 1 : 0) - 4) * 8.5;
      const end = { x, y: to.y + to.height, ...up };
      return { path: `M${x},${bus}V${end.y}`, start: { x, y: bus, ...up }, end, bus };
    }
    if (
      kind === "time" ||
      (from.kind === "operation" && to.kind === "operation" && from.parent === to.parent)
    ) {
      const forward = from.x <= to.x;
      const start = { x: forward ? from.x + from.width : from.x, y: port(from, link) };
      const end = { x: forward ? to.x : to.x + to.width, y: port(to, link) };
      if (from.kind !== "operation" && from.kind !== "step" && from.kind !== "fold")
        start.y = from.cy;
      const angle = forward ? 0 : 180;
      const inTime = kind === "time";
      if (inTime && forward && to.column - from.column > 1 && !(link.ways || []).length) {
        const top = Math.min(from.y, to.y) - 12;
        return {
          path:
            `M${start.x},${start.y}` +
            `C${start.x + 40},${start.y} ${start.x + 10},${top} ${start.x + 50},${top}` +
            `H${end.x - 50}C${end.x - 10},${top} ${end.x - 40},${end.y} ${end.x},${end.y}`,
          start: { ...start, angle },
          end: { ...end, angle },
          middle: { x: (start.x + end.x) / 2, y: top },
        };
      }
      let path = `M${start.x},${start.y}`;
      let at = start,
        middle = null;
      for (const way of (link.ways || [])
        .map((w) => ({ x: w.box.x + w.x, y: w.box.y + w.y }))
        .sort((a, b) => a.x - b.x)) {
        if (way.x < at.x) continue;
        path += curve(at, way) + `h${OP.width}`;
        at = { x: way.x + OP.width, y: way.y };
      }
      path += forward
        ? curve(at, end)
        : `C${at.x - 20},${at.y} ${end.x + 20},${end.y} ${end.x},${end.y}`;
      // A cut is marked in the gap between two columns.
      if (inTime) {
        const edge = from.parent || from;
        const x =
          (forward
            ? edge.x + edge.width + (to.parent || to).x
            : edge.x + (to.parent || to).x + (to.parent || to).width) / 2;
        middle = {
          x,
          y:
            from.parent && !to.parent
              ? end.y
              : to.parent && !from.parent
                ? start.y
                : (start.y + end.y) / 2,
        };
      }
      return { path, start: { ...start, angle }, end: { ...end, angle }, middle };
    }
    if (from.kind === "bar" && to.kind === "bar") {
      const x = layout.spans.length ? layout.spans.map((span) => span.middle) : [from.cx];
      const path = x.map((one) => `M${one},${from.y}V${to.y + to.height}`).join("");
      return {
        path,
        start: { x: x[0], y: from.y, ...up },
        end: { x: x[0], y: to.y + to.height, ...up },
        lanes: x,
      };
    }
    const column = from.column ?? to.column;
    const base = column === null ? from.cx : (from.column === null ? to : from).cx;
    const down = from.y < to.y;
    const start = {
      x: from.column === null ? base : from.cx,
      y: down ? from.y + from.height : from.y,
    };
    const end = { x: to.column === null ? base : to.cx, y: down ? to.y : to.y + to.height };
    const angle = down ? 90 : -90;
    const half = (start.y + end.y) / 2;
    const [low, high] = [Math.min(from.row, to.row), Math.max(from.row, to.row)];
    const passed = boxes.some(
      (box) => column !== null && box.column === column && box.row > low && box.row < high,
    );
    if (passed && to.kind === "bar") {
      // Beside the layers between, so that it does not seem to lead there.
      const x = layout.spans[column].x + layout.spans[column].width + GAP * 0.36;
      const turn = start.y + (down ? 30 : -30);
      return {
        path: `M${start.x},${start.y}C${start.x},${turn} ${x},${start.y} ${x},${turn}V${end.y}`,
        start: { ...start, angle },
        end: { x, y: end.y, angle },
      };
    }
    return {
      path:
        start.x === end.x
          ? `M${start.x},${start.y}V${end.y}`
          : `M${start.x},${start.y}C${start.x},${half} ${end.x},${half} ${end.x},${end.y}`,
      start: { ...start, angle },
      end: { ...end, angle },
    };
  }

  return { arrange, STATE, HEADING };
})();
