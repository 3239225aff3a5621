/* The page itself: what is chosen, the player, and what follows from both. */

(() => {
  const { element, number } = Page;
  const page = Page.data();
  const find = (id) => document.getElementById(id);
  const NARROW = matchMedia("(max-width: 560px)");
  const HUES = 6;

  const chosen = {
    run: 0,
    objective: page.runs[0].variants[0].objective,
    window: 0,
    ends: 3,
    weight: null,
    log: false,
  };
  const shown = new Set(),
    unfolded = new Set();
  const graphs = page.runs.map(() => null);
  let graph, folded, layout, view, events, range;
  let position = 0,
    timer = null,
    pinned = null,
    at = null;
  let markers = [],
    marked = null;

  // ------------------------------------------------------------------ what is chosen

  function variantOf(run) {
    const window = page.windows[chosen.window];
    return (
      run.variants.find((one) => one.objective === chosen.objective && one.window === window) ||
      run.variants.find((one) => one.window === window)
    );
  }

  /** The smallest and largest gradient inside the loops of all models: one scale for all. */
  function rangeOf() {
    let high = 0,
      low = Infinity;
    for (const run of page.runs) {
      const variant =
        run.variants.find((one) => one.objective === chosen.objective && one.window === null) ||
        run.variants[0];
      run.edges.target.forEach((target, i) => {
        const norm = variant.passed[i];
        if (run.nodes.step[target] === null || !(norm > 0)) return;
        high = Math.max(high, norm);
        low = Math.min(low, norm);
      });
    }
    if (!high) return { low: 1e-3, high: 1 };
    return { high, low: Math.min(high * 1e-2, Math.max(low, high * 1e-8)) };
  }

  function look() {
    const variant = variantOf(graph.run);
    const cut = new Set(variant.cut);
    view = {
      variant,
      cut,
      window: page.windows[chosen.window],
      output: graph.run.outputs[variant.objective],
      gradientOf: (slot) => graph.run.arrays[variant.gradient[slot.place]],
      passedAlong: (link) => {
        let sum = 0,
          any = false;
        for (const edge of link.edges) {
          const norm = variant.passed[edge.index];
          if (norm === null) continue;
          if (typeof norm !== "number") return norm;
          any = true;
          sum += norm * norm;
        }
        return any ? Math.sqrt(sum) : null;
      },
      isCut: (link) => link.edges.some((edge) => cut.has(edge.index)),
    };
    range = rangeOf();
  }

  function hueOf(row) {
    const rows = folded.rows.map((one, i) => (one.over_time ? i : -1)).filter((i) => i >= 0);
    return `var(--layer-${Math.max(rows.indexOf(row), 0) % HUES})`;
  }

  // ------------------------------------------------------------------ the graph

  function chooseRun() {
    const i = chosen.run;
    graph = graphs[i] ??= Graph.open(page.runs[i]);
    look();
    build();
    find("about").textContent = [
      page.runs[i].about,
      `${page.runs[i].parameters.toLocaleString("en")} parameters`,
      `${page.runs[i].summary.operations.toLocaleString("en")} operations`,
    ]
      .filter(Boolean)
      .join("; ");
    drawPlots();
  }

  function build() {
    const before = moment();
    const key = at?.key;
    folded = Graph.fold(graph, chosen.ends, shown, unfolded);
    layout = Layout.arrange(folded, page.inputs.length > 0);
    layout.room = find("scroll").clientWidth;
    const svg = Drawing.draw(folded, layout, page, hueOf, (box) =>
      Detail.describe(box, folded, view),
    );
    find("graph").replaceChildren(svg);
    events = Graph.order(folded);
    events.forEach((box, i) => {
      box.forward = i + 1;
      box.backward = 2 * events.length - i;
    });
    for (const box of folded.boxes.filter((one) => one.inside)) {
      box.forward = Math.min(...box.inside.map((op) => op.forward));
      box.backward = Math.min(...box.inside.map((op) => op.backward));
    }
    for (const link of folded.links) {
      link.from.users = (link.from.users || []).concat(link.to);
    }
    for (const box of folded.boxes) {
      if (box.forward === undefined) {
        box.forward = 0;
        box.backward = Math.min(...(box.users || []).map((user) => user.backward));
      }
    }
    find("position").max = 2 * events.length;
    paint();
    at = folded.boxes.find((box) => box.key === key && !box.inside) || events[0];
    at.group.setAttribute("tabindex", 0);
    pinned = pinned && folded.boxes.find((box) => box.key === pinned.key);
    go(positionAt(before), true);
    titles();
  }

  const lastOf = (box) => Math.max(...box.nodes.map((node) => node.id));
  const firstOf = (box) => Math.min(...box.nodes.map((node) => node.id));

  /** How far the player is, in nodes: what is done stays done when a step is unfolded. */
  function moment() {
    if (!events || position === 0) return { backward: false, node: -1 };
    const backward = position > events.length;
    const box = events[backward ? 2 * events.length - position : position - 1];
    return {
      backward,
      node: backward ? firstOf(box) : lastOf(box),
      end: position === 2 * events.length,
    };
  }

  function positionAt({ backward, node, end }) {
    if (end) return 2 * events.length;
    if (backward) return events.length + events.filter((box) => firstOf(box) >= node).length;
    return events.filter((box) => lastOf(box) <= node).length;
  }

  /** Set colours and widths by the gradients of the variant that is chosen. */
  function paint() {
    for (const link of folded.links) {
      const norm = view.passedAlong(link);
      link.norm = norm;
      link.isCut = view.isCut(link);
      Drawing.tint(link.group, Drawing.strength(norm, range));
      if (link.lanes) paintLanes(link);
    }
    for (const box of folded.boxes) {
      for (const { slot, bar, width } of box.amounts || []) {
        const gradient = view.gradientOf(slot);
        const share =
          gradient && gradient[0] !== 0 ? Math.max(Drawing.strength(gradient[0], range), 0.02) : 0;
        bar.setAttribute("width", (share * width).toFixed(1));
        bar.style.setProperty("--s", share.toFixed(3));
      }
      if (box.result)
        box.result.textContent = box.nodes.some((node) => node.id === view.output)
          ? `= ${number(graph.nodes[view.output].slots[0].value?.[3])}`
          : "";
      box.group.setAttribute("aria-label", Detail.describe(box, folded, view));
    }
    find("legend").replaceChildren(
      element("span", { class: "scale" }, [
        `gradient ${number(range.low, 2)}`,
        element("i"),
        number(range.high, 2),
      ]),
      element("span", { class: "scale" }, [
        "value below 0",
        element("i", { class: "values" }),
        "above 0",
      ]),
      view.window ? element("span", { class: "cutnote" }, "✂ cut between windows") : "",
    );
  }

  /** Between what is computed for all steps at once, each step has a line of its own. */
  function paintLanes(link) {
    const places = [...link.values].map((slot) => view.variant.by_step[slot.place]);
    const { steps } = graph.run.summary;
    link.lanes.forEach((lane, i) => {
      const own = folded.columns[i]?.steps || [];
      const norms = places.every(Boolean)
        ? places.flatMap((by) => own.map((step) => by[steps.indexOf(step)]))
        : [link.norm];
      const norm = norms.some((one) => typeof one !== "number")
        ? norms.find((one) => typeof one !== "number")
        : Math.sqrt(norms.reduce((sum, one) => sum + one * one, 0));
      Drawing.tint(lane, Drawing.strength(norm, range));
      lane.classList.toggle("none", !norm);
    });
  }

  const setClass = (item, name) => {
    if (item.shownClass === name) return;
    item.shownClass = name;
    item.group.setAttribute("class", name);
  };

  /** Show the state after `position` events. */
  function update() {
    const total = events.length;
    const backward = position > total;
    const now = position === 0 ? null : events[backward ? 2 * total - position : position - 1];
    for (const box of folded.boxes) {
      const names = ["node", box.kind];
      if (box.kind === "parameter") names.push("leaf");
      if (box.kind === "step" || box.kind === "fold" || box.kind === "operation")
        names.push("over");
      if (box.inside) names.push("container");
      if (position >= box.forward) names.push("done");
      if (position >= box.backward) names.push("back");
      if (box === now) names.push("now", backward ? "backward" : "forward");
      if (box === pinned) names.push("pinned");
      setClass(box, names.join(" "));
    }
    for (const link of folded.links) {
      const names = ["link", link.kind];
      if (position >= link.to.forward) names.push("live");
      if (link.isCut) names.push("cut");
      if (position >= link.to.backward) names.push(link.norm ? "passed" : "silent");
      if (backward && link.to === now) names.push("now");
      setClass(link, names.join(" "));
    }
    return now;
  }

  // ------------------------------------------------------------------ the player

  function go(to, quietly = false) {
    position = Math.min(Math.max(to, 0), 2 * events.length);
    const now = update();
    const slider = find("position");
    slider.value = position;
    slider.setAttribute(
      "aria-valuetext",
      position === 0
        ? "start"
        : position > events.length
          ? `backward ${position - events.length} of ${events.length}`
          : `forward ${position} of ${events.length}`,
    );
    find("previous").disabled = find("first").disabled = position === 0;
    find("next").disabled = find("last").disabled = position === 2 * events.length;
    find("status").replaceChildren(...tell(now));
    const step = now && now.column !== null ? folded.columns[now.column].steps.at(-1) : null;
    marked = step;
    for (const mark of markers) mark(step);
    if (now) {
      if (!pinned) showBox(now);
      if (!quietly) reveal(now);
    } else if (!pinned) showBox(at);
    if (position === 2 * events.length) pause();
  }

  function titles() {
    const frame = find("scroll");
    Drawing.follow(folded, frame.scrollLeft, frame.clientWidth);
  }

  function reveal(box) {
    const frame = find("scroll");
    if (frame.scrollWidth <= frame.clientWidth || box.kind === "bar") return;
    const target = box.cx - frame.clientWidth / 2;
    if (
      box.x < frame.scrollLeft + 20 ||
      box.x + box.width > frame.scrollLeft + frame.clientWidth - 20
    ) {
      frame.scrollTo({ left: target, behavior: Page.reducedMotion() || timer ? "auto" : "smooth" });
    }
  }

  function placeOf(box) {
    if (box.kind === "bar")
      return (
        box.nodes.at(-1).path || (box.nodes.some((node) => node.output) ? "the loss" : "the input")
      );
    if (box.kind === "operation") return Graph.nameOf(box.nodes[0]);
    const steps = folded.columns[box.column].steps;
    const when = steps.length > 1 ? `${steps[0]} … ${steps.at(-1)}` : steps[0];
    return `${box.nodes[0].layer || "the loop"} at t = ${when}`;
  }

  function few(array) {
    const numbers = array
      .slice(3, 7)
      .map((value) => number(value, 3))
      .join(", ");
    return `[${numbers}${array.length > 7 ? ", …" : ""}]`;
  }

  /** Say in words what the current event does. */
  function tell(box) {
    const total = events.length;
    if (!box)
      return [
        element("b", {}, "Start. "),
        "Nothing is computed yet; press Play, or → for one step.",
      ];
    const backward = position > total;
    const parts = [
      element("b", {}, [
        backward ? `Backward ${position - total}` : `Forward ${position}`,
        ` of ${total}: ${placeOf(box)}. `,
      ]),
    ];
    const slots = box.states.length ? box.states : [mainOf(box)];
    if (!backward) {
      const lowest = folded.rows.findIndex((row) => row.over_time);
      const symbol =
        box.kind === "step" && box.row === lowest
          ? page.inputs[folded.columns[box.column].steps[0]]
          : undefined;
      if (symbol !== undefined) parts.push(`The input is ‘${Page.visible(symbol)}’. `);
      const values = slots
        .filter(({ slot }) => slot.value)
        .map(({ name, slot }) => `${name} = ${few(slot.value)}`);
      parts.push(values.join("; "), ".");
      return parts;
    }
    const arrived = slots.map(({ name, slot }) => [name, view.gradientOf(slot)]);
    if (arrived.every(([, gradient]) => !gradient || gradient[0] === 0)) {
      parts.push("No gradient arrives here.");
      return parts;
    }
    parts.push(
      "A gradient of norm ",
      arrived
        .filter(([, gradient]) => gradient)
        .map(([name, gradient]) => `${number(gradient[0], 3)} arrives at ${name}`)
        .join(", "),
      ". ",
    );
    const back = folded.links.filter((link) => link.to === box && link.kind === "time");
    const passed = back
      .filter((link) => !link.isCut && link.norm)
      .map(
        (link) =>
          `${number(link.norm, 3)} along ` +
          [...link.values].map((slot) => Graph.titleOf(slot.node)).join(", "),
      );
    if (passed.length) parts.push(`Back through time passes ${passed.join(" and ")}. `);
    if (back.some((link) => link.isCut))
      parts.push(
        element(
          "span",
          { class: "cutnote" },
          "✂ Here the window ends: nothing passes to the step before.",
        ),
      );
    return parts;
  }

  function mainOf(box) {
    const node = box.nodes.find((one) => one.id === view.output) || box.nodes.at(-1);
    const slot = node.slots.find((one) => one.shape) || node.slots[0];
    return { name: node.id === view.output ? "the loss" : Graph.titleOf(node), slot };
  }

  function play() {
    if (timer) return pause();
    if (position === 2 * events.length) go(0);
    const tick = () => {
      go(position + 1);
      if (position < 2 * events.length) timer = setTimeout(tick, events.length > 60 ? 200 : 650);
    };
    find("play").textContent = "⏸ Pause";
    timer = setTimeout(tick, 50);
    return undefined;
  }

  function pause() {
    clearTimeout(timer);
    timer = null;
    find("play").textContent = "▶ Play";
  }

  function move(to) {
    pause();
    go(to);
  }

  // ------------------------------------------------------------------ details of a node

  function actionsOf(box) {
    if (box.kind === "step" || box.kind === "operation") {
      const step = box.parent || box;
      const open = unfolded.has(step.key);
      return element(
        "div",
        { class: "actions" },
        element(
          "button",
          { type: "button", id: "unfold", onclick: () => unfold(step) },
          open ? "Fold to one box" : "Unfold to operations",
        ),
      );
    }
    if (box.kind !== "fold") return null;
    const { steps } = folded.columns[box.column];
    const pick = element("input", {
      type: "number",
      min: steps[0],
      max: steps.at(-1),
      value: steps[steps.length >> 1],
      "aria-label": "step to show",
    });
    const add = (more) => {
      more.forEach((step) => shown.add(step));
      pinned = null;
      build();
    };
    return element("div", { class: "actions" }, [
      pick,
      element(
        "button",
        {
          type: "button",
          onclick: () => {
            const step = Number(pick.value);
            if (steps.includes(step)) add([step]);
          },
        },
        "Show this step",
      ),
      element(
        "button",
        { type: "button", onclick: () => add(steps.slice(-5)) },
        `Show ${Math.min(5, steps.length)} more`,
      ),
      element("button", { type: "button", onclick: () => add(steps) }, `Show all ${steps.length}`),
    ]);
  }

  function unfold(step) {
    if (unfolded.has(step.key)) unfolded.delete(step.key);
    else unfolded.add(step.key);
    shown.add(folded.columns[step.column].steps[0]);
    pinned = null;
    const inGraph = find("graph").contains(document.activeElement);
    build();
    const box = folded.boxes.find((one) => one.key === step.key);
    const first = box.inside ? box.inside[0] : box;
    focusable(first);
    if (inGraph) first.group.focus();
    showBox(first);
    reveal(box);
  }

  function showBox(box) {
    find("detail").replaceChildren(
      ...[
        Detail.ofBox(box, folded, view, actionsOf(box)),
        box.kind === "operation" ? actionsOf(box) : null,
      ]
        .flat(3)
        .filter(Boolean),
    );
    find("detail").dataset.key = box.key;
  }

  function showLink(link) {
    find("detail").replaceChildren(...Detail.ofLink(link, view).flat(3).filter(Boolean));
    find("detail").dataset.key = link.key;
  }

  function focusable(box) {
    at?.group.setAttribute("tabindex", -1);
    at = box;
    at.group.setAttribute("tabindex", 0);
  }

  const boxAt = (target) => {
    const key = target.closest?.(".node")?.dataset.key;
    return key && folded.boxes.find((box) => box.key === key);
  };
  const linkAt = (target) => {
    const key = target.closest?.(".link")?.dataset.key;
    return key && folded.links.find((link) => link.key === key);
  };

  function pin(box) {
    pinned = pinned === box ? null : box;
    update();
    showBox(box);
  }

  /** Move from a node to the nearest one in a direction. */
  function neighbour(dx, dy) {
    let best = null,
      least = Infinity;
    for (const box of folded.boxes) {
      if (box === at || box.inside) continue;
      const [x, y] = [box.kind === "bar" && dy ? 0 : box.cx - at.cx, box.cy - at.cy];
      const along = x * dx + y * dy,
        across =
          at.kind === "bar" && dy
            ? Math.abs(box.cx - at.cx) * 0.01
            : Math.abs(x * dy) + Math.abs(y * dx);
      if (along <= 2) continue;
      const distance = along + 3 * across;
      if (distance < least) [best, least] = [box, distance];
    }
    if (!best) return;
    focusable(best);
    best.group.focus({ preventScroll: true });
    reveal(best);
  }

  function listen() {
    const place = find("graph");
    find("scroll").addEventListener("scroll", titles, { passive: true });
    place.addEventListener("pointerover", (event) => {
      if (event.pointerType === "touch") return;
      const box = boxAt(event.target);
      const link = linkAt(event.target);
      if (box && !box.inside) showBox(box);
      else if (link) {
        link.group.classList.add("hovered");
        showLink(link);
      }
    });
    place.addEventListener("pointerout", (event) => {
      linkAt(event.target)?.group.classList.remove("hovered");
      if (pinned && event.pointerType !== "touch") showBox(pinned);
    });
    place.addEventListener("click", (event) => {
      const box = boxAt(event.target);
      const link = linkAt(event.target);
      if (box) {
        focusable(box);
        pin(box);
      } else if (link) showLink(link);
    });
    place.addEventListener("dblclick", (event) => {
      const box = boxAt(event.target);
      if (box?.kind === "step") unfold(box);
    });
    place.addEventListener("focusin", (event) => {
      const box = boxAt(event.target);
      if (box) showBox(box);
    });
    document.addEventListener("keydown", keys);
    find("first").addEventListener("click", () => move(0));
    find("previous").addEventListener("click", () => move(position - 1));
    find("next").addEventListener("click", () => move(position + 1));
    find("last").addEventListener("click", () => move(2 * events.length));
    find("play").addEventListener("click", play);
    find("position").addEventListener("input", (event) => move(Number(event.target.value)));
    let width = find("flow").clientWidth;
    new ResizeObserver(() => {
      if (find("flow").clientWidth === width) return;
      width = find("flow").clientWidth;
      drawPlots();
    }).observe(find("flow"));
  }

  function keys(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { target, key } = event;
    const inGraph = find("graph").contains(target);
    const form = /^(INPUT|SELECT|TEXTAREA|SUMMARY)$/.test(target.tagName);
    const space = key === " " || key === "Spacebar";
    if (form || (space && target.tagName === "BUTTON")) return;
    const box = inGraph ? boxAt(target) : null;
    const arrows = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
    let done = true;
    if (inGraph && arrows[key] && (event.shiftKey || arrows[key][1])) neighbour(...arrows[key]);
    else if (box && (key === "Enter" || space)) pin(box);
    else if (box && key.toLowerCase() === "u" && ["step", "operation"].includes(box.kind))
      unfold(box.parent || box);
    else if (key === "ArrowRight") move(position + 1);
    else if (key === "ArrowLeft") move(position - 1);
    else if (key === "Home") move(0);
    else if (key === "End") move(2 * events.length);
    else if (space) play();
    else if (key === "Escape" && pinned) pin(pinned);
    else done = false;
    if (done) event.preventDefault();
  }

  // ------------------------------------------------------------------ plots

  function drawPlots() {
    const run = graph.run;
    const name = chosen.objective;
    const curves = Object.entries(view.variant.flow).map(([full, norms]) => ({
      name: shortState(full, run),
      steps: run.states[full].steps,
      norms,
    }));
    for (const other of page.runs) {
      if (other === run) continue;
      const full = Object.keys(other.states).findLast((one) => one.endsWith(".h") || one === "h");
      if (full)
        curves.push({
          name: other.name,
          other: true,
          steps: other.states[full].steps,
          norms: variantOf(other).flow[full],
        });
    }
    markers = [];
    find("flow-about").textContent =
      `‖∂L/∂sₜ‖ of every state s of the ${run.name}, on a log axis, for the loss “${name}”.` +
      (page.runs.length > 1 ? " Dashed: the last layer’s h of the other models." : "");
    if (curves.length) markers.push(Plots.flow(find("flow"), curves));
    else
      find("flow").replaceChildren(
        element(
          "p",
          {},
          "No state was seen at a time step: run a recurrent layer, or name your own by " +
            "nn.record inside tg.scope(step=t).",
        ),
      );
    drawShares();
    const credited = run.credit?.state;
    find("credit-about").textContent = credited
      ? `‖∂Lₜ/∂${credited.split(".").at(-1)}ₖ‖ of ${credited}: each row is the loss of one step, ` +
        "each column a state before it. Strong colours far left of the diagonal are a long memory."
      : "This model has no losses by step.";
    if (run.credit)
      Plots.credit(
        find("credit"),
        run.credit,
        run.credit.matrices[chosen.window],
        element("p", { class: "reading small mono" }, " "),
      );
    else find("credit").replaceChildren();
  }

  function shortState(full, run) {
    const parts = full.split(".");
    return run.summary.layers.length > 1 ? parts.slice(-2).join(".") : parts.at(-1);
  }

  function drawShares() {
    const weights = view.variant.weights.filter((weight) =>
      weight.steps.some((step) => step !== null),
    );
    if (!weights.length) {
      find("shares").replaceChildren();
      find("shares-tools").replaceChildren();
      find("shares-about").textContent = "No gradient reaches a weight at a time step.";
      return;
    }
    const weight =
      weights.find((one) => one.name === chosen.weight) ||
      weights.find((one) => /hh|W_h|hidden/.test(one.name) && /weight/.test(one.name)) ||
      weights[0];
    find("shares-tools").replaceChildren(
      element(
        "select",
        {
          "aria-label": "weight",
          id: "weight",
          onchange: (event) => {
            chosen.weight = event.target.value;
            drawShares();
          },
        },
        weights.map((one) =>
          element("option", { value: one.name, selected: one === weight }, one.name),
        ),
      ),
      " ",
      element("label", { class: "small" }, [
        element("input", {
          type: "checkbox",
          id: "log",
          checked: chosen.log,
          onchange: (event) => {
            chosen.log = event.target.checked;
            drawShares();
          },
        }),
        " log",
      ]),
    );
    find("shares-about").textContent =
      "The weight is used at every step, and its gradient is the sum of " +
      `${weight.steps.filter((step) => step !== null).length} shares: ∂L/∂W = Σₜ ∂L/∂W|ₜ. ` +
      `Bars are their norms; the whole has norm ${number(weight.norm)}.`;
    markers = [markers[0], Plots.shares(find("shares"), weight, range, chosen.log)].filter(Boolean);
    for (const mark of markers) mark(marked);
  }

  // ------------------------------------------------------------------ begin

  function switches() {
    const place = find("switches");
    const changed = () => {
      look();
      paint();
      go(position, true);
      if (pinned) showBox(pinned);
      drawPlots();
    };
    if (page.runs.length > 1)
      place.append(
        Page.choice(
          "Model",
          page.runs.map((run, i) => ({ value: String(i), text: run.name })),
          "0",
          (value) => {
            chosen.run = Number(value);
            pinned = null;
            unfolded.clear();
            at = null;
            const ended = position === 2 * events.length;
            const share = position / (2 * events.length);
            chooseRun();
            go(ended ? 2 * events.length : Math.round(share * 2 * events.length), true);
          },
        ),
      );
    const objectives = [
      ...new Set(page.runs.flatMap((run) => run.variants.map((one) => one.objective))),
    ];
    if (objectives.length > 1)
      place.append(
        Page.choice(
          "Loss of",
          objectives.map((one) => ({ value: one, text: one })),
          chosen.objective,
          (value) => {
            chosen.objective = value;
            changed();
          },
        ),
      );
    if (page.windows.length > 1)
      place.append(
        Page.choice(
          "Backpropagation through time",
          page.windows.map((one, i) => ({
            value: String(i),
            text: one === null ? "full" : `window ${one}`,
            title: one === null ? "through all steps" : `truncated: cut every ${one} steps`,
          })),
          "0",
          (value) => {
            chosen.window = Number(value);
            changed();
          },
        ),
      );
    place.append(element("p", { class: "about small faint", id: "about" }));
    const steps = Math.max(...page.runs.map((run) => run.summary.steps.length));
    if (steps > 4)
      find("tools").append(
        element("label", {}, [
          "steps at each end ",
          element(
            "select",
            {
              id: "ends",
              onchange: (event) => {
                chosen.ends = Number(event.target.value);
                shown.clear();
                unfolded.clear();
                build();
              },
            },
            [...new Set([2, 3, 5, 10, 25, Math.ceil(steps / 2)])]
              .filter((n) => n <= Math.ceil(steps / 2))
              .sort((a, b) => a - b)
              .map((n) =>
                element(
                  "option",
                  { value: n, selected: n === chosen.ends },
                  2 * n >= steps ? "all" : n,
                ),
              ),
          ),
        ]),
      );
  }

  find("title").textContent = page.title;
  Page.theme(find("theme"));
  if (NARROW.matches) chosen.ends = 2;
  switches();
  listen();
  chooseRun();
})();
