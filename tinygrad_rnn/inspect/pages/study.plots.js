/* Plots of the gradient over time, drawn in the page as wide as there is room for. */

const Plots = (() => {
  const { svg, element, number, power } = Page;
  const HUES = [
    "var(--layer-0)",
    "var(--layer-1)",
    "var(--layer-2)",
    "var(--layer-3)",
    "var(--layer-4)",
    "var(--layer-5)",
  ];

  const positive = (values) => values.filter((value) => typeof value === "number" && value > 0);

  /** Ticks of a time axis: at most `most`, at round steps. */
  function ticks(steps, most) {
    const extent = steps.at(-1) - steps[0];
    const every =
      [1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000, 5000, 10000].find(
        (one) => extent / one <= most,
      ) || extent;
    return steps.filter((step) => step % every === 0);
  }

  /** Put a picture in place, with its numbers as a table for those who do not see it. */
  function present(place, picture, label, header, rows) {
    const open = place.querySelector("details")?.open || false;
    const details = element("details", { open }, element("summary", {}, "as a table"));
    const table = () => {
      if (details.querySelector("table")) return;
      details.append(
        element(
          "div",
          { class: "scroll" },
          element("table", { class: "numbers-table" }, [
            element(
              "thead",
              {},
              element(
                "tr",
                {},
                header.map((name) => element("th", { scope: "col" }, name)),
              ),
            ),
            element(
              "tbody",
              {},
              rows.map(([name, ...cells]) =>
                element("tr", {}, [
                  element("th", { scope: "row" }, name),
                  ...cells.map((cell) => element("td", {}, number(cell))),
                ]),
              ),
            ),
          ]),
        ),
      );
    };
    details.addEventListener("toggle", () => details.open && table());
    if (open) table();
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", label);
    place.replaceChildren(picture, details);
  }

  function logScale(values, height, top) {
    const found = positive(values);
    const high = found.length ? Math.max(...found) : 1;
    const low = Math.max(found.length ? Math.min(...found) : high / 10, high * 1e-30);
    let [a, b] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
    if (a === b) a -= 1;
    return {
      from: a,
      to: b,
      y: (value) => top + height - ((Math.log10(Math.max(value, 10 ** a)) - a) / (b - a)) * height,
    };
  }

  function logGrid(scale, left, right) {
    const every = Math.max(1, Math.ceil((scale.to - scale.from) / 6));
    const parts = [];
    for (let e = scale.to; e >= scale.from; e -= every) {
      const y = scale.y(10 ** e);
      parts.push(
        svg("line", { class: "grid", x1: left, x2: right, y1: y, y2: y }),
        svg("text", { x: left - 6, y: y + 4, "text-anchor": "end" }, power(e)),
      );
    }
    return parts;
  }

  function frame(width, height, left, right, bottom, steps, x, label) {
    return [
      svg("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }),
      ...ticks(steps, Math.max(2, (right - left) / 42)).map((step) =>
        svg("text", { x: x(step), y: bottom + 15, "text-anchor": "middle" }, step),
      ),
      svg("text", { x: (left + right) / 2, y: height - 3, "text-anchor": "middle" }, label),
    ];
  }

  /** ‖∂L/∂s_t‖ of each state: `curves` are {name, steps, norms, other}. Returns x of a step. */
  function flow(place, curves) {
    const width = Math.max(280, place.clientWidth),
      height = width < 500 ? 230 : 290;
    const left = 46,
      right = width - (width < 500 ? 66 : 96),
      top = 10,
      bottom = height - 36;
    const scale = logScale(
      curves.flatMap((curve) => curve.norms),
      bottom - top,
      top,
    );
    const all = [...new Set(curves.flatMap((curve) => curve.steps))].sort((a, b) => a - b);
    const span = Math.max(all.at(-1) - all[0], 1);
    const x = (step) => left + 8 + ((step - all[0]) / span) * (right - left - 16);
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}` }, [
      ...logGrid(scale, left, right),
      ...frame(width, height, left, right, bottom, all, x, "time step t"),
    ]);
    let own = 0;
    const labels = [];
    for (const curve of curves) {
      const hue = curve.other ? "var(--faint)" : HUES[own++ % HUES.length];
      let path = "",
        pen = false;
      const dots = [];
      curve.steps.forEach((step, i) => {
        const norm = curve.norms[i];
        if (!(typeof norm === "number" && norm > 0)) {
          pen = false;
          return;
        }
        path += `${pen ? "L" : "M"}${x(step).toFixed(1)},${scale.y(norm).toFixed(1)}`;
        pen = true;
        if (!curve.other && curve.steps.length <= 40)
          dots.push(
            svg(
              "circle",
              { class: "dot", cx: x(step), cy: scale.y(norm), r: 3.4 },
              svg("title", {}, `${curve.name}, t = ${step}: ${number(norm)}`),
            ),
          );
      });
      picture.append(
        svg("g", { class: curve.other ? "other" : "own", style: `--hue: ${hue}` }, [
          svg("path", { class: "curve", d: path }),
          ...dots,
        ]),
      );
      const last = curve.norms.findLastIndex((norm) => typeof norm === "number" && norm > 0);
      if (last >= 0)
        labels.push({
          name: curve.name,
          hue,
          other: curve.other,
          y: scale.y(curve.norms[last]),
          x: x(curve.steps[last]),
        });
    }
    labels.sort((a, b) => a.y - b.y);
    labels.forEach((label, i) => {
      if (i && label.y < labels[i - 1].y + 13) label.y = labels[i - 1].y + 13;
    });
    const over = labels.length ? Math.max(0, labels.at(-1).y - bottom) : 0;
    for (const label of labels)
      picture.append(
        svg(
          "text",
          {
            class: "name",
            style: `--hue: ${label.hue}; fill: ${label.hue}`,
            x: right + 4,
            y: label.y + 4 - over,
          },
          label.name,
        ),
      );
    const marker = svg("line", { class: "marker", y1: top, y2: bottom, visibility: "hidden" });
    picture.append(marker);
    const summary = curves
      .filter((curve) => !curve.other)
      .map(
        (curve) =>
          `${curve.name}: ${number(curve.norms[0], 3)} at t = ${curve.steps[0]}, ` +
          `${number(curve.norms.at(-1), 3)} at t = ${curve.steps.at(-1)}`,
      )
      .join("; ");
    present(
      place,
      picture,
      `Norm of the gradient at each state over time, log axis. ${summary}`,
      ["state", ...all.map((step) => `t = ${step}`)],
      curves.map((curve) => [
        curve.name,
        ...all.map((step) => curve.norms[curve.steps.indexOf(step)]),
      ]),
    );
    return (step) => mark(marker, step, x);
  }

  function mark(marker, step, x) {
    const shown = step !== null && step !== undefined;
    marker.setAttribute("visibility", shown ? "visible" : "hidden");
    if (shown) for (const name of ["x1", "x2"]) marker.setAttribute(name, x(step));
  }

  /** Norm of each step's share of one weight's gradient. */
  function shares(place, weight, range, log) {
    const width = Math.max(260, place.clientWidth),
      height = 220;
    const left = 50,
      right = width - 8,
      top = 12,
      bottom = height - 36;
    const known = weight.steps
      .map((step, i) => [step, weight.norms[i]])
      .filter(([step]) => step !== null);
    const steps = known.map(([step]) => step);
    const norms = known.map(([, norm]) => norm);
    const high = Math.max(...positive(norms), 1e-300);
    const scale = log
      ? logScale(norms, bottom - top, top)
      : { y: (value) => bottom - (value / high) * (bottom - top) };
    const grid = log
      ? logGrid(scale, left, right)
      : [0, 0.5, 1].flatMap((share) => [
          svg("line", {
            class: "grid",
            x1: left,
            x2: right,
            y1: scale.y(share * high),
            y2: scale.y(share * high),
          }),
          svg(
            "text",
            { x: left - 6, y: scale.y(share * high) + 4, "text-anchor": "end" },
            number(share * high, 2),
          ),
        ]);
    const each = (right - left) / Math.max(steps.length, 1);
    const x = (step) => left + (steps.indexOf(step) + 0.5) * each;
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}` }, [
      ...grid,
      ...known
        .filter(([, norm]) => norm > 0)
        .map(([step, norm]) =>
          svg(
            "rect",
            {
              class: "share",
              x: x(step) - Math.min(each * 0.4, 26),
              width: Math.min(each * 0.8, 52),
              y: scale.y(norm),
              height: Math.max(bottom - scale.y(norm), 0.8),
              rx: 2,
              "--s": Drawing.strength(norm, range),
            },
            svg("title", {}, `t = ${step}: ${number(norm)}`),
          ),
        ),
      ...frame(width, height, left, right, bottom, steps, x, "time step t"),
    ]);
    const marker = svg("line", { class: "marker", y1: top, y2: bottom, visibility: "hidden" });
    picture.append(marker);
    present(
      place,
      picture,
      `Norm of each step's share of the gradient of ${weight.name}: ${known
        .slice(0, 12)
        .map(([step, norm]) => `t = ${step} ${number(norm, 3)}`)
        .join(", ")}`,
      ["weight", ...steps.map((step) => `t = ${step}`)],
      [[weight.name, ...norms]],
    );
    return (step) => mark(marker, steps.includes(step) ? step : null, x);
  }

  /** ‖∂L_t/∂s_k‖ as a matrix of colours: t down, k across. */
  function credit(place, found, matrix, reading) {
    const width = Math.max(260, place.clientWidth);
    const left = 40,
      top = 8;
    const { rows, columns } = found;
    const each = (width - left - 6) / columns.length;
    const tall = Math.min(Math.max(each, 12), 34, 300 / rows.length + 8);
    const height = top + tall * rows.length + 34;
    const values = positive(matrix.flat());
    const high = values.length ? Math.max(...values) : 1;
    const range = {
      high,
      low: Math.min(high * 1e-2, Math.max(values.length ? Math.min(...values) : 0, high * 1e-8)),
    };
    const pairs = rows.flatMap((t, i) =>
      columns.map((k, j) =>
        svg("rect", {
          class: matrix[i][j] > 0 ? "pair" : "pair none",
          x: left + j * each,
          y: top + i * tall,
          width: Math.max(each - (each > 5 ? 1.5 : 0), 0.5),
          height: tall - 1.5,
          rx: each > 8 ? 2 : 0,
          "--s": Drawing.strength(matrix[i][j], range),
          "data-at": `${i},${j}`,
        }),
      ),
    );
    const shownRows = ticks(rows, Math.max(2, (tall * rows.length) / 16));
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}` }, [
      ...pairs,
      ...(shownRows.length > 1 ? shownRows : rows).map((t) =>
        svg(
          "text",
          { x: left - 6, y: top + rows.indexOf(t) * tall + tall / 2 + 4, "text-anchor": "end" },
          t,
        ),
      ),
      ...ticks(columns, Math.max(2, (width - left) / 42)).map((k) =>
        svg(
          "text",
          { x: left + (columns.indexOf(k) + 0.5) * each, y: height - 20, "text-anchor": "middle" },
          k,
        ),
      ),
      svg(
        "text",
        { x: left + (width - left) / 2, y: height - 4, "text-anchor": "middle" },
        `state of step k`,
      ),
      svg(
        "text",
        {
          x: 10,
          y: top + (tall * rows.length) / 2,
          "text-anchor": "middle",
          transform: `rotate(-90 10 ${top + (tall * rows.length) / 2})`,
        },
        "loss of step t",
      ),
    ]);
    const show = (event) => {
      const at = event.target.dataset?.at;
      if (!at) return;
      const [i, j] = at.split(",").map(Number);
      const state = found.state.split(".").at(-1);
      reading.textContent = `‖∂L_${rows[i]}/∂${state}_${columns[j]}‖ = ${number(matrix[i][j])}`;
    };
    picture.addEventListener("pointerover", show);
    picture.addEventListener("click", show);
    present(
      place,
      picture,
      "Matrix of the norms of the gradient of the loss of step t by the state of step k",
      ["t \\ k", ...columns.map(String)],
      rows.map((t, i) => [`t = ${t}`, ...matrix[i]]),
    );
    place.append(reading);
  }

  return { flow, shares, credit };
})();
