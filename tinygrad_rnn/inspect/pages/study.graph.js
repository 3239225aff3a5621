/* The data of a run as records, and folded to boxes and links: one box a layer and time step. */

const Graph = (() => {
  /** Turn the columns of a run into nodes and edges that know each other; done once a run. */
  function open(run) {
    const text = (column, i) => run.texts[run.nodes[column][i]];
    const nodes = run.nodes.kind.map((_, id) => ({
      id,
      kind: text("kind", id),
      name: text("name", id),
      label: text("label", id),
      path: text("path", id),
      layer: text("layer", id),
      file: text("file", id),
      code: text("code", id),
      dtype: text("dtype", id),
      step: run.nodes.step[id],
      row: run.nodes.row[id],
      line: run.nodes.line[id],
      output: Boolean(run.nodes.output[id]),
      slots: [],
      takes: [],
      gives: [],
    }));
    run.slots.node.forEach((id, place) => {
      nodes[id].slots.push({
        place,
        node: nodes[id],
        number: run.slots.slot[place],
        shape: run.shapes[run.slots.shape[place]],
        value: run.arrays[run.slots.value[place]],
      });
    });
    const edges = run.edges.source.map((source, index) => ({
      index,
      source: nodes[source],
      slot: run.edges.slot[index],
      target: nodes[run.edges.target[index]],
      tracked: Boolean(run.edges.tracked[index]),
    }));
    for (const edge of edges) {
      edge.target.takes.push(edge);
      edge.source.gives.push(edge);
    }
    // States by layer: where in the graph each one of them stands at each step.
    const states = Object.entries(run.states).map(([full, found]) => {
      const at = full.lastIndexOf(".");
      const places = new Map();
      found.steps.forEach((step, i) => {
        if (found.nodes[i] !== null) places.set(step, nodes[found.nodes[i]].slots[found.slots[i]]);
      });
      return { full, layer: full.slice(0, Math.max(at, 0)), name: full.slice(at + 1), places };
    });
    return { run, nodes, edges, states };
  }

  function titleOf(node) {
    return node.label || node.name || node.kind;
  }

  /** What a node is called in a sentence: "h at t = 2", "W_hh.weight". */
  function nameOf(node) {
    return titleOf(node) + (node.step === null ? "" : ` at t = ${node.step}`);
  }

  /** Time steps that are seen one by one, and those between as one column. */
  function columnsOf(steps, ends, shown) {
    const columns = [];
    let hidden = [];
    const close = () => {
      if (hidden.length) columns.push({ steps: hidden, folded: hidden.length > 1 });
      hidden = [];
    };
    steps.forEach((step, i) => {
      if (i < ends || i >= steps.length - ends || shown.has(step)) {
        close();
        columns.push({ steps: [step], folded: false });
      } else hidden.push(step);
    });
    close();
    return columns;
  }

  function tally(nodes) {
    const counts = new Map();
    for (const { name } of nodes) counts.set(name, (counts.get(name) || 0) + 1);
    return [...counts].map(([name, n]) => (n === 1 ? name : `${name} ×${n}`)).join(", ");
  }

  /** Fold a graph: `shown` are steps to see, `unfolded` boxes ("row:step") to see inside. */
  function fold(graph, ends, shown, unfolded) {
    const { nodes, edges, run } = graph;
    const columns = columnsOf(run.summary.steps, ends, shown);
    const columnOf = new Map();
    columns.forEach((column, i) => column.steps.forEach((step) => columnOf.set(step, i)));
    const boxes = [];
    const byKey = new Map();
    const placed = new Array(nodes.length).fill(null);

    const box = (key, kind, row, column) => {
      if (!byKey.has(key)) {
        byKey.set(key, {
          key,
          kind,
          row,
          column,
          nodes: [],
          inside: null,
          parent: null,
          states: [],
        });
        boxes.push(byKey.get(key));
      }
      return byKey.get(key);
    };
    for (const node of nodes) {
      // What was given without a name, such as a mask or a size, explains nothing.
      if (node.row === null || (node.kind === "constant" && !node.name)) continue;
      if (node.kind !== "operation") {
        const leaf = box(`leaf:${node.id}`, node.kind, node.row, null);
        leaf.nodes.push(node);
        placed[node.id] = leaf;
      } else if (node.step === null) {
        const bar = box(`bar:${node.row}`, "bar", node.row, null);
        bar.nodes.push(node);
        placed[node.id] = bar;
      } else {
        const column = columnOf.get(node.step);
        const folded = columns[column].folded;
        const step = box(
          `${node.row}:${columns[column].steps[0]}`,
          folded ? "fold" : "step",
          node.row,
          column,
        );
        step.nodes.push(node);
        placed[node.id] = step;
        if (!folded && unfolded.has(step.key)) {
          const inner = box(`op:${node.id}`, "operation", node.row, column);
          inner.nodes.push(node);
          inner.parent = step;
          (step.inside ??= []).push(inner);
          placed[node.id] = inner;
        }
      }
    }
    for (const found of boxes) {
      if (found.kind !== "step" && found.kind !== "fold") continue;
      const { layer } = found.nodes[0];
      for (const state of graph.states) {
        if (state.layer !== layer) continue;
        const last = state.places.get(columns[found.column].steps.at(-1));
        if (last && found.nodes.includes(last.node))
          found.states.push({ name: state.name, slot: last });
      }
    }
    return { graph, columns, boxes, links: linksOf(edges, placed), placed, rows: run.rows };
  }

  /** All that passes from one box to another; between time steps one link for each state. */
  function linksOf(edges, placed) {
    const links = new Map();
    for (const edge of edges) {
      const from = placed[edge.source.id];
      const to = placed[edge.target.id];
      if (!from || !to || from === to) continue;
      const inTime = from.column !== null && to.column !== null && from.column !== to.column;
      const kind =
        from.kind === "parameter"
          ? "weight"
          : from.kind === "constant"
            ? "input"
            : inTime
              ? "time"
              : "data";
      const value = kind === "time" ? `>${edge.source.id}.${edge.slot}` : "";
      const key = `${from.key}>${to.key}${value}`;
      if (!links.has(key)) links.set(key, { key, from, to, kind, edges: [], values: new Set() });
      const link = links.get(key);
      link.edges.push(edge);
      link.values.add(edge.source.slots[edge.slot]);
    }
    return [...links.values()];
  }

  /** Boxes in the order in which they are computed; an unfolded step's operations one by one. */
  function order(folded) {
    const moment = (box) => (box.kind === "bar" ? box.nodes.at(-1).id : box.nodes[0].id);
    return folded.boxes
      .filter((box) => !box.inside && box.kind !== "parameter" && box.kind !== "constant")
      .sort((a, b) => moment(a) - moment(b));
  }

  return { open, fold, order, titleOf, nameOf, tally };
})();
