/* Views saved by name, in this browser only: nothing is sent to the server. Names are set as text, never as HTML. */
"use strict";

(function () {
  const KEY = "saved-views", MOST = 50, LONGEST = 60;

  function element(name, attributes, text) {
    const made = document.createElement(name);
    Object.entries(attributes || {}).forEach(function (pair) { made.setAttribute(pair[0], pair[1]); });
    if (text) made.textContent = text;
    return made;
  }

  /* What is stored may have been changed by hand: keep only names with an address on this server. */
  function saved() {
    let stored = [];
    try { stored = JSON.parse(localStorage.getItem(KEY) || "[]"); } catch (error) { /* blocked or malformed */ }
    return (Array.isArray(stored) ? stored : []).filter(function (view) {
      return view && typeof view.name === "string" && view.name && view.name.length <= LONGEST
        && typeof view.address === "string" && /^\/(?![\/\\])/.test(view.address);
    }).slice(0, MOST);
  }

  function store(views) {
    try {
      localStorage.setItem(KEY, JSON.stringify(views));
      return true;
    } catch (error) {
      return false;
    }
  }

  function copy(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    /* Browsers offer the clipboard only over HTTPS and on this machine. */
    const field = element("textarea", { class: "sr", "aria-hidden": "true" });
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    return Promise.resolve();
  }

  function fill(menu) {
    const details = element("details", { class: "menu-details" });
    const summary = element("summary", { class: "menu-summary" }, "Views");
    const panel = element("div", { class: "menu-panel" });
    const form = element("form", { class: "menu-form" });
    const name = element("input", { id: "view-name", type: "text", maxlength: String(LONGEST), placeholder: "Name of this view", "aria-label": "Name of this view", autocomplete: "off", required: "" });
    const list = element("ul", { class: "menu-list", "aria-label": "Saved views" });
    const status = element("p", { class: "menu-status", role: "status" });
    form.append(name, element("button", { class: "button", type: "submit" }, "Save"));
    panel.append(form, list, status);
    details.append(summary, panel);
    menu.append(details);

    function show() {
      const views = saved();
      list.replaceChildren(...views.map(function (view) {
        const item = element("li");
        const open = element("a", { href: view.address, "data-nav": "" }, view.name);
        const link = element("button", { type: "button", class: "menu-button", "aria-label": "Copy link to " + view.name }, "Copy link");
        const remove = element("button", { type: "button", class: "menu-button", "aria-label": "Delete " + view.name }, "Delete");
        open.addEventListener("click", function () { details.open = false; });
        link.addEventListener("click", function () {
          copy(location.origin + view.address).then(
            function () { status.textContent = "Link copied."; },
            function () { status.textContent = "The browser does not allow copying."; }
          );
        });
        remove.addEventListener("click", function () {
          store(saved().filter(function (other) { return other.name !== view.name; }));
          show();
          status.textContent = "Deleted " + view.name + ".";
          name.focus();
        });
        item.append(open, link, remove);
        return item;
      }));
      if (!views.length) status.textContent = "No saved views yet. They stay in this browser.";
    }

    form.addEventListener("submit", function (event) {
      event.preventDefault();
      const text = name.value.trim();
      if (!text) return;
      const others = saved().filter(function (view) { return view.name !== text; });
      if (others.length >= MOST) {
        status.textContent = "There is room for " + MOST + " views. Delete one first.";
        return;
      }
      const views = others.concat({ name: text, address: location.pathname + location.search });
      views.sort(function (one, other) { return one.name.localeCompare(other.name); });
      const isStored = store(views);
      show();
      status.textContent = isStored ? "Saved " + text + "." : "The browser does not allow saving.";
      if (isStored) name.value = "";
    });

    details.addEventListener("toggle", function () { if (details.open) { status.textContent = ""; show(); } });
    details.addEventListener("keydown", function (event) {
      if (event.key === "Escape") { details.open = false; summary.focus(); }
    });
    document.addEventListener("click", function (event) {
      if (!details.contains(event.target) && event.target.isConnected) details.open = false;
    });
  }

  /* Dash draws the toolbar some time after the page has loaded. */
  const waiting = new MutationObserver(function () {
    const menu = document.getElementById("views");
    if (!menu) return;
    waiting.disconnect();
    if (!menu.childElementCount) fill(menu);
  });
  waiting.observe(document.documentElement, { childList: true, subtree: true });
})();
