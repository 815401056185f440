// What every page shares: dialogs, questions, toasts, the theme menu, what htmx says when it fails, and the "/" key.
(() => {
  const byId = (id) => document.getElementById(id);
  const words = (name) => document.body.dataset[name] || "";

  // --- Toasts: from HX-Trigger {"toast": {"text": …, "tone": "ok|info|warn|bad"}}, and from messages in the page ---

  const STAYS = new Set(["warn", "bad"]);

  function hideLater(card) {
    if (STAYS.has(card.dataset.tone)) return;
    let timer;
    const start = () => (timer = setTimeout(() => card.remove(), 8000));
    const stop = () => clearTimeout(timer);
    card.addEventListener("mouseenter", stop);
    card.addEventListener("focusin", stop);
    card.addEventListener("mouseleave", start);
    card.addEventListener("focusout", start);
    start();
  }

  function toast({ text, tone = "info", href = "", link = "" }) {
    const shown = [...document.querySelectorAll(".toast-card .text")].some((card) => card.firstChild?.data === text);
    const template = document.querySelector(`template[data-toast="${tone}"]`);
    if (!text || shown || !template) return;
    const card = template.content.firstElementChild.cloneNode(true);
    const place = card.querySelector(".text");
    place.append(text);
    if (href) place.append(" ", Object.assign(document.createElement("a"), { href, textContent: link || href }));
    byId("toasts").append(card);
    placeToasts();
    hideLater(card);
  }

  // An open dialog makes the rest of the page inert, toasts too: they go where they can be seen, heard and closed.
  function placeToasts(home = document.querySelector("dialog[open]") || document.body) {
    if (byId("toasts").parentElement !== home) home.append(byId("toasts"));
  }

  // --- Dialogs: a fragment swapped into #dialog is shown; an emptied one is closed ---

  function sync(dialog) {
    const full = dialog.innerHTML.trim() !== "";
    if (full && !dialog.open) dialog.showModal();
    if (!full && dialog.open) dialog.close();
    placeToasts();
    dialog.querySelector("[autofocus]")?.focus();
    keepFocus(dialog);
  }

  // What had the focus was swapped away: the next Tab must not leave the dialog.
  function keepFocus(dialog) {
    if (dialog.open && !dialog.contains(document.activeElement)) dialog.focus();
  }

  // What had the focus was swapped away from the page itself: it goes to what there is to choose in its stead.
  const CHOICES = "input:not([type=hidden]), select, textarea, button, a[href], summary";
  let hadFocus = false;

  function passFocus(place) {
    if (!hadFocus || document.activeElement !== document.body) return;
    const choices = [...place.querySelectorAll(CHOICES)].filter((choice) => choice.tabIndex >= 0 && choice.checkVisibility());
    (choices.find((choice) => choice.matches("[type=radio]:checked")) || choices[0])?.focus();
  }

  // A question before something that is hard to undo: hx-confirm, or data-confirm on a form or its button. What more it
  // says can stand around many of them, once.
  function ask(question, { confirmText = "", confirmAction = "" }, go) {
    const dialog = byId("confirm");
    dialog.querySelector("[data-question]").textContent = question;
    dialog.querySelector("[data-more]").textContent = confirmText;
    dialog.querySelector("[value=yes]").textContent = confirmAction || dialog.dataset.action;
    dialog.returnValue = "";
    dialog.addEventListener("close", () => dialog.returnValue === "yes" && go(), { once: true });
    dialog.showModal();
  }

  document.addEventListener("submit", (event) => {
    const asker = event.submitter?.dataset.confirm ? event.submitter : event.target;
    if (!asker.dataset.confirm || event.target.dataset.confirmed) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    ask(asker.dataset.confirm, asker.closest("[data-confirm-text]")?.dataset ?? asker.dataset, () => {
      event.target.dataset.confirmed = "yes";
      event.target.requestSubmit(event.submitter);
      delete event.target.dataset.confirmed;
    });
  }, true);

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close-dialog]")) event.target.closest("dialog")?.close();
    if (event.target.closest("[data-close-toast]")) event.target.closest(".toast-card").remove();
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      navigator.clipboard?.writeText(byId(copy.dataset.copy).value);
      byId(copy.dataset.copy).select();
      toast({ text: words("textCopied"), tone: "ok" });
    }
    const choice = event.target.closest("[data-theme-choice]");
    if (choice) window.theme.choose(choice.dataset.themeChoice);
    if (choice) markTheme();
  });

  function markTheme() {
    for (const button of document.querySelectorAll("[data-theme-choice]"))
      button.setAttribute("aria-pressed", button.dataset.themeChoice === window.theme.choice());
  }

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable], dialog[open]");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const search = byId("search");
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
  });

  // --- htmx ---

  // A list that acts on what is picked: who goes through it by keys picks with Enter, or by leaving it.
  let [keyed, picked] = [0, null];
  const isPicker = (it) => it.matches?.("select[data-acts]");

  function pick() {
    const select = picked;
    picked = null;
    if (select?.isConnected) select.dispatchEvent(new Event("change", { bubbles: true }));
  }

  document.addEventListener("keydown", (event) => {
    if (!isPicker(event.target)) return;
    keyed = event.timeStamp;
    if (event.key !== "Enter" || !picked) return;
    event.preventDefault();
    pick();
  }, true);

  document.addEventListener("change", (event) => {
    if (!event.isTrusted || !isPicker(event.target)) return;
    const isPassing = event.timeStamp - keyed < 100; // else it was picked with the mouse, or in the opened list
    picked = isPassing && event.target.value ? event.target : null;
    if (isPassing) event.stopImmediatePropagation();
  }, true);

  document.addEventListener("focusout", (event) => event.target === picked && pick());

  // Tabs that do not fit are scrolled; the one that is open is in sight.
  function showOpenTab(part = document) {
    for (const tab of part.querySelectorAll(".nav-tabs [aria-current]")) {
      const [bar, at] = [tab.closest(".nav-tabs"), tab.getBoundingClientRect()];
      bar.scrollLeft += at.left + at.width / 2 - bar.getBoundingClientRect().left - bar.clientWidth / 2;
    }
  }

  // Back shows a page as it was left. One that asks for a decision shows what is the case by now.
  window.addEventListener("pageshow", (event) => event.persisted && document.querySelector("[data-fresh]") && location.reload());

  function start() {
    markTheme();
    showOpenTab();
    document.querySelectorAll(".toast-card").forEach(hideLater);
    byId("confirm").addEventListener("close", () => placeToasts());
    byId("dialog").addEventListener("close", (event) => {
      placeToasts();
      event.target.replaceChildren();
    });
    const on = (name, act) => document.body.addEventListener(name, act);
    on("toast", (event) => toast(event.detail));
    on("closeDialog", () => byId("dialog").close());
    on("htmx:afterSwap", (event) => event.detail.target.id === "dialog" && sync(event.detail.target));
    on("htmx:beforeSwap", (event) => (hadFocus = event.detail.target.contains(document.activeElement)));
    on("htmx:afterSettle", (event) => passFocus(event.target));
    on("htmx:afterSettle", () => keepFocus(byId("dialog")));
    on("htmx:afterSettle", (event) => showOpenTab(event.target));
    let width = window.innerWidth;
    window.addEventListener("resize", () => {
      if (width !== window.innerWidth) showOpenTab();
      width = window.innerWidth;
    });
    on("htmx:confirm", (event) => {
      if (!event.detail.question) return;
      event.preventDefault();
      ask(event.detail.question, event.target.dataset, () => event.detail.issueRequest(true));
    });
    on("htmx:beforeSwap", (event) => event.detail.target.id === "dialog" && placeToasts(document.body));
    // Signed out meanwhile: the answer is the sign-in page, which belongs in no corner of this one.
    on("htmx:beforeSwap", (event) => {
      const path = new URL(event.detail.xhr.responseURL || location.href).pathname;
      if (!words("loginUrl") || path !== words("loginUrl") || location.pathname === path) return;
      event.detail.shouldSwap = false;
      const back = `${path}?next=${encodeURIComponent(location.pathname + location.search)}`;
      toast({ text: words("textSignedOut"), tone: "warn", href: back, link: words("textSignIn") });
    });
    on("htmx:responseError", (event) => toast({ text: words(event.detail.xhr.status === 403 ? "textDenied" : "textError"), tone: "bad" }));
    on("htmx:sendError", () => toast({ text: words("textOffline"), tone: "bad" }));
    on("htmx:timeout", () => toast({ text: words("textOffline"), tone: "bad" }));
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
