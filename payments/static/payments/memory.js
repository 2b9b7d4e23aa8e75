/* What this tab remembers for the person who is logged in: text that was typed and not sent, through a log-in, a change
   of language or a time offline; and the filter of the list that a charge was opened from. The text is forgotten when
   another page opens, everything at log-out. Nobody else who logs in here sees it. */
"use strict";
(() => {
  const who = document.body.dataset.user ?? "";  // empty on the log-in page
  const recall = (key) => { const kept = JSON.parse(sessionStorage.getItem(key)); return kept?.who === who ? kept.what : null; };
  const keep = (key, what) => sessionStorage.setItem(key, JSON.stringify({who, what}));

  /* ── forms ── */
  const here = `draft ${location.pathname}`;
  if (who) Object.keys(sessionStorage).filter((key) => key.startsWith("draft ") && key !== here).forEach((key) => sessionStorage.removeItem(key));
  const form = document.querySelector("form[data-draft]");
  if (form) {
    const fields = [...form.elements].filter((field) => field.name && !["hidden", "password", "submit"].includes(field.type));
    const draft = recall(here) ?? {};
    fields.forEach((field) => {
      if (!(field.name in draft)) return;
      if (field.type === "radio") field.checked = field.value === draft[field.name]; else field.value = draft[field.name];
    });
    form.addEventListener("input", () => keep(here, Object.fromEntries(
      fields.filter((field) => field.type !== "radio" || field.checked).map((field) => [field.name, field.value]))));
  }
  // Without network a browser would replace the page by its own error page.
  const unsent = () => document.querySelectorAll("[data-unsent]");
  document.addEventListener("submit", (event) => {
    if (event.target.action.endsWith("/logout")) sessionStorage.clear();
    const note = event.target.querySelector("[data-unsent]");
    if (!note || navigator.onLine) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    note.hidden = false;
    note.scrollIntoView({block: "nearest"});
  }, true);
  addEventListener("online", () => unsent().forEach((note) => { note.hidden = true; }));

  /* ── the way back ── */
  if (location.pathname === document.body.dataset.list) keep("list", location.search);
  document.querySelectorAll("a[data-back]").forEach((link) => { link.href = link.pathname + (recall("list") ?? "") + link.hash; });
})();
