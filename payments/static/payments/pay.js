/* Keeps the shopper's page true. Its part says in its markup how often htmx reads it, and is without that once its state
   is final. Here: no reading while nobody looks, and a word where it cannot be read. */
"use strict";
(() => {
  const banner = document.getElementById("banner"), said = document.getElementById("said");
  const clock = new Intl.DateTimeFormat(document.documentElement.lang, {timeStyle: "medium", timeZone: "America/Sao_Paulo"});
  let fresh = Date.now();

  const read = () => htmx.trigger("#payment", "read");  // which a part of a final state does not listen to
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
