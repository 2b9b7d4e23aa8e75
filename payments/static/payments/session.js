/* A session that has ended has ended in every tab: the log-in, which is shown only to who has none, tells the others. */
"use strict";
(() => {
  const {user, login} = document.body.dataset, tabs = new BroadcastChannel("session");
  if (!user) tabs.postMessage("ended");
  else tabs.onmessage = () => location.replace(`${login}?next=${encodeURIComponent(location.pathname + location.search)}`);
})();
