/* Draws a folded graph once; playing and switching only change classes and two variables. */

const Drawing = (() => {
  const CELLS = 16;
  const SIGNS = { sigmoid: "σ", mul: "×", add: "+", sub: "−" };
  const svg = Page.svg;

  /** Where a gradient stands between the smallest and the largest, 0 to 1, on a log scale. */
  function strength(norm, range) {
    if (typeof norm !== "number") return norm === null ? 0 : 1;
    if (!(norm > 0)) return 0;
    const share = Math.log(norm / range.low) / Math.log(range.high / range.low);
    return Math.min(Math.max(share, 0), 1);
  }

  /** Colour of a number: hue by its sign, and how much of it. */
  function tone(value, scale) {
    const number = typeof value === "number" ? value : value === true ? 1 : 0;
    return [
      number < 0 ? "var(--negative)" : "var(--positive)",
      scale ? Math.min(Math.abs(number) / scale, 1) : 0,
    ];
  }

  function cells(array, x, y, width, height) {
    const numbers = array ? array.slice(3, 3 + CELLS) : [];
    const scale = array ? Math.max(Math.abs(array[1]) || 0, Math.abs(array[2]) || 0) : 0;
    const each = width / Math.max(numbers.length, 1);
    return svg(
      "g",
      { class: "cells" },
      numbers.map((value, i) => {
        const [hue, share] = tone(value, scale);
        return svg("rect", {
          class: "cell",
          x: x + i * each,
          y,
          width: each,
          height,
          rx: 1.5,
          style: `fill: color-mix(in oklab, ${hue} ${Math.round(share * 100)}%, var(--zero))`,
        });
      }),
    );
  }

  const tip = (size) =>
    `${size * 0.3},0 ${-size * 1.3},${-size * 0.85} ${-size * 1.3},${size * 0.85}`;

  /** Colour a link or a lane of one, and size it, by a strength. */
  function tint(group, share) {
    group.style.setProperty("--s", share.toFixed(3));
    for (const one of group.querySelectorAll(".backhead"))
      one.setAttribute("points", tip(5 + 4.5 * share));
  }

  /** An arrow's head at a point, pointing along an angle in degrees. */
  function head(at, name, size = 5) {
    return svg("polygon", {
      class: name,
      points: tip(size),
      transform: `translate(${at.x} ${at.y}) rotate(${at.angle})`,
    });
  }

  function linkGroup(link) {
    const { route } = link;
    const line = (d) => svg("path", { class: "line", d });
    const heads = (end, start) => [
      head(end, "head"),
      head({ ...start, angle: start.angle + 180 }, "backhead"),
    ];
    const parts = [];
    if (route.lanes) {
      link.lanes = route.lanes.map((x) =>
        svg("g", { class: "lane" }, [
          line(`M${x},${route.start.y}V${route.end.y}`),
          ...heads({ ...route.end, x }, { ...route.start, x }),
        ]),
      );
      parts.push(...link.lanes);
    } else {
      parts.push(line(route.path));
      if (link.kind !== "weight" && link.kind !== "input")
        parts.push(...heads(route.end, route.start));
    }
    if (route.middle)
      parts.push(svg("text", { class: "scissors", x: route.middle.x, y: route.middle.y + 5 }, "✂"));
    parts.push(svg("path", { class: "hit", d: route.path }));
    link.group = svg("g", { class: `link ${link.kind}`, "data-key": link.key }, parts);
    return link.group;
  }

  function amount(slot, x, y, width, height) {
    const bar = svg("rect", { class: "amount", x, y, width: 0, height, rx: height / 2 });
    return {
      slot,
      bar,
      width,
      parts: [svg("rect", { class: "rail", x, y, width, height, rx: height / 2 }), bar],
    };
  }

  function boxParts(box, folded, room) {
    const { x, y, width, height } = box;
    const node = box.nodes[0];
    box.amounts = [];
    const text = (px, py, kind, content, anchor) =>
      svg("text", { x: px, y: py, class: kind, "text-anchor": anchor }, content);
    if (box.kind === "parameter" || box.kind === "constant") {
      if (box.kind === "parameter") {
        const found = amount(node.slots[0], x + 4, y + height - 5, width - 8, 2.6);
        box.amounts.push(found);
        return [
          text(x + 8, y + 14, "", box.title),
          text(x + width - 7, y + 14, "tiny", Page.shape(node.slots[0].shape), "end"),
          ...found.parts,
        ];
      }
      return [
        text(x + 8, y + 16, "", box.title),
        text(x + width - 7, y + 16, "tiny", Page.shape(node.slots[0].shape), "end"),
      ];
    }
    if (box.kind === "bar") {
      const result = box.nodes.find((one) => one.output);
      const title = box.nodes.at(-1).path || (result ? "loss" : node.path || "input");
      const parts = [
        (box.titles = svg("g", {}, [
          text(x + 10, y + 14.5, "title", title),
          text(
            x + 10,
            y + 27,
            "tiny",
            shortened(Graph.tally(box.nodes), Math.min(width, room, 460) - (result ? 90 : 10)),
          ),
        ])),
      ];
      if (result)
        parts.push((box.result = text(x + width - 10, y + 21, "title result", "", "end")));
      return parts;
    }
    if (box.kind === "operation") {
      const slot = node.slots.find((one) => one.shape) || node.slots[0];
      const found = amount(slot, x + 7, y + height - 7, width - 14, 3);
      box.amounts.push(found);
      return [
        text(x + 7, y + 14, node.label ? "title" : "", shortened(Graph.titleOf(node), width)),
        text(
          x + width - 6,
          y + 14,
          "tiny",
          node.label ? SIGNS[node.name] || shortened(node.name, 40) : "",
          "end",
        ),
        cells(slot.value, x + 7, y + 19, width - 14, 9),
        ...found.parts,
      ];
    }
    const steps = folded.columns[box.column].steps;
    const title = box.kind === "fold" ? `t = ${steps[0]} … ${steps.at(-1)}` : `t = ${steps[0]}`;
    const parts = [text(x + 8, y + 14, "title", title)];
    if (box.kind === "fold") parts.push(text(x + width - 8, y + 14, "title", "⋯", "end"));
    if (box.inside) return parts;
    if (!box.states.length)
      parts.push(text(x + 8, y + 30, "tiny", shortened(Graph.tally(box.nodes), width)));
    box.states.forEach((state, i) => {
      const top = y + Layout.HEADING + i * Layout.STATE;
      const found = amount(state.slot, x + 22, top + 18, width - 30, 5);
      box.amounts.push(found);
      parts.push(
        text(x + 8, top + 11, "tiny", state.name),
        cells(state.slot.value, x + 22, top + 2, width - 30, 13),
        ...found.parts,
      );
    });
    return parts;
  }

  function shortened(content, width) {
    const most = Math.max(3, Math.floor((width - 12) / 5.4));
    return content.length > most ? `${content.slice(0, most - 1)}…` : content;
  }

  /** Return the picture; `describe(box)` gives what is read out for a box. */
  function draw(folded, layout, page, hueOf, describe) {
    const { boxes, links, columns, rows } = folded;
    const root = svg("svg", {
      width: layout.width,
      height: layout.height,
      viewBox: `0 0 ${layout.width} ${layout.height}`,
    });
    for (const band of layout.bands) {
      root.append(
        svg("rect", {
          class: "band",
          x: band.x,
          y: band.y,
          width: band.width,
          height: band.height,
          rx: 10,
        }),
        svg(
          "text",
          { class: "title", x: layout.margin, y: band.y + 15, style: `fill: ${hueOf(band.row)}` },
          rows[band.row].title || "loop",
        ),
      );
    }
    for (const [key, y] of layout.buses) {
      const ends = links.filter((link) => link.from.key === key && link.route.bus !== undefined);
      if (!ends.length) continue;
      const { from } = ends[0];
      const start = from.x + from.width;
      const far = Math.max(...ends.map((link) => link.route.end.x));
      root.append(
        svg("path", {
          class: "trunk",
          d:
            `M${start},${from.cy}` +
            `C${start + 16},${from.cy} ${start + 10},${y} ${start + 28},${y}H${far}`,
        }),
      );
    }
    columns.forEach((column, i) => {
      const { middle } = layout.spans[i];
      const symbol = (list, y, label) => {
        if (!list.length || column.folded) return;
        const content = list[column.steps[0]];
        if (content !== undefined)
          root.append(
            svg("text", { class: "symbol", x: middle, y, "text-anchor": "middle" }, [
              svg("title", {}, `${label} at t = ${column.steps[0]}`),
              Page.visible(content),
            ]),
          );
      };
      const first = boxes
        .filter((box) => (box.column === i && !box.parent) || box.kind === "bar")
        .sort((a, b) => b.y - a.y)[0];
      if (first && page.inputs.length && !column.folded)
        root.append(
          svg("path", {
            class: "read",
            d: `M${middle},${layout.height - 24}V${first.y + first.height}`,
          }),
          head({ x: middle, y: first.y + first.height, angle: -90 }, "readhead", 4),
        );
      symbol(page.inputs, layout.height - 10, "input");
      symbol(page.targets, 20, "target");
    });
    if (columns.length && page.inputs.length)
      root.append(
        svg(
          "text",
          { class: "tiny", x: layout.left - 8, y: layout.height - 11, "text-anchor": "end" },
          "input",
        ),
      );
    if (columns.length && page.targets.length)
      root.append(
        svg("text", { class: "tiny", x: layout.left - 8, y: 19, "text-anchor": "end" }, "target"),
      );
    const containers = boxes.filter((box) => box.inside);
    const plain = boxes.filter((box) => !box.inside);
    const groupOf = (box) => {
      box.group = svg(
        "g",
        {
          class: "node",
          role: "button",
          tabindex: -1,
          "aria-label": describe(box),
          "data-key": box.key,
          style: `--hue: ${hueOf(box.row)}`,
        },
        [
          svg("rect", {
            class: "shape",
            x: box.x,
            y: box.y,
            width: box.width,
            height: box.height,
            rx: box.kind === "bar" || box.kind === "constant" ? 5 : 8,
          }),
          ...boxParts(box, folded, layout.room),
        ],
      );
      return box.group;
    };
    root.append(...containers.map(groupOf), ...links.map(linkGroup), ...plain.map(groupOf));
    return root;
  }

  /** Keep the titles of bars in view when the picture is scrolled. */
  function follow(folded, left, width) {
    for (const { titles, x, width: own } of folded.boxes) {
      if (titles)
        titles.setAttribute(
          "transform",
          `translate(${Math.max(0, Math.min(left - x, own - width * 0.6))} 0)`,
        );
    }
  }

  return { draw, strength, tone, tint, follow };
})();
