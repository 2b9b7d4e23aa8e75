/* Ends a session in every tab: the log-in page, shown only without a session, sends the other tabs to the log-in too. */
"use strict";
(() => {
  const {user, login} = document.body.dataset, tabs = new BroadcastChannel("session");
  if (!user) tabs.postMessage("ended");
  else tabs.onmessage = () => location.replace(`${login}?next=${encodeURIComponent(location.pathname + location.search)}`);
})();
