/* Search: Ctrl-K, Cmd-K, or / opens a dialog whose results are links. All text from the server is set as text. */
"use strict";

(function () {
  let dialog, input, list, status, asked = 0, timer, active = -1;

  function element(name, attributes, text) {
    const made = document.createElement(name);
    Object.entries(attributes || {}).forEach(function (pair) { made.setAttribute(pair[0], pair[1]); });
    if (text) made.textContent = text;
    return made;
  }

  function build() {
    dialog = element("dialog", { id: "search", class: "search", "aria-label": "Search" });
    input = element("input", {
      type: "text", class: "search-input", maxlength: "200", autocomplete: "off", spellcheck: "false", role: "combobox",
      placeholder: "Product, category, state, customer or order ID, page", "aria-label": "Search", "aria-autocomplete": "list",
      "aria-controls": "search-results", "aria-expanded": "false"
    });
    list = element("ul", { id: "search-results", class: "search-results", role: "listbox", "aria-label": "Results" });
    status = element("p", { class: "search-status", role: "status" });
    dialog.append(input, list, status);
    document.body.append(dialog);
    input.addEventListener("input", function () { clearTimeout(timer); timer = setTimeout(ask, 80); });
    input.addEventListener("keydown", onKey);
    list.addEventListener("click", function (event) {
      const option = event.target.closest("[role=option]");
      if (option) choose(option, event.ctrlKey || event.metaKey);
    });
    dialog.addEventListener("click", function (event) { if (event.target === dialog) dialog.close(); });
  }

  function open() {
    if (!dialog) build();
    if (dialog.open) return;
    input.value = "";
    show([], "");
    dialog.showModal();
    input.focus();
  }

  function ask() {
    const text = input.value.trim(), number = ++asked;
    if (!text) return show([], "");
    const query = new URLSearchParams({ q: text, at: location.pathname + location.search });
    fetch("/search?" + query).then(function (response) {
      if (!response.ok) throw new Error(String(response.status));
      return response.json();
    }).then(
      function (found) { if (number === asked) show(found, found.length ? "" : "Nothing found"); },
      function () { if (number === asked) show([], "The search is not available."); }
    );
  }

  function show(found, message) {
    list.replaceChildren(...found.map(function (item, place) {
      const option = element("li", { role: "option", id: "search-result-" + place, "aria-selected": "false", "data-href": item.href });
      option.append(element("span", { class: "search-label" }, item.label), element("span", { class: "search-kind" }, item.kind));
      return option;
    }));
    status.textContent = message;
    input.setAttribute("aria-expanded", String(found.length > 0));
    select(found.length ? 0 : -1);
  }

  function select(place) {
    const options = list.children;
    if (options[active]) options[active].setAttribute("aria-selected", "false");
    active = options.length ? (place + options.length) % options.length : -1;
    if (active < 0) return input.removeAttribute("aria-activedescendant");
    options[active].setAttribute("aria-selected", "true");
    options[active].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", options[active].id);
  }

  function onKey(event) {
    if (event.key === "ArrowDown") select(active + 1);
    else if (event.key === "ArrowUp") select(active - 1);
    else if (event.key === "Enter" && active >= 0) choose(list.children[active], event.ctrlKey || event.metaKey);
    else return;
    event.preventDefault();
  }

  /* app.js follows the link without a reload. */
  function choose(option, inNewTab) {
    dialog.close();
    const link = element("a", { href: option.dataset.href, "data-nav": "" });
    if (inNewTab) return window.open(link.href, "_blank", "noopener");
    document.body.append(link);
    link.click();
    link.remove();
  }

  document.addEventListener("click", function (event) {
    if (event.target.closest("#search-open")) open();
  });

  document.addEventListener("keydown", function (event) {
    const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
    const isSlash = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !isTyping;
    const isK = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
    if (!isSlash && !isK) return;
    event.preventDefault();
    open();
  });
})();
