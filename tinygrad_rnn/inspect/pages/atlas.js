
/* The cell atlas. The text is cut into blocks at line ends. A block becomes one element a character
   when it comes into view, and is coloured only then: choosing a unit costs what is on the screen. */

(() => {
  const STEPS = 127;    // of a value, as the page was written
  const GRADES = 255;   // of a probability or a numeric property
  const SHADES = 20;    // of each colour
  const FULL = 0.99;    // of the characters are at most as deep as the fullest colour
  const BLOCK = 600;    // characters at least
  const PAGE_LINES = 20;

  const at = (id) => document.getElementById(id);
  const { element, visible: legible } = Page;
  const atlas = Page.data();
  const symbols = Array.from(atlas.text);
  const N = symbols.length;
  const predicted = {
    ...atlas.predictions,
    numbers: new Uint32Array(bytes(atlas.predictions.numbers).buffer),
    shares: bytes(atlas.predictions.shares),
  };
  for (const property of atlas.properties) property.values = bytes(property.values);

  const lineOf = new Uint32Array(N);    // which line a character stands in
  const lineStarts = [0];
  for (let i = 0; i < N; i++) {
    lineOf[i] = lineStarts.length - 1;
    if (symbols[i] === "\n" && i + 1 < N) lineStarts.push(i + 1);
  }

  const shown = { array: 0, unit: 0, threshold: 0, property: null, view: "text", at: 0, sought: [0, 0] };
  let values = new Int8Array(N);
  let full = STEPS;                     // the steps that get the fullest colour
  let generation = 0;                   // of the colours; a block of an older one is out of date

  // ------------------------------------------------------------------ data

  function bytes(base64) {
    const text = atob(base64);
    const found = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) found[i] = text.charCodeAt(i);
    return found;
  }

  const array = () => atlas.arrays[shown.array];
  const scale = () => array().scales[shown.unit];
  const fullValue = () => full / STEPS * scale();
  const valueAt = (i) => values[i] / STEPS * scale();
  const strength = (i) => Math.max(-1, Math.min(1, values[i] / full));
  const passes = (i, threshold) => Math.abs(values[i]) * 100 >= threshold * full;

  /** The steps that all but a few characters stay within: one burst would leave the rest pale. */
  function fullest() {
    const counts = new Uint32Array(STEPS + 1);
    for (let i = 0; i < N; i++) counts[Math.abs(values[i])]++;
    let size = 0;
    for (let within = counts[0]; within < FULL * N && size < STEPS; within += counts[size]) size++;
    return Math.max(1, size);
  }

  /** The shade of a character, -SHADES … SHADES; 0 below the threshold. */
  function shade(i) {
    const share = strength(i);
    return passes(i, shown.threshold) ? Math.sign(share) * Math.round(Math.abs(share) * SHADES) : 0;
  }

  function layerName(name) {
    const parts = /(?:^|\.)l(\d+)(_reverse)?\.(\w+)$/.exec(name);
    return parts ? `layer ${parts[1]}${parts[2] ? " backward" : ""} · ${parts[3]}` : name;
  }

  function signed(value, digits = 3) {
    return (value < 0 ? "−" : value > 0 ? "+" : "") + Math.abs(value).toFixed(digits);
  }

  function propertyAt(i) {
    const property = shown.property;
    if (!property) return "";
    if (property.boolean) return (property.values[i] ? "" : "not ") + property.name;
    const share = property.values[i] / GRADES;
    const value = property.minimum + share * (property.maximum - property.minimum);
    return `${property.name} ${Number(value.toPrecision(3))}`;
  }

  /** The most probable next characters: [{symbol, share, came}]. */
  function nextOf(i) {
    const found = [];
    for (let k = i * predicted.count; k < (i + 1) * predicted.count; k++) {
      const symbol = predicted.symbols[predicted.numbers[k]];
      found.push({ symbol, share: predicted.shares[k] / GRADES, came: symbol === symbols[i + 1] });
    }
    return found;
  }

  // ------------------------------------------------------------------ blocks of text

  const text = at("text");
  const blocks = [];
  const onScreen = new Set();

  function cut() {
    let start = 0;
    for (let i = 0; i < N; i++) {
      const long = i - start + 1;
      const ends = symbols[i] === "\n" ? long >= BLOCK : long >= 4 * BLOCK && symbols[i] === " ";
      if (ends || i === N - 1) {
        blocks.push({ start, end: i + 1, node: element("div", { class: "block" }), built: "", painted: -1 });
        start = i + 1;
      }
    }
    for (const block of blocks) {
      block.node.block = block;
      unbuild(block);
    }
    text.replaceChildren(...blocks.map((block) => block.node));
  }

  function blockOf(i) {
    let low = 0;
    let high = blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (blocks[middle].start <= i) low = middle; else high = middle - 1;
    }
    return blocks[low];
  }

  /** What a character looks like in the text: control characters are shown as pictures. */
  const printed = (symbol) => (symbol === "\n" || symbol === "\t" ? symbol : legible(symbol).replace("␣", " "));

  /** Back to plain text, or to empty room of the right height. */
  function unbuild(block, height = 0) {
    block.built = "";
    block.painted = -1;
    if (shown.view === "text") {
      block.node.style.minHeight = "";
      block.node.textContent = symbols.slice(block.start, block.end).map(printed).join("");
    } else {
      block.node.style.minHeight = `${height}px`;
      block.node.replaceChildren();
    }
  }

  function build(block) {
    if (block.built === shown.view) return;
    const nodes = [];
    for (let i = block.start; i < block.end; i++) {
      const line = symbols[i] === "\n";
      if (shown.view === "text") {
        nodes.push(element("i", { "data-at": i }, printed(symbols[i])));
        continue;
      }
      nodes.push(element("span", { class: "column", "data-at": i }, [
        element("i", {}, line ? "" : legible(symbols[i])),
        nextOf(i).map(({ symbol, share, came }) => element(
          "b", { class: came && "came", "--p": share.toFixed(2) }, legible(symbol),
        )),
      ]));
      if (line) nodes.push(element("br"));
    }
    block.node.style.minHeight = "";
    block.node.replaceChildren(...nodes);
    block.characters = [...block.node.querySelectorAll("i")];
    block.built = shown.view;
    block.painted = -1;
  }

  function classesOf(i) {
    const level = shade(i);
    let classes = level > 0 ? `p${level} plus` : level < 0 ? `n${-level} minus` : "";
    if (symbols[i] === "\n") classes += " line";
    if (at("marks").checked && shown.property?.boolean && shown.property.values[i]) classes += " holds";
    if (i >= shown.sought[0] && i < shown.sought[1]) classes += " sought";
    if (i === shown.at) classes += " here";
    return classes;
  }

  function paint(block) {
    build(block);
    if (block.painted === generation) return;
    for (let i = block.start; i < block.end; i++) {
      const node = block.characters[i - block.start];
      const classes = classesOf(i);
      if (node.className !== classes) node.className = classes;
    }
    block.painted = generation;
  }

  function repaint() {
    generation++;
    for (const block of onScreen) paint(block);
  }

  const watcher = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting, boundingClientRect } of entries) {
      if (isIntersecting) {
        onScreen.add(target.block);
        paint(target.block);
      } else {
        onScreen.delete(target.block);
        if (target.block.built === "predictions") unbuild(target.block, boundingClientRect.height);
      }
    }
  }, { rootMargin: "500px 0px" });

  /** Room for blocks that are not built: lines of columns of one width. */
  function estimateHeights() {
    const probe = blocks[0];
    build(probe);
    const column = probe.node.querySelector(".column");
    const row = column.offsetHeight + parseFloat(getComputedStyle(column).marginBottom);
    const columns = Math.max(1, Math.floor(probe.node.clientWidth / column.offsetWidth));
    for (const block of blocks) {
      let rows = 0;
      let long = 0;
      for (let i = block.start; i < block.end; i++) {
        long++;
        if (symbols[i] === "\n" || i === block.end - 1) {
          rows += Math.ceil(long / columns);
          long = 0;
        }
      }
      if (block !== probe) block.node.style.minHeight = `${rows * row}px`;
    }
  }

  function chooseView(view) {
    shown.view = view;
    text.classList.toggle("predictions", view === "predictions");
    for (const block of blocks) unbuild(block);
    if (view === "predictions") estimateHeights();
    repaint();
    go(shown.at, { quietly: true });
  }

  // ------------------------------------------------------------------ the place

  function go(i, { quietly = false, centre = false } = {}) {
    const place = Math.min(Math.max(i, 0), N - 1);
    const before = blockOf(shown.at);
    shown.at = place;
    const block = blockOf(place);
    for (const other of new Set([before, block])) {
      other.painted = -1;
      if (other === block || onScreen.has(other)) paint(other);
    }
    const node = block.characters[place - block.start];
    node.scrollIntoView({ block: centre ? "center" : "nearest" });
    describe(place);
    if (!quietly) speak(place);
  }

  function describe(i) {
    at("symbol").textContent = legible(symbols[i]);
    at("symbol").className = `symbol mono ${classesOf(i).split(" ")[0]}`;
    at("value").textContent = signed(valueAt(i));
    at("place").textContent =
      `character ${i.toLocaleString("en")} of ${N.toLocaleString("en")}, line ${lineOf[i] + 1}`;
    at("holds").textContent = propertyAt(i);
    at("next").replaceChildren(...nextOf(i).map(({ symbol, share, came }) => element(
      "li", { class: came && "came", "--p": share.toFixed(2) },
      [element("code", {}, legible(symbol)), ` ${Math.round(share * 100)} %`],
    )));
  }

  const NAMES = { " ": "space", "\n": "newline", "\t": "tab" };

  function speak(i) {
    const named = (symbol) => NAMES[symbol] ?? symbol;
    const next = nextOf(i).slice(0, 3).map(({ symbol, share }) => `${named(symbol)} ${Math.round(share * 100)} %`);
    at("spoken").textContent =
      `${named(symbols[i])}: ${signed(valueAt(i))}, ${propertyAt(i)}. Next: ${next.join(", ")}.`;
  }

  function byLine(count) {
    const column = shown.at - lineStarts[lineOf[shown.at]];
    const line = Math.min(Math.max(lineOf[shown.at] + count, 0), lineStarts.length - 1);
    return Math.min(lineStarts[line] + column, lineEnd(line));
  }

  const lineEnd = (line) => (line + 1 < lineStarts.length ? lineStarts[line + 1] : N) - 1;

  /** Where the next stretch begins in which the unit passes the threshold. */
  function strongPlace(step) {
    const strong = (i) => passes(i, shown.threshold || 50);
    for (let i = shown.at + step; i >= 0 && i < N; i += step) {
      if (strong(i) && !(i > 0 && strong(i - 1))) return i;
    }
    return shown.at;
  }

  const KEYS = {
    ArrowLeft: () => go(shown.at - 1),
    ArrowRight: () => go(shown.at + 1),
    ArrowUp: () => go(byLine(-1)),
    ArrowDown: () => go(byLine(1)),
    PageUp: () => go(byLine(-PAGE_LINES)),
    PageDown: () => go(byLine(PAGE_LINES)),
    Home: () => go(lineStarts[lineOf[shown.at]]),
    End: () => go(lineEnd(lineOf[shown.at])),
    n: () => go(strongPlace(1), { centre: true }),
    p: () => go(strongPlace(-1), { centre: true }),
    "[": () => step(-1),
    "]": () => step(1),
  };

  function listenToText() {
    const placeOf = (event) => event.target.closest?.("[data-at]")?.dataset.at;
    text.addEventListener("pointermove", (event) => {
      const place = placeOf(event);
      if (place !== undefined) describe(Number(place));
    });
    text.addEventListener("pointerleave", () => describe(shown.at));
    text.addEventListener("click", (event) => {
      const place = placeOf(event);
      if (place !== undefined) go(Number(place));
    });
    text.addEventListener("keydown", (event) => {
      const does = KEYS[event.key];
      if (!does || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      does();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.target.closest?.("input, select, textarea")) return;
      event.preventDefault();
      at("query").focus();
    });
  }

  // ------------------------------------------------------------------ the unit

  function choose(arrayNumber, unit) {
    const begun = performance.now();
    shown.array = arrayNumber;
    shown.unit = Math.min(Math.max(unit, 0), array().values.length - 1);
    values = new Int8Array(bytes(array().values[shown.unit]).buffer);
    full = fullest();
    repaint();
    drawStrip();
    tellUnit();
    performance.measure("choose unit", { start: begun });
  }

  function step(count) {
    const units = array().values.length;
    choose(shown.array, (shown.unit + count + units) % units);
  }

  function tellUnit() {
    const { name, values: units } = array();
    at("shown").textContent = `${layerName(name)} · unit ${shown.unit}`;
    at("unit").value = shown.unit;
    at("unit").max = units.length - 1;
    at("unit").setCustomValidity("");
    at("units").textContent = `of 0 … ${units.length - 1}`;
    at("lowest").textContent = signed(-fullValue(), 2);
    at("highest").textContent = signed(fullValue(), 2);
    const radios = at("arrays").querySelectorAll("input");
    if (radios[shown.array]) radios[shown.array].checked = true;
    tellThreshold();
    tellRanking();
    describe(shown.at);
  }

  function tellThreshold() {
    at("threshold-shown").textContent =
      `${shown.threshold} % of full colour (±${(fullValue() * shown.threshold / 100).toFixed(2)})`;
  }

  function listenToControls() {
    at("arrays").append(Page.choice(
      "state", atlas.arrays.map(({ name }, i) => ({ value: i, text: layerName(name), title: name })),
      shown.array, (i) => choose(i, shown.unit),
    ));
    at("views").append(Page.choice(
      "under each character", [{ value: "text", text: "nothing" }, { value: "predictions", text: "predictions" }],
      shown.view, chooseView,
    ));
    at("unit-before").addEventListener("click", () => step(-1));
    at("unit-after").addEventListener("click", () => step(1));
    at("unit").addEventListener("input", () => {
      const field = at("unit");
      field.setCustomValidity("");
      if (field.value !== "" && field.checkValidity()) choose(shown.array, Number(field.value));
      else field.setCustomValidity(`There are units 0 … ${field.max}.`);
    });
    at("unit").addEventListener("change", () => at("unit").reportValidity() || tellUnit());
    at("threshold").addEventListener("input", () => {
      shown.threshold = Number(at("threshold").value);
      tellThreshold();
      repaint();
      drawStrip();
    });
    at("signs").addEventListener("change", () => text.classList.toggle("signs", at("signs").checked));
    at("marks").checked = true;
    at("marks").addEventListener("change", () => { repaint(); drawStrip(); });
  }

  // ------------------------------------------------------------------ rankings

  const beats = (property) => property.scores[0].held_out > property.chance;

  /** A score as a share of the way from no connection to a perfect one. */
  const share = (property, score) => Math.max(0, property.measure === "AUC" ? 2 * score - 1 : score);

  function listProperties() {
    at("properties").replaceChildren(...atlas.properties.map((property) => {
      const best = property.scores[0];
      return element("button", {
        type: "button", "aria-pressed": "false", title: property.about,
        onclick: () => { chooseProperty(property); chooseScore(best); },
      }, [
        element("span", {}, property.name),
        element("span", { class: "unit" }, `${layerName(best.array)} ${best.unit}`),
        element("span", { class: beats(property) ? "score" : "score weak" }, best.held_out.toFixed(3)),
        element("span", {
          class: "bar", "aria-hidden": "true",
          "--share": share(property, best.held_out), "--chance": share(property, property.chance),
        }),
      ]);
    }));
  }

  function chooseProperty(property) {
    shown.property = property;
    [...at("properties").children].forEach((button, i) => {
      button.setAttribute("aria-pressed", String(atlas.properties[i] === property));
    });
    at("marks-name").textContent = property.boolean ? property.name : `${property.name} (a number)`;
    at("marks").disabled = !property.boolean;
    const measure = property.measure === "AUC"
      ? `area under the ROC curve; holds at ${(property.baseline * 100).toFixed(1)} % of the characters`
      : "absolute rank correlation";
    at("ranking").replaceChildren(
      element("p", { class: "small faint" }, [
        element("strong", {}, property.name), `: ${measure}. Chance: ${property.chance.toFixed(3)} `
        + `(best unit, 99 of 100 of ${property.shifts} shifts). Chosen by the first `
        + `${property.split.toLocaleString("en")} characters, checked on the other `
        + `${(N - property.split).toLocaleString("en")}.`,
      ]),
      element("table", {}, [
        element("thead", {}, element("tr", {}, ["unit", "found", "held out", "p"].map(
          (name) => element("th", { scope: "col" }, name),
        ))),
        element("tbody", {}, property.scores.map((score) => element("tr", {}, [
          element("td", {}, element("button", { type: "button", onclick: () => chooseScore(score) },
            `${layerName(score.array)} ${score.unit} ${score.sign > 0 ? "(+)" : "(−)"}`)),
          ...[score.found, score.held_out, score.p].map((x) => element("td", {}, x.toFixed(3))),
        ]))),
      ]),
    );
    tellRanking();
    repaint();
    drawStrip();
  }

  function chooseScore(score) {
    choose(atlas.arrays.findIndex(({ name }) => name === score.array), score.unit);
    // On a phone the text is below the rankings.
    const top = document.querySelector(".reader").getBoundingClientRect().top;
    if (top > innerHeight * 0.8) document.querySelector(".reader").scrollIntoView();
  }

  function tellRanking() {
    const rows = at("ranking").querySelectorAll("tbody tr");
    rows.forEach((row, i) => {
      const { array: name, unit } = shown.property.scores[i];
      const chosen = name === array().name && unit === shown.unit;
      row.classList.toggle("chosen", chosen);
      row.querySelector("button").setAttribute("aria-pressed", String(chosen));
    });
  }

  // ------------------------------------------------------------------ the whole text as a strip

  function drawStrip() {
    const canvas = at("strip");
    const width = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
    const height = Math.max(1, Math.round(canvas.clientHeight * devicePixelRatio));
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const brush = canvas.getContext("2d");
    const colours = getComputedStyle(document.documentElement);
    const [positive, negative, gold] = ["--positive", "--negative", "--gold"].map((x) => colours.getPropertyValue(x));
    const marked = shown.property && at("marks").checked ? shown.property : null;
    const foot = marked ? Math.round(height * 0.2) : 0;
    brush.clearRect(0, 0, width, height);
    for (let x = 0; x < width; x++) {
      const begin = Math.floor(x * N / width);
      const end = Math.max(begin + 1, Math.floor((x + 1) * N / width));
      let total = 0;
      let held = 0;
      for (let i = begin; i < end; i++) {
        if (passes(i, shown.threshold)) total += strength(i);
        if (marked) held += marked.boolean ? marked.values[i] : marked.values[i] / GRADES;
      }
      total /= end - begin;
      brush.globalAlpha = Math.min(1, Math.abs(total) * 1.2);
      brush.fillStyle = total > 0 ? positive : negative;
      brush.fillRect(x, 0, 1, height - foot);
      brush.globalAlpha = held / (end - begin);
      brush.fillStyle = gold;
      if (held) brush.fillRect(x, height - foot, 1, foot);
    }
  }

  /** The first character at or below a height of the window, roughly. */
  function characterAt(y) {
    let low = 0;
    let high = blocks.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (blocks[middle].node.getBoundingClientRect().bottom < y) low = middle + 1; else high = middle;
    }
    const { start, end, node } = blocks[low];
    const { top, height } = node.getBoundingClientRect();
    return start + Math.min(1, Math.max(0, (y - top) / (height || 1))) * (end - start);
  }

  function showWindow() {
    const first = characterAt(document.querySelector(".head").getBoundingClientRect().bottom) / N;
    const last = characterAt(innerHeight - at("readout").offsetHeight) / N;
    at("visible").style.left = `${first * 100}%`;
    at("visible").style.width = `${Math.max(0, last - first) * 100}%`;
  }

  function listenToStrip() {
    const overview = at("overview");
    const seek = (event) => {
      const { left, width } = overview.getBoundingClientRect();
      go(Math.floor((event.clientX - left) / width * N), { quietly: true, centre: true });
    };
    overview.addEventListener("pointerdown", (event) => {
      overview.setPointerCapture(event.pointerId);
      seek(event);
    });
    overview.addEventListener("pointermove", (event) => { if (event.buttons) seek(event); });
    let waiting = false;
    const later = () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; showWindow(); });
    };
    addEventListener("scroll", later, { passive: true });
    new ResizeObserver(() => { drawStrip(); later(); }).observe(overview);
    new MutationObserver(drawStrip).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawStrip);
  }

  // ------------------------------------------------------------------ search

  const offsets = new Uint32Array(N);   // where each character begins in the searched text
  let searched = "";

  function prepareSearch() {
    const parts = symbols.map((symbol) => {
      const lower = symbol.toLowerCase();
      return lower.length === symbol.length ? lower : symbol;
    });
    let offset = 0;
    parts.forEach((part, i) => { offsets[i] = offset; offset += part.length; });
    searched = parts.join("");
  }

  function matchesOf(query) {
    const found = [];
    const wanted = query.toLowerCase();
    if (!wanted) return found;
    let i = 0;
    for (let from = searched.indexOf(wanted); from >= 0; from = searched.indexOf(wanted, from + 1)) {
      while (i + 1 < N && offsets[i + 1] <= from) i++;
      found.push(i);
    }
    return found;
  }

  function find(direction) {
    const query = at("query").value;
    const found = matchesOf(query);
    if (!found.length) {
      at("matches").textContent = query ? "not found" : "";
      forgetSought();
      return;
    }
    const here = shown.sought[1] > shown.sought[0] ? shown.sought[0] : shown.at - (direction > 0 ? 1 : 0);
    let which = direction > 0 ? found.findIndex((i) => i > here) : found.findLastIndex((i) => i < here);
    if (which < 0) which = direction > 0 ? 0 : found.length - 1;
    shown.sought = [found[which], found[which] + Array.from(query).length];
    repaint();
    go(found[which], { centre: true });
    at("matches").textContent = `${which + 1} of ${found.length}`;
  }

  function forgetSought() {
    shown.sought = [0, 0];
    repaint();
  }

  function listenToSearch() {
    prepareSearch();
    at("search").addEventListener("submit", (event) => { event.preventDefault(); find(1); });
    at("found-before").addEventListener("click", () => find(-1));
    at("query").addEventListener("input", () => {
      const count = matchesOf(at("query").value).length;
      at("matches").textContent = at("query").value ? `${count.toLocaleString("en")} found` : "";
      forgetSought();
    });
  }

  // ------------------------------------------------------------------ beginning

  /** A rule for each shade; the fullest is as deep as the letters stay legible on it. */
  function shades() {
    const rules = [];
    for (let level = 1; level <= SHADES; level++) {
      for (const [letter, colour] of [["p", "--positive"], ["n", "--negative"]]) {
        const depth = `calc(var(--full) * ${level / SHADES})`;
        rules.push(`.${letter}${level} { background: color-mix(in srgb, var(${colour}) ${depth}, transparent); }`);
      }
    }
    document.head.append(element("style", {}, rules.join("\n")));
  }

  if (matchMedia("(max-width: 560px)").matches) at("rankings").open = false;
  at("title").textContent = atlas.title;
  at("about").textContent = atlas.about;
  Page.theme(at("theme"));
  shades();
  cut();
  for (const block of blocks) watcher.observe(block.node);
  listenToText();
  listenToControls();
  listenToStrip();
  listenToSearch();
  listProperties();
  const first = atlas.properties[atlas.start];
  choose(first ? atlas.arrays.findIndex(({ name }) => name === first.scores[0].array) : 0, first ? first.scores[0].unit : 0);
  if (first) chooseProperty(first);
  describe(shown.at);
})();
