/* Client-side behavior: navigation without reloads, date inputs, dark mode, and the loading indicator. */
"use strict";

(function () {
  const root = document.documentElement;

  let waiting = 0;

  /* Show the loading indicator at once, and hide it again if no request follows. */
  function busy() {
    root.dataset.busy = "";
    setTimeout(idle, 3000);
  }

  function idle() {
    if (!waiting) delete root.dataset.busy;
  }

  window.addEventListener("popstate", busy);

  /* dcc.Location listens for this event and for popstate. */
  function go(address) {
    const here = location.pathname + location.search;
    if (address === here) return;
    const samePage = new URL(address, location.href).pathname === location.pathname;
    busy();
    history.pushState({}, "", address);
    window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
    if (!samePage) {
      window.scrollTo(0, 0);
      const main = document.getElementById("main");
      if (main) main.focus({ preventScroll: true });
    }
  }

  document.addEventListener("click", function (event) {
    const link = event.target.closest("a[data-nav]");
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    if (link.hasAttribute("data-retry")) location.reload();
    else go(link.getAttribute("href"));
  });

  /* A menu or a definition closes with a choice, a click elsewhere, and Escape. */
  function closeMenus(event) {
    if (event.type === "keydown" && event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open], details.info[open]")) {
      if (event.type === "click" && menu.contains(event.target) && !event.target.closest("a")) continue;
      if (event.type === "keydown" && menu.contains(document.activeElement)) menu.firstElementChild.focus();
      menu.open = false;
    }
  }

  document.addEventListener("click", closeMenus);
  document.addEventListener("keydown", closeMenus);

  /* Dash's input tries to set a text cursor, which date inputs don't support, so hide typing from it. */
  document.addEventListener("input", function (event) {
    if (event.target.type === "date") event.stopPropagation();
  }, true);

  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const FORMAT = new Intl.DateTimeFormat(root.dataset.locale, { dateStyle: "medium", timeZone: "UTC" });

  /* 2026-11-05 as the page writes it: 5 Nov 2026, or as the locale does. */
  function written(date) {
    if (root.dataset.locale !== "en-US") return FORMAT.format(new Date(date + "T00:00Z"));
    const parts = date.split("-").map(Number);
    return parts[2] + " " + MONTHS[parts[1] - 1] + " " + parts[0];
  }
  window.writtenDate = written;

  function writeDates() {
    for (const text of document.querySelectorAll(".date-text")) {
      const input = document.getElementById(text.dataset.of);
      const shown = input && input.value ? written(input.value) : "";
      if (text.textContent !== shown) text.textContent = shown;
      if (input) input.classList.toggle("is-written", Boolean(shown));
    }
  }

  /* React sets the attribute with the value. */
  new MutationObserver(function () {
    writeDates();
    showCurrent();
  }).observe(root, { subtree: true, childList: true, attributeFilter: ["value", "aria-current"] });

  document.addEventListener("change", function (event) {
    if (event.target.type !== "date") return;
    writeDates();
    event.stopPropagation();
    const from = document.getElementById("date-from");
    const to = document.getElementById("date-to");
    from.setCustomValidity("");
    to.setCustomValidity("");
    if (!from.value || !to.value) return;
    if (from.value > to.value) {
      const isFrom = event.target === from;
      event.target.setCustomValidity(isFrom
        ? "The start date is after the end date, " + written(to.value) + "."
        : "The end date is before the start date, " + written(from.value) + ".");
      event.target.reportValidity();
      return;
    }
    const query = new URLSearchParams(location.search);
    query.delete("range");
    query.delete("period");
    query.delete("page");
    query.delete("order");
    query.set("from", from.value);
    query.set("to", to.value);
    go(location.pathname + "?" + query.toString());
  }, true);

  document.addEventListener("click", function (event) {
    if (!event.target.closest("#theme-toggle")) return;
    const theme = root.dataset.theme === "dark" ? "light" : "dark";
    busy();
    root.dataset.theme = theme;
    document.cookie = "theme=" + theme + "; path=/; max-age=31536000; samesite=lax";
    window.dash_clientside.set_props("theme", { data: theme });
    label();
  });

  /* On a narrow screen, the current page and date range may be out of sight. */
  function showCurrent() {
    for (const bar of document.querySelectorAll("#nav, #presets")) {
      const current = bar.querySelector("[aria-current]");
      if (!current || bar.dataset.shown === current.textContent || bar.scrollWidth <= bar.clientWidth) continue;
      bar.dataset.shown = current.textContent;
      const left = current.getBoundingClientRect().left - bar.getBoundingClientRect().left;
      bar.scrollLeft += left - (bar.clientWidth - current.offsetWidth) / 2;
    }
  }

  function label() {
    const toggle = document.getElementById("theme-toggle");
    if (toggle) toggle.setAttribute("aria-pressed", String(root.dataset.theme === "dark"));
    const head = document.querySelector("main h1");
    if (head) document.title = head.textContent + " · Shop dashboards";
  }

  /* Dash shows neither that a request is pending nor that the server is unreachable. */
  const send = window.fetch;
  window.fetch = function (resource) {
    const url = typeof resource === "string" ? resource : resource.url;
    if (!url.includes("_dash-update-component")) return send.apply(this, arguments);
    waiting += 1;
    root.dataset.busy = "";
    const connection = document.getElementById("connection");
    return send.apply(this, arguments).then(
      function (response) {
        if (connection) connection.hidden = response.status < 500;
        return response;
      },
      function (error) {
        if (connection) connection.hidden = false;
        throw error;
      }
    ).finally(function () {
      waiting -= 1;
      idle();
      label();
    });
  };

  /* Dash omits the customdata of heat map cells. */
  function cell(id, point) {
    const graph = document.querySelector('[data-visual="' + id.visual + '"] .js-plotly-plot');
    const trace = graph && graph.data[point.curveNumber];
    if (!trace || trace.type !== "heatmap") return null;
    const row = trace.customdata[trace.y.indexOf(point.y)];
    return row && row[trace.x.indexOf(String(point.x))];
  }

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    dashboards: {
      /* Go to the URL of the clicked point. Clear clickData, so that a second click on the same point also counts. */
      clicked: function (clicks) {
        const place = clicks.findIndex(Boolean);
        if (place < 0) return window.dash_clientside.no_update;
        const point = clicks[place].points[0];
        const data = point.customdata || cell(window.dash_clientside.callback_context.inputs_list[0][place].id, point);
        if (data && data[0]) go(data[0]);
        return clicks.map(function () { return null; });
      }
    }
  });
})();
