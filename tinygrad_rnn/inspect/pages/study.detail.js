/* What is known of a node or a link, beside the graph. */

const Detail = (() => {
  const { element, number, shape } = Page;

  function numbersOf(array, sizes, label) {
    const numbers = array.slice(3);
    const scale = Math.max(Math.abs(array[1]) || 0, Math.abs(array[2]) || 0);
    const total = (sizes || []).reduce((product, size) => product * size, 1);
    const list = element(
      "ol",
      { class: "numbers", "aria-label": label },
      numbers.map((value) => {
        const [hue, share] = Drawing.tone(value, scale);
        return element("li", { "--hue": hue, "--s": share }, number(value));
      }),
    );
    const rest =
      total > numbers.length
        ? element(
            "p",
            { class: "faint small" },
            `the first ${numbers.length} of ${total.toLocaleString("en")} numbers`,
          )
        : null;
    return [list, rest];
  }

  function valueBlock(slot) {
    const { value } = slot;
    return element(
      "div",
      { class: "array value" },
      value === null
        ? element("p", { class: "faint" }, "values: not kept by the graph")
        : [
            element("p", {}, [
              element("b", {}, "values "),
              element(
                "span",
                { class: "faint" },
                value[1] === null
                  ? "none"
                  : `${number(value[1])} … ${number(value[2])}, norm ${number(value[0])}`,
              ),
            ]),
            numbersOf(value, slot.shape, "values"),
          ],
    );
  }

  function gradientBlock(slot, gradient, reason) {
    return element(
      "div",
      { class: "array gradient" },
      gradient === null || gradient[0] === 0
        ? element("p", { class: "faint" }, reason)
        : [
            element("p", {}, [
              element("b", {}, "gradient "),
              "norm ",
              element("span", { class: "gradient-norm" }, number(gradient[0])),
            ]),
            numbersOf(gradient, slot.shape, "gradient"),
          ],
    );
  }

  function sourceOf(node) {
    if (!node.file) return null;
    return [
      element("dt", {}, "line"),
      element("dd", {}, [
        element("span", { class: "mono" }, `${node.file}:${node.line}`),
        node.code ? element("code", { class: "source" }, node.code) : null,
      ]),
    ];
  }

  function edgeRows(node, view) {
    const rows = node.takes.map((edge) => {
      const passed = view.variant.passed[edge.index];
      const cut = view.cut.has(edge.index);
      return element("tr", {}, [
        element("td", {}, Graph.nameOf(edge.source)),
        element(
          "td",
          { class: "figure" },
          cut
            ? "✂ cut"
            : passed === null
              ? edge.tracked
                ? "nothing"
                : "needs none"
              : number(passed),
        ),
      ]);
    });
    if (!rows.length) return null;
    return element("table", {}, [
      element(
        "thead",
        {},
        element("tr", {}, [
          element("th", { scope: "col" }, "takes"),
          element("th", { scope: "col" }, "gradient passed back to it"),
        ]),
      ),
      element("tbody", {}, rows),
    ]);
  }

  function why(node, view) {
    if (node.kind === "constant") return "gradient: none is wanted for what is given";
    return view.window
      ? "gradient: none arrives with these windows"
      : "gradient: none arrives: the loss chosen does not depend on it";
  }

  function slotsOf(node, view) {
    const used = node.slots.filter((slot) => slot.shape);
    return used.map((slot) => [
      used.length > 1 ? element("h3", {}, `output ${slot.number}, ${shape(slot.shape)}`) : null,
      valueBlock(slot),
      gradientBlock(slot, view.gradientOf(slot), why(node, view)),
    ]);
  }

  function nodeView(node, view) {
    const first = node.slots.find((slot) => slot.shape) || node.slots[0];
    return [
      element("h2", { id: "detail-title" }, [
        Graph.titleOf(node),
        element("span", { class: "faint small" }, node.step === null ? "" : `t = ${node.step}`),
      ]),
      element(
        "dl",
        {},
        [
          element("dt", {}, "shape"),
          element("dd", { class: "mono" }, `${shape(first.shape)} ${node.dtype}`),
          element("dt", {}, node.kind === "operation" ? "operation" : "kind"),
          element(
            "dd",
            {},
            node.kind === "operation" ? node.name : node.kind === "parameter" ? "weight" : "given",
          ),
          node.path ? [element("dt", {}, "module"), element("dd", {}, node.path)] : null,
          sourceOf(node),
        ].flat(2),
      ),
      slotsOf(node, view),
      edgeRows(node, view),
    ];
  }

  function operations(box, view) {
    const rows = box.nodes.map((node) => {
      const slot = node.slots.find((one) => one.shape) || node.slots[0];
      const gradient = view.gradientOf(slot);
      return element("tr", {}, [
        element("td", {}, node.label ? `${node.label} (${node.name})` : node.name),
        element("td", { class: "figure" }, shape(slot.shape)),
        element("td", { class: "figure" }, slot.value ? number(slot.value[0], 3) : "–"),
        element("td", { class: "figure" }, gradient ? number(gradient[0], 3) : "–"),
      ]);
    });
    return element("table", {}, [
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          ["operation", "shape", "‖value‖", "‖gradient‖"].map((name) =>
            element("th", { scope: "col" }, name),
          ),
        ),
      ),
      element("tbody", {}, rows),
    ]);
  }

  /** What passes back through time from a step, as a table. */
  function backRows(box, folded, view) {
    const links = folded.links.filter((link) => link.to === box && link.kind === "time");
    if (!links.length) return null;
    return element("table", { class: "back" }, [
      element(
        "thead",
        {},
        element("tr", {}, [
          element("th", { scope: "col" }, "takes"),
          element("th", { scope: "col" }, "gradient passed back to it"),
        ]),
      ),
      element(
        "tbody",
        {},
        links.map((link) =>
          element("tr", {}, [
            element("td", {}, [...link.values].map((slot) => Graph.nameOf(slot.node)).join(", ")),
            element(
              "td",
              { class: "figure" },
              view.isCut(link)
                ? element("span", { class: "cutnote" }, "✂ cut")
                : number(view.passedAlong(link) || 0),
            ),
          ]),
        ),
      ),
    ]);
  }

  const counted = (box) =>
    box.nodes.length === 1 ? "1 operation" : `${box.nodes.length} operations`;

  function stepView(box, folded, view, actions) {
    const steps = folded.columns[box.column].steps;
    const title = box.kind === "fold" ? `t = ${steps[0]} … ${steps.at(-1)}` : `t = ${steps[0]}`;
    const states = box.states.map(({ name, slot }) => [
      element("h3", {}, [
        name,
        " ",
        element("span", { class: "faint mono" }, shape(slot.shape)),
        box.kind === "fold" ? ` at t = ${steps.at(-1)}` : "",
      ]),
      valueBlock(slot),
      gradientBlock(slot, view.gradientOf(slot), why(slot.node, view)),
      element("dl", {}, (sourceOf(slot.node) || []).flat()),
    ]);
    const many = box.nodes.length > 60;
    return [
      element("h2", { id: "detail-title" }, [
        title,
        element("span", { class: "faint small" }, box.nodes[0].layer),
      ]),
      actions,
      states,
      backRows(box, folded, view),
      many
        ? element(
            "p",
            { class: "small faint" },
            `${box.nodes.length} operations: ${Graph.tally(box.nodes)}`,
          )
        : element("details", { open: !states.length }, [
            element("summary", {}, `${counted(box)} of this step`),
            operations(box, view),
          ]),
    ];
  }

  function barView(box, view) {
    const last = box.nodes.find((node) => node.id === view.output) || box.nodes.at(-1);
    return [
      element("h2", { id: "detail-title" }, [
        last.path || (box.nodes.some((node) => node.output) ? "loss" : "input"),
        element("span", { class: "faint small" }, "for all steps at once"),
      ]),
      element(
        "dl",
        {},
        [
          element("dt", {}, "shape"),
          element(
            "dd",
            { class: "mono" },
            `${shape(last.slots.find((slot) => slot.shape)?.shape)} ${last.dtype}`,
          ),
          sourceOf(last),
        ].flat(2),
      ),
      slotsOf(last, view).slice(0, 4),
      last.slots.length > 4
        ? element(
            "p",
            { class: "small faint" },
            `and ${last.slots.length - 4} more outputs, one for each step`,
          )
        : null,
      element("details", {}, [element("summary", {}, counted(box)), operations(box, view)]),
    ];
  }

  /** Fill the panel with a box; `actions` are buttons for it. */
  function ofBox(box, folded, view, actions) {
    if (box.kind === "bar") return barView(box, view);
    if (box.kind === "step" || box.kind === "fold") return stepView(box, folded, view, actions);
    return nodeView(box.nodes[0], view);
  }

  function ofLink(link, view) {
    const tracked = link.edges.filter((edge) => edge.tracked);
    const isCut = tracked.some((edge) => view.cut.has(edge.index));
    const values = [...link.values].map(
      (slot) => `${Graph.nameOf(slot.node)} ${shape(slot.shape)}`,
    );
    const shown =
      values.length > 6 ? [...values.slice(0, 5), `… ${values.length - 5} more`] : values;
    const norm = view.passedAlong(link);
    return [
      element("h2", { id: "detail-title" }, "A line"),
      element("dl", {}, [
        element("dt", {}, "carries"),
        element(
          "dd",
          {},
          shown.map((one) => element("div", {}, one)),
        ),
        element("dt", {}, "to"),
        element(
          "dd",
          {},
          link.to.kind === "bar"
            ? link.to.nodes.at(-1).path || "loss"
            : Graph.nameOf(link.to.nodes.at(-1)).replace(
                /^.* at /,
                link.to.kind === "operation" ? "$&" : "",
              ),
        ),
        element("dt", {}, "gradient"),
        element(
          "dd",
          {},
          isCut
            ? element(
                "span",
                { class: "cutnote" },
                "✂ cut: the window ends here, nothing passes back",
              )
            : norm === null
              ? tracked.length
                ? "nothing passes back"
                : "none is wanted"
              : ["norm ", element("span", { class: "gradient-norm" }, number(norm))],
        ),
      ]),
    ];
  }

  /** One line about a box, for screen readers. */
  function describe(box, folded, view) {
    const node = box.nodes[0];
    const slots = box.states?.length
      ? box.states
      : [
          {
            name: Graph.titleOf(node),
            slot: node.slots.find((slot) => slot.shape) || node.slots[0],
          },
        ];
    const about = slots.map(({ name, slot }) => {
      const gradient = view.gradientOf(slot);
      const values = slot.value
        ? slot.value
            .slice(3, 6)
            .map((value) => number(value, 3))
            .join(", ")
        : "unknown";
      const more = slot.value && slot.value.length > 6 ? " and more" : "";
      const norm = gradient ? number(gradient[0], 3) : "none";
      const about = `${name} of shape ${shape(slot.shape)}, values ${values}${more}`;
      return `${about}, gradient norm ${norm}`;
    });
    if (box.kind === "bar")
      return `${box.nodes.at(-1).path || "loss"}, for all steps at once: ${Graph.tally(box.nodes)}`;
    if (box.kind === "parameter") return `weight ${about[0]}`;
    if (box.kind === "constant") return `given ${about[0]}`;
    const steps = box.column === null ? [] : folded.columns[box.column].steps;
    const when = steps.length > 1 ? `t = ${steps[0]} to ${steps.at(-1)}` : `t = ${steps[0]}`;
    return `${node.layer}, ${when}: ${about.join("; ")}`;
  }

  return { ofBox, ofLink, describe };
})();
