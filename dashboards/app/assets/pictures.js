/* A chart as a PNG file, and what a printed page needs. The browser draws both; no request is made. */
"use strict";

(function () {
  /* Whether the page follows neither dates nor filters. */
  function followsNone() {
    return document.querySelector("main.without-dates, main.is-broken, .panel") !== null;
  }

  /* The first and the last day of the page, as in 2024-03-06; empty on a page without dates. */
  function days() {
    if (followsNone()) return [];
    return ["date-from", "date-to"].map(function (id) { return document.getElementById(id).value; }).filter(Boolean);
  }

  /* The dates and the filters of the page in words. */
  function scope() {
    if (followsNone()) return "";
    const dates = days().map(function (day) { return window.writtenDate(day); });
    const chips = [...document.querySelectorAll("#chips .chip")].map(function (chip) {
      return (chip.getAttribute("aria-label") || "").replace("Remove filter: ", "");
    });
    return [...new Set(dates)].join(" – ") + chips.map(function (chip) { return " · " + chip; }).join("");
  }

  function escaped(text) {
    return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  }

  /* The chart with its title, dates, and filters above it, on the color of its card. */
  function picture(card, graph) {
    const style = getComputedStyle(card);
    const shown = graph._fullLayout;
    const margin = Object.assign({ t: 0, l: 0, r: 0, b: 0 }, graph.layout.margin);
    const layout = Object.assign({}, graph.layout, {
      width: Math.max(640, Math.round(shown.width)),
      height: Math.max(360, Math.round(shown.height)) + 84,
      margin: { t: 84 + margin.t, l: Math.max(24, margin.l), r: Math.max(24, margin.r), b: Math.max(24, margin.b) },
      paper_bgcolor: style.backgroundColor,
      /* A picture cannot load the fonts of the page. */
      font: Object.assign({}, graph.layout.font, { family: "Arial, Helvetica, sans-serif" }),
      title: {
        text: "<b>" + escaped(card.querySelector("h2").textContent) + "</b>",
        subtitle: { text: escaped(scope()), font: { size: 12, color: style.color } },
        x: 0, xanchor: "left", xref: "paper", y: 1, yref: "container", yanchor: "top", pad: { t: 22 },
        font: { size: 17, color: style.color }
      }
    });
    /* On the page, the legend of a donut is a list beside it. */
    const isDonut = graph.data.some(function (trace) { return trace.type === "pie"; });
    if (isDonut) Object.assign(layout, { showlegend: true, legend: { font: { color: style.color, size: 12 } } });
    return window.Plotly.toImage(
      { data: graph.data, layout: layout, config: { topojsonURL: "/assets/topojson/" } },
      { format: "png", width: layout.width, height: layout.height, scale: 2 }
    );
  }

  document.addEventListener("click", function (event) {
    const button = event.target.closest('[data-tool="png"]');
    const card = button && button.closest("[data-visual]");
    const graph = card && card.querySelector(".js-plotly-plot");
    if (!graph || !window.Plotly) return;
    button.disabled = true;
    picture(card, graph).then(function (address) {
      const link = document.createElement("a");
      link.href = address;
      link.download = [card.dataset.visual].concat(days()).join("_") + ".png";
      link.click();
    }).finally(function () { button.disabled = false; });
  });

  /* Plotly draws in pixels. A viewBox lets a chart shrink or grow with the paper, in the proportions of the screen. */
  window.addEventListener("beforeprint", function () {
    document.querySelector(".toolbar").dataset.scope = scope();
    document.querySelectorAll(".plot-frame").forEach(function (frame) {
      const graph = frame.querySelector(".js-plotly-plot");
      if (!graph || !graph._fullLayout || !frame.offsetWidth) return;
      const width = graph._fullLayout.width, height = graph._fullLayout.height;
      frame.style.setProperty("--drawn", width + " / " + height);
      frame.querySelectorAll(".main-svg").forEach(function (svg) {
        svg.setAttribute("viewBox", "0 0 " + width + " " + height);
      });
    });
  });

  window.addEventListener("afterprint", function () {
    document.querySelectorAll(".plot-frame .main-svg").forEach(function (svg) { svg.removeAttribute("viewBox"); });
  });
})();
