"use strict";

/* Shared by all pages: the data in the page, elements, numbers, the theme switch, choices.
   Text always enters the page as text nodes and attributes, never as markup. */

const Page = (() => {
  const SVG = namespace();

  /** Ask the browser for the namespace of SVG: a page that names no address loads from none. */
  function namespace() {
    const template = document.createElement("template");
    template.innerHTML = "<svg></svg>";
    return template.content.firstChild.namespaceURI;
  }

  /** Read the JSON that the page was written with. */
  function data(id = "data") {
    return JSON.parse(document.getElementById(id).textContent);
  }

  function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (name.startsWith("--")) node.style.setProperty(name, value);
      else node.setAttribute(name, value === true ? "" : String(value));
    }
    for (const child of [children].flat(Infinity)) {
      if (child !== null && child !== undefined && child !== false) node.append(child);
    }
    return node;
  }

  /** Make an element: element("p", {class: "faint", onclick: f, "--share": 0.5}, "text"). */
  function element(tag, attributes = {}, children = []) {
    return fill(document.createElement(tag), attributes, children);
  }

  /** The same for SVG. */
  function svg(tag, attributes = {}, children = []) {
    return fill(document.createElementNS(SVG, tag), attributes, children);
  }

  /** Write a number with four significant digits; what is not finite is a string already. */
  function number(value, digits = 4) {
    if (value === null || value === undefined) return "–";
    if (typeof value !== "number") return String(value).replace("inf", "∞").replace("-", "−");
    if (value === 0) return "0";
    const size = Math.abs(value);
    const text =
      size >= 1e5 || size < 1e-3
        ? exponential(value, digits - 1)
        : Number.isInteger(value)
          ? String(value)
          : value.toPrecision(digits);
    return text.replace(/^-/, "−");
  }

  function exponential(value, digits) {
    const [mantissa, exponent] = value.toExponential(digits).split("e");
    return `${mantissa}e${exponent.replace("+", "").replace("-", "−")}`;
  }

  /** A power of ten for an axis: 10⁻³. */
  function power(exponent) {
    return (
      "10" + [...String(exponent)].map((c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]).join("")
    );
  }

  /** A shape as Python writes it: (4, 1, 3), (12,), (). */
  function shape(sizes) {
    if (!sizes) return "";
    return sizes.length === 1 ? `(${sizes[0]},)` : `(${sizes.join(", ")})`;
  }

  /** A symbol of a text such that blanks and control characters can be seen. */
  function visible(symbol) {
    const shown = [...symbol].map((c) => {
      const code = c.codePointAt(0);
      if (c === " ") return "␣";
      if (c === "\n") return "↵";
      if (c === "\t") return "⇥";
      if (code < 32) return String.fromCodePoint(0x2400 + code);
      return code >= 127 && code < 160 ? "�" : c;
    });
    return shown.join("");
  }

  function reducedMotion() {
    return matchMedia("(prefers-reduced-motion: reduce)").matches;
  }

  /** Let a button switch between light and dark; the choice is kept where the browser allows it. */
  function theme(button) {
    const root = document.documentElement;
    const system = matchMedia("(prefers-color-scheme: dark)");
    const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
    const show = () => {
      button.textContent = dark() ? "☀ Light" : "☾ Dark";
      button.setAttribute("aria-label", `Switch to ${dark() ? "light" : "dark"} colours`);
    };
    try {
      const kept = localStorage.getItem("theme");
      if (kept === "dark" || kept === "light") root.dataset.theme = kept;
    } catch {
      /* storage is closed to pages from disk in some browsers */
    }
    button.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      try {
        localStorage.setItem("theme", root.dataset.theme);
      } catch {
        /* as above */
      }
      show();
    });
    system.addEventListener("change", show);
    show();
  }

  let choices = 0;

  /** A switch between a few options: [{value, text, title?}]; `changed` gets the new value. */
  function choice(legend, options, chosen, changed) {
    const name = `choice-${choices++}`;
    const radios = options.map(({ value, text, title }) =>
      element("label", { title }, [
        element("input", {
          type: "radio",
          name,
          value,
          checked: value === chosen,
          onchange: () => changed(value),
        }),
        element("span", {}, text),
      ]),
    );
    return element("fieldset", { class: "choice" }, [
      element("legend", {}, legend),
      element("div", { class: "options" }, radios),
    ]);
  }

  return { data, element, svg, number, power, shape, visible, reducedMotion, theme, choice };
})();
