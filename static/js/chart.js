// @ts-check
/* Draws each [data-chart] with Plotly from the JSON of that id. "$c1" names a token of tokens.css, "$c1/14" the same at 14 % opacity.
   Charts are drawn again when the theme changes, and grow by new points from data-chart-updates. */
(() => {
  const Plotly = /** @type {any} */ (window).Plotly;
  if (!Plotly) return; // caption and data table remain

  const axis = {
    automargin: true,
    color: "$ink-3",
    linecolor: "$line",
    tickcolor: "$line",
    tickfont: { size: 11, color: "$ink-3" },
    title: { font: { size: 12, color: "$ink-3" }, standoff: 8 },
    zeroline: false,
    fixedrange: true,
    spikecolor: "$line",
    spikethickness: 1,
    spikedash: "solid",
  };
  const colorbar = { outlinewidth: 0, thickness: 8, tickfont: { size: 11, color: "$ink-3" } };
  /** @param {string} name */
  const scale = (name) => [0, 1, 2, 3, 4, 5, 6].map((step) => [Number((step / 6).toFixed(4)), `$${name}-${step}`]);
  const TEMPLATE = {
    layout: {
      font: { family: "$font", size: 12, color: "$ink-2" },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      colorway: ["$c1", "$c2", "$c3", "$c4", "$c5", "$c6", "$c7", "$c8"],
      colorscale: { sequential: scale("seq"), sequentialminus: scale("seq"), diverging: scale("div") },
      margin: { l: 8, r: 16, t: 8, b: 8, pad: 0 },
      showlegend: false,
      hovermode: "x unified",
      dragmode: false,
      hoverlabel: { bgcolor: "$raised", bordercolor: "$line", font: { size: 12, color: "$ink" }, align: "left" },
      xaxis: { ...axis, showgrid: false, showline: true, ticks: "outside", ticklen: 4, nticks: 6 },
      yaxis: { ...axis, showgrid: true, gridcolor: "$hair", gridwidth: 1, showline: false, ticks: "", nticks: 5 },
      annotationdefaults: { showarrow: false, font: { size: 12, color: "$ink-2" } },
      shapedefaults: { line: { color: "$line", width: 1 } },
      coloraxis: { colorbar },
    },
    data: {
      scatter: [{ type: "scatter", line: { width: 1.75 }, marker: { size: 6, line: { width: 0 } } }],
      bar: [{ type: "bar", marker: { line: { width: 0 } } }],
      heatmap: [{ type: "heatmap", xgap: 1, ygap: 1, colorbar }],
    },
  };

  const probe = document.head.appendChild(document.createElement("meta"));
  /** @param {string} text */
  const token = (text) => {
    if (text === "$font") return getComputedStyle(document.body).fontFamily;
    const [name, alpha] = text.slice(1).split("/");
    probe.style.color = `var(--${name})`;
    const rgb = getComputedStyle(probe).color;
    return alpha ? rgb.replace("rgb(", "rgba(").replace(")", `, ${Number(alpha) / 100})`) : rgb;
  };
  const TOKEN =
    /^\$(c[1-8]|font|on-fill|paper|raised|hair|line|edge|rule|ink(-[23])?|blue|ok|warn|bad|(seq|div)-[0-6])(\/\d+)?$/;
  /** Colours for tokens; every other text inert, since Plotly reads tags in names of classes. Only our own templates keep theirs.
   * @param {any} value @param {string} [key] @returns {any} */
  const resolve = (value, key = "") => {
    if (typeof value === "string")
      return TOKEN.test(value) ? token(value) : key === "hovertemplate" ? value : value.replace(/</g, "&lt;");
    if (Array.isArray(value)) return value.map((inner) => resolve(inner, key));
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, resolve(inner, name)]));
    return value;
  };
  const pen = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));
  /** @param {string} text */
  const width = (text) => {
    pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    return pen.measureText(text.replace(/<[^>]*>/g, "")).width;
  };

  /** The figures as they were sent, with the points that came since. @type {WeakMap<Element, any>} */
  const figures = new WeakMap();

  /** @param {HTMLElement} plot */
  const draw = (plot) => {
    if (!figures.has(plot)) {
      const source = document.getElementById(plot.dataset.chart || "");
      if (!source) return;
      figures.set(plot, JSON.parse(source.textContent || "{}"));
    }
    const figure = resolve(figures.get(plot)),
      template = resolve(TEMPLATE);
    // Labels named "end" stand in the right margin, which is as wide as the longest of them.
    const ends = (figure.layout.annotations || []).filter((/** @type {any} */ note) => note.name === "end");
    if (ends.length)
      figure.layout.margin = {
        ...template.layout.margin,
        ...figure.layout.margin,
        r: 12 + Math.max(...ends.map((/** @type {any} */ note) => width(note.text) + (note.xshift || 0))),
      };
    for (const note of figure.layout.annotations || []) note.showarrow ??= false;
    for (const trace of figure.data) {
      if (trace.colorscale === "seq") trace.colorscale = template.layout.colorscale.sequential;
      if (trace.colorscale === "div") trace.colorscale = template.layout.colorscale.diverging;
    }
    Plotly.react(
      plot,
      figure.data,
      { ...figure.layout, template, height: plot.clientHeight, autosize: true },
      { displayModeBar: false, responsive: true },
    );
  };

  /** What a chart shows, in words: under it and for those who do not see it. @param {HTMLElement} plot @param {{lead: string, caption: string}} text */
  const describe = (plot, text) => {
    plot.setAttribute("aria-label", `${text.lead} ${text.caption}`.trim());
    const words = plot.closest("figure")?.querySelector("figcaption");
    if (!words) return;
    const lead = document.createElement("strong");
    lead.textContent = text.lead;
    words.replaceChildren(lead, ` ${text.caption}`);
  };

  /** Ask for the points since the last ones; the answer names the next address, or null at the end. @param {HTMLElement} plot @param {string} url @param {number} since */
  const follow = (plot, url, since) =>
    setTimeout(
      async () => {
        if (!plot.isConnected) return;
        let next = url;
        if (!document.hidden) {
          try {
            const answer = await fetch(url, { headers: { Accept: "application/json" } });
            if (!answer.ok) throw new Error(String(answer.status));
            const news = await answer.json(),
              figure = figures.get(plot);
            if (news.chart) {
              // drawn anew: its axes, labels and finding move with the points
              figures.set(plot, news.chart.figure);
              draw(plot);
              describe(plot, news.chart);
            } else if (news.traces.length && news.x.some((/** @type {any[]} */ points) => points.length)) {
              news.traces.forEach((/** @type {number} */ trace, /** @type {number} */ at) => {
                figure.data[trace].x.push(...news.x[at]);
                figure.data[trace].y.push(...news.y[at]);
              });
              await Plotly.extendTraces(plot, { x: news.x, y: news.y }, news.traces);
            }
            if (news.next === null) return;
            next = news.next;
          } catch {
            /* asked again at the next turn */
          }
        }
        follow(plot, next, since);
      },
      Date.now() - since > 600_000 ? 10_000 : 2_000,
    );

  /** @param {ParentNode} root */
  const drawAll = (root) =>
    root.querySelectorAll("[data-chart]").forEach((element) => {
      const plot = /** @type {HTMLElement} */ (element),
        fresh = !figures.has(plot);
      draw(plot);
      if (fresh && plot.dataset.chartUpdates && figures.has(plot)) follow(plot, plot.dataset.chartUpdates, Date.now());
    });
  addEventListener("DOMContentLoaded", () => drawAll(document));
  addEventListener("theme", () => drawAll(document));

  // On paper a chart is scaled to its column (screens.css), in the colours of the light theme; afterwards all is as it was.
  const root = document.documentElement,
    drawings = () => /** @type {NodeListOf<SVGSVGElement>} */ (document.querySelectorAll(".plot .main-svg"));
  let theme = root.dataset.theme;
  addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
    drawAll(document);
    drawings().forEach((svg) =>
      svg.setAttribute("viewBox", `0 0 ${svg.width.baseVal.value} ${svg.height.baseVal.value}`),
    );
  });
  addEventListener("afterprint", () => {
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    drawings().forEach((svg) => svg.removeAttribute("viewBox"));
    drawAll(document);
  });
  document.addEventListener("htmx:load", (event) => {
    const { elt } = /** @type {CustomEvent} */ (event).detail;
    if (elt !== document.body) drawAll(elt.matches?.("[data-chart]") ? elt.parentElement : elt);
  });
  document.addEventListener("htmx:beforeCleanupElement", (event) => {
    const { elt } = /** @type {CustomEvent} */ (event).detail;
    if (elt.matches?.("[data-chart]")) Plotly.purge(elt);
  });
})();
