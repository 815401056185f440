// The Contacts list: how many are selected, and the keys. The list is swapped while one searches, so everything is looked up.
(() => {
  const list = () => document.getElementById("contacts");
  const boxes = () => [...list().querySelectorAll(".pick [name=contact]")];
  const wholePage = () => list().querySelector("[data-pick-page]");
  const everybody = () => list().querySelector(".selection-all > input");
  const names = () => [...list().querySelectorAll("tbody th > a")];
  const bar = () => list()?.querySelector(".selection-bar");
  const elsewhere = () => [...bar().querySelectorAll("[data-elsewhere]")];
  const picked = () => [...boxes().filter((box) => box.checked), ...elsewhere()];

  // --- Selection: the boxes and what is ticked on other pages are the truth, the bar and the box above them follow ---

  let last = null;

  // Back from the page that a long act led to: its dialog can be used again.
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("[data-takes-long].htmx-request")) {
      form.classList.remove("htmx-request");
      for (const button of form.querySelectorAll("[aria-disabled]")) button.removeAttribute("aria-disabled");
    }
  });

  function follow() {
    if (!bar()) return;
    const here = boxes().filter((box) => box.checked).length;
    const page = wholePage();
    page.checked = here > 0 && here === boxes().length;
    page.indeterminate = here > 0 && !page.checked;
    const counter = bar().querySelector(".selection-count");
    const { one, many, all } = counter.dataset;
    const ticked = picked().length;
    counter.textContent = everybody()?.checked ? all : ticked === 1 ? one : many.replace("#", ticked);
    keep(false);
  }

  function tick(ticked, some = boxes()) {
    for (const box of some) box.checked = ticked;
  }

  document.addEventListener("change", (event) => {
    const box = event.target;
    if (!list()?.contains(box)) return;
    if (box === wholePage() || box === everybody()) tick(box.checked);
    if (box === everybody()) forgetElsewhere();
    else if (everybody() && (box === wholePage() || !box.checked)) everybody().checked = false;
    follow();
    if (picked().length > MOST) tooMany(box);
  });

  // With Shift, all between this box and the one before.
  document.addEventListener("click", (event) => {
    if (!event.target.matches?.(".pick [name=contact]")) return;
    const all = boxes();
    const [from, to] = [all.indexOf(last), all.indexOf(event.target)].sort((a, b) => a - b);
    if (event.shiftKey && from >= 0) tick(event.target.checked, all.slice(from, to + 1));
    last = event.target;
  });

  document.addEventListener("reset", (event) => {
    if (event.target === bar()) forgetElsewhere();
    setTimeout(follow);
  });

  // --- Ticks go along to the list's other pages, and come back with Back; whoever comes anew begins with none ---

  const KEPT = "contacts-picked";
  const MOST = 200; // their numbers have to fit an address
  let isBack = false; // before that there is nothing to keep

  // The list in whatever order and columns, on whatever page.
  function whichList() {
    const query = new URLSearchParams(bar().querySelector("[name=query]").value);
    for (const name of ["page", "sort", "columns", "view"]) query.delete(name);
    query.sort();
    return query.toString();
  }

  function keep(along) {
    if (!isBack) return;
    const numbers = picked().map((input) => input.value);
    const all = Boolean(everybody()?.checked);
    if (!numbers.length && !all) sessionStorage.removeItem(KEPT);
    else sessionStorage.setItem(KEPT, JSON.stringify({ which: whichList(), along, all, numbers }));
  }

  function forgetElsewhere() {
    for (const input of elsewhere()) input.remove();
  }

  function bringBack(event) {
    const kept = JSON.parse(sessionStorage.getItem(KEPT));
    const isNew = !event.persisted && performance.getEntriesByType("navigation")[0]?.type === "navigate";
    isBack = true;
    if (!bar() || !kept || kept.which !== whichList() || (isNew && !kept.along)) return follow();
    const numbers = new Set(kept.all ? [] : kept.numbers);
    for (const box of boxes()) box.checked = kept.all || numbers.delete(box.value);
    if (everybody()) everybody().checked = kept.all;
    forgetElsewhere();
    for (const value of numbers) {
      const input = Object.assign(document.createElement("input"), { type: "hidden", name: "contact", value });
      input.dataset.elsewhere = "";
      bar().append(input);
    }
    follow();
  }

  function tooMany(box) {
    box.checked = false;
    for (const each of boxes().reverse()) if (picked().length > MOST) each.checked = false;
    follow();
    document.body.dispatchEvent(new CustomEvent("toast", { detail: { text: bar().dataset.textMost, tone: "warn" } }));
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (link && bar() && list().contains(link) && link.pathname === location.pathname) keep(true);
  });

  document.addEventListener("submit", (event) => {
    if (bar() && event.target.matches(".list-looks")) keep(true);
  });

  addEventListener("pageshow", bringBack);

  // --- Keys ---

  function move(step) {
    const all = names();
    const row = document.activeElement.closest("#contacts tbody tr");
    const at = row ? all.indexOf(row.querySelector("th > a")) + step : 0;
    all[Math.min(Math.max(at, 0), all.length - 1)]?.focus();
  }

  function pick() {
    const box = document.activeElement.closest("#contacts tbody tr")?.querySelector(".pick input");
    if (box) box.click();
  }

  const KEYS = { j: () => move(1), k: () => move(-1), x: pick, "?": () => document.getElementById("list-keys")?.click() };

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable], dialog[open]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key] || !list()) return;
    event.preventDefault();
    KEYS[event.key]();
  });

  // --- What takes long says that it does, and cannot be sent twice ---

  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || !event.target.matches("[data-takes-long]")) return;
    event.target.classList.add("htmx-request");
    for (const button of event.target.querySelectorAll(".dialog-foot .btn")) button.setAttribute("aria-disabled", "true");
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-takes-long].htmx-request .dialog-foot .btn")) event.preventDefault();
  });

  document.addEventListener("DOMContentLoaded", (event) => {
    bringBack(event);
    document.body.addEventListener("htmx:afterSettle", follow);
  });
})();
