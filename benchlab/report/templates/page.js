"use strict";
(() => {
  const root = document.documentElement;
  let figures = {};
  const plots = [...document.querySelectorAll(".plot")];
  const drawn = new Set();
  // What the style sheet makes smaller on paper is drawn as much wider.
  const PRINT_PX = 850;
  const dark = matchMedia("(prefers-color-scheme: dark)");

  // Colours are the style sheet's: a figure names them, and only the style sheet knows whether it is dark.
  const probe = document.body.appendChild(document.createElement("span"));
  const color = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const isRecord = (value) => value && typeof value === "object" && !Array.isArray(value);
  const colored = (value, key) => {
    if (key === "color") return color(value);
    if (isRecord(value)) return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, colored(each, name)]));
    return Array.isArray(value) && isRecord(value[0]) ? value.map((each) => colored(each)) : value;
  };

  const draw = (plot, width) => {
    const { data, layout } = colored(figures[plot.id]);
    const axis = (own) => ({
      gridcolor: color("--line"), linecolor: color("--line"), zerolinecolor: color("--line"), tickcolor: color("--line"), ...own,
      ...(own.title && { title: { ...own.title, standoff: 8, font: { size: 13, color: color("--muted") } } }),
    });
    const first = !drawn.has(plot);
    drawn.add(plot);
    Plotly.react(plot, data, {
      ...layout,
      xaxis: axis(layout.xaxis),
      yaxis: axis(layout.yaxis),
      ...(width ? { width } : { autosize: true }),
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(root).fontFamily, size: 13, color: color("--ink") },
      hoverlabel: { bgcolor: color("--card"), bordercolor: color("--muted"), font: { color: color("--ink") }, align: "left" },
      hovermode: "closest",
      dragmode: false,
    }, { displayModeBar: false, responsive: true, showTips: false });
    // What is shown for a key press comes a moment later, and without an event.
    if (first) new MutationObserver(() => say(plot)).observe(plot.querySelector(".hoverlayer"), { childList: true, subtree: true });
  };

  const unpacked = (id) => {
    const packed = Uint8Array.from(atob(document.getElementById(id).textContent), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };

  const unpack = async () => {
    figures = JSON.parse(await unpacked("figures"));
    const script = document.createElement("script");
    script.textContent = await unpacked("library");
    document.head.append(script);
  };

  // A plot is drawn when it comes near the window: a large run has more points than a page should start with.
  const watch = () => {
    const observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) {
          observer.unobserve(target);
          if (!drawn.has(target)) draw(target);
        }
      }
    }, { rootMargin: "600px" });
    plots.forEach((plot) => observer.observe(plot));
  };

  const redraw = () => drawn.forEach((plot) => draw(plot));

  const say = (plot) => {
    if (document.activeElement !== plot) return;
    const lines = [...plot.querySelectorAll(".hoverlayer .hovertext .nums")].flatMap((text) =>
      text.querySelector("tspan.line") ? [...text.querySelectorAll("tspan.line")].map((line) => line.textContent) : [text.textContent]);
    if (lines.length) document.getElementById("said").textContent = lines.join(", ");
  };

  // The arrow keys go from dot to dot; what is shown is said too.
  const walk = (plot) => {
    let at = -1;
    plot.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step || !drawn.has(plot)) return;
      event.preventDefault();
      const stops = figures[plot.id].data.flatMap((trace, curveNumber) =>
        trace.meta === "samples" ? [] : trace.y.map((y, pointNumber) => ({ curveNumber, pointNumber, y })));
      if (plot.id.endsWith("-course") === false) stops.sort((one, other) => one.y - other.y || one.curveNumber - other.curveNumber);
      if (!stops.length) return;
      at = (at + step + stops.length + (at < 0 && step < 0 ? 1 : 0)) % stops.length;
      const { curveNumber, pointNumber } = stops[at];
      Plotly.Fx.hover(plot, [{ curveNumber, pointNumber }]);
    });
    plot.addEventListener("blur", () => { if (drawn.has(plot)) Plotly.Fx.unhover(plot); });
  };

  const weight = (cell) => {
    const found = cell.textContent.trim().replace(/^≥ /, "").match(/^[-+]?[\d,]+(\.\d+)?/);
    return found ? Number(found[0].replaceAll(",", "")) : NaN;
  };

  const compare = (one, other, down) => {
    const [first, second] = [weight(one), weight(other)];
    if (Number.isNaN(first) && Number.isNaN(second)) return down * one.textContent.localeCompare(other.textContent);
    if (Number.isNaN(first) || Number.isNaN(second)) return Number.isNaN(first) - Number.isNaN(second);
    return down * (first - second);
  };

  const sortable = (table) => table.querySelectorAll("thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      table.querySelectorAll("thead th").forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down > 0 ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows];
      rows.sort((one, other) => compare(one.cells[column], other.cells[column], down));
      table.tBodies[0].append(...rows);
    });
  });

  const theme = document.getElementById("theme");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const name = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.hidden = false;
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    name();
    redraw();
  });
  dark.addEventListener("change", () => { name(); redraw(); });
  name();

  // Paper is white and as wide as it is, and nothing can be opened on it.
  const tables = [...document.querySelectorAll("details:has(table)")];
  let before, closed;
  addEventListener("beforeprint", () => {
    if (!window.Plotly) return;  // what is not unpacked yet cannot be printed
    before = root.dataset.theme;
    root.dataset.theme = "light";
    closed = tables.filter((details) => !details.open);
    closed.forEach((details) => { details.open = true; });
    plots.forEach((plot) => draw(plot, PRINT_PX));
  });
  addEventListener("afterprint", () => {
    if (before) root.dataset.theme = before; else delete root.dataset.theme;
    closed.forEach((details) => { details.open = false; });
    redraw();
  });

  document.querySelectorAll("table.sortable").forEach(sortable);
  plots.forEach(walk);
  unpack().then(watch, () => plots.forEach((plot) => {
    plot.textContent = "This browser cannot unpack the plots; the tables have the same values.";
  }));
})();
