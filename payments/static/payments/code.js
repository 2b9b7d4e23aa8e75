/* The countdown and the copy button of a charge's code, for merchants and shoppers; and the buttons that print and share. */
"use strict";
(() => {
  const skew = Date.now() - Number(document.body.dataset.now) * 1000;

  function countdown() {
    const time = document.querySelector("[data-until]");
    if (!time) return;
    const left = Math.ceil(Number(time.dataset.until) - (Date.now() - skew) / 1000);
    const two = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(left / 3600);
    time.textContent = left <= 0 ? time.dataset.over
      : hours >= 48 ? time.dataset.shown ??= time.textContent
      : `${hours ? `${hours}:` : ""}${two(Math.floor(left / 60) % 60)}:${two(left % 60)}`;
  }
  setInterval(countdown, 1000);
  document.addEventListener("htmx:afterRequest", countdown);
  countdown();

  const said = new Map();  // a button's text for a moment after copying, kept when a reading swaps the button
  function speak() {
    document.querySelectorAll("[data-copy]").forEach((button) => {
      const words = button.dataset.words ??= button.textContent;
      const now = said.get(button.dataset.copy) ?? words;
      if (button.textContent !== now) button.textContent = now;
    });
  }
  document.addEventListener("htmx:afterRequest", speak);

  document.querySelectorAll("[data-print]").forEach((button) => { button.hidden = false; button.onclick = () => print(); });

  // A phone offers its own ways to send a link. The part that has the button may be read again, so the page is marked, not it.
  document.body.classList.toggle("can-share", "share" in navigator);
  document.addEventListener("click", (event) => {
    const {share, title} = event.target.closest("[data-share]")?.dataset ?? {};
    if (share) navigator.share({title, url: document.getElementById(share).value}).catch(() => {});  // closed again
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const id = button.dataset.copy, {done, failed} = button.dataset;
    try { await navigator.clipboard.writeText(document.getElementById(id).value); said.set(id, done); }
    catch { document.getElementById(id).select(); said.set(id, failed); }
    speak();
    setTimeout(() => { said.delete(id); speak(); }, 2500);
  });
})();
