/* Keeps the shopper's page up to date. The part's markup says how often htmx reads it, until its state is final. This script
   stops readings while the page is hidden, and says when one fails. */
"use strict";
(() => {
  const banner = document.getElementById("banner"), said = document.getElementById("said");
  const clock = new Intl.DateTimeFormat(document.documentElement.lang, {timeStyle: "medium", hourCycle: "h23", timeZone: "America/Sao_Paulo"});
  let fresh = Date.now();

  const read = () => htmx.trigger("#payment", "read");  // a part whose state is final does not listen to it
  document.addEventListener("htmx:beforeRequest", (event) => { if (document.hidden) event.preventDefault(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) read(); });
  addEventListener("online", read);
  addEventListener("offline", read);

  document.addEventListener("htmx:afterRequest", (event) => {
    banner.hidden = event.detail.successful === true;
    if (!banner.hidden) { banner.textContent = `${banner.dataset.said} ${banner.dataset.since} ${clock.format(fresh)}.`; return; }
    fresh = Date.now();
    const status = document.getElementById("status").textContent;
    if (event.detail.xhr.status !== 204) said.textContent = status;
  });
})();
