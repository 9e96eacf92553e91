/* Bring the lines of an order into view when it opens, also on a page that a search leads to. */
"use strict";

(function () {
  let last = "";

  new MutationObserver(function () {
    const opened = document.querySelector(".orders .opened");
    const now = opened ? opened.textContent : "";
    if (now === last) return;
    last = now;
    if (opened) [opened, opened.previousElementSibling].forEach(function (row) { row.scrollIntoView({ block: "nearest" }); });
  }).observe(document.documentElement, { childList: true, subtree: true, characterData: true });
})();
