/* Keeps the page up to date. A WebSocket sends every event after the page's cursor, once and in order; htmx then reads
   the page's parts again from the server. Nothing here computes a balance or a state. After an outage the page continues
   after the last event that it has seen. The header always says how fresh the page is. */
"use strict";
(() => {
  const SILENCE = 60_000;   // ms without a frame (a heartbeat comes every 25 s): the connection is dead
  const LONGEST = 20_000;   // ms, longest wait before the next try
  const POLL = 5_000;       // ms between two readings while the server hears of events late, or of what is no event
  const GAP = 300;          // ms between two readings, so that a burst of events is one

  const pulse = document.getElementById("pulse");
  const banner = document.getElementById("banner");
  const clock = new Intl.DateTimeFormat(document.documentElement.lang, {timeStyle: "medium", hourCycle: "h23", timeZone: "America/Sao_Paulo"});

  // As the server writes values, in either language.
  const reais = new Intl.NumberFormat("pt-BR", {style: "currency", currency: "BRL"});

  let socket = null, tries = 0, retry = 0, heard = 0;
  let cursor = Number(pulse.dataset.cursor);    // the number of the last event that this page has seen
  let leaving = 0;                              // time at which the browser began to leave the page
  let slow = false;                             // the server hears of events late
  let greeted = false, goal = 0;                // the log's last number, as the server said
  let fresh = Date.now(), lost = 0;             // times: of the last reading, of losing the connection
  let missed = 0;                               // payments that came while the page was hidden
  let reading = 0, again = false, failed = false, after = 0;
  const last = new Map();                       // part's id -> its last answer: an equal one is not swapped in

  /* ── the header ── */
  function state() {
    if (!navigator.onLine) return "offline";
    if (failed) return "stale";
    if (socket?.readyState === WebSocket.OPEN && greeted) return lost || cursor < goal ? "catching" : slow ? "slow" : "live";
    if (lost && Date.now() - lost > 60_000) return "stale";
    return lost ? "reconnecting" : "connecting";
  }
  function show() {
    const now = state();
    let words = pulse.dataset[now];
    if (now === "reconnecting") words += ` ${Math.round((Date.now() - lost) / 1000)} s`;
    if (pulse.textContent !== words) pulse.firstElementChild.textContent = words;
    pulse.dataset.state = now;
    banner.hidden = !(now in banner.dataset);
    if (banner.hidden) return;
    const told = `${banner.dataset[now]} ${banner.dataset.since} ${clock.format(fresh)}.`;
    if (banner.textContent !== told) banner.textContent = told;
  }

  /* ── reading the parts again, one reading at a time ── */
  function read() {
    if (reading) { again = true; return; }
    clearTimeout(after);
    after = setTimeout(() => {
      again = failed = false;
      document.querySelectorAll("[hx-trigger=live]").forEach((part) => { reading += 1; htmx.trigger(part, "live"); });
      if (!reading) settled();
    }, Math.max(0, settledAt + GAP - Date.now()));
  }
  let settledAt = 0;
  function settled() {
    settledAt = Date.now();
    if (!failed) { fresh = settledAt; if (socket?.readyState === WebSocket.OPEN) lost = 0; }
    document.body.classList.remove("reading");
    title();
    say();
    show();
    if (again) read();
    else if (failed) setTimeout(read, 4_000 + Math.random() * 4_000);
  }
  // A charge's state for screen readers: the badge itself is swapped, so it is not announced.
  function say() {
    const status = document.getElementById("status")?.textContent, said = document.getElementById("said");
    if (said && said.textContent !== status) said.textContent = status;
  }
  document.addEventListener("htmx:beforeRequest", () => document.body.classList.add("reading"));
  document.addEventListener("htmx:beforeSwap", (event) => {
    const {target, xhr} = event.detail;
    if (xhr.status !== 200) return;
    if (last.get(target.id) === xhr.response) event.detail.shouldSwap = false;
    last.set(target.id, xhr.response);
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (!event.detail.successful) failed = true;
    reading = Math.max(0, reading - 1);
    if (!reading) settled();
  });

  /* ── the connection ── */
  function connect() {
    clearTimeout(retry);
    if (!navigator.onLine || socket?.readyState <= WebSocket.OPEN) return;
    const address = new URL(pulse.dataset.socket, location.href.replace(/^http/, "ws"));
    address.searchParams.set("after", cursor);
    const mine = socket = new WebSocket(address);
    heard = Date.now();
    greeted = slow = false;
    mine.onmessage = (event) => {
      if (mine !== socket) return;
      heard = Date.now();
      hear(JSON.parse(event.data));
      show();
    };
    mine.onclose = (event) => {
      if (mine !== socket) return;
      // While the browser leaves this page, as after a log-out here, the next page decides.
      if (event.code === 4401 && Date.now() - leaving > 5_000) { location.assign(`${pulse.dataset.login}?next=${encodeURIComponent(location.pathname + location.search)}`); return; }
      if (event.code === 4429) tries = Math.max(tries, 5);  // too many connections: ask seldom
      lose();
    };
  }
  function hear(frame) {
    if (frame.type === "hello") {
      greeted = true;
      tries = 0;
      goal = frame.head;
      if (lost) read();
    } else if (frame.type === "event" && frame.seq > cursor) {
      if (frame.seq > cursor + 1) return lose();  // a gap, which should not happen: connect again from the cursor
      cursor = frame.seq;
      const {topic, payload} = frame;  // a Pix by a static QR code pays no charge
      if (topic === "OPENPIX:CHARGE_COMPLETED" || topic === "OPENPIX:TRANSACTION_RECEIVED" && !payload.charge) received(payload.pix.value);
      read();
    } else if (frame.type === "head") {
      if (cursor < goal) return lose();           // a whole heartbeat behind: something is missing
      goal = frame.head;
    } else if (frame.type === "pace") {
      slow = !frame.live;
      if (slow) read();
    } else if (frame.type === "reset") {
      cursor = goal = frame.head;
      read();
    }
  }
  function received(value) {
    if (document.hidden) missed += 1;
    title();
    toast(value);
  }
  // Who is at another tab sees in this one's title how many payments came.
  function title() {
    const plain = document.title.replace(/^\(\d+\) /, ""), told = missed ? `(${missed}) ${plain}` : plain;
    if (document.title !== told) document.title = told;
  }
  function toast(value) {
    const toasts = document.getElementById("toasts"), made = document.createElement("p");
    made.textContent = `${toasts.dataset.paid}: ${reais.format(value / 100)}`;
    toasts.append(made);
    if (toasts.children.length > 3) toasts.firstElementChild.remove();
    setTimeout(() => made.remove(), 6_000);
  }
  function lose() {
    const old = socket;
    socket = null;
    old?.close();
    lost ||= Date.now();
    // Full jitter: after an outage pages must not all come back at once.
    retry = setTimeout(() => { if (Date.now() - lost > 30_000) read(); connect(); }, Math.random() * Math.min(LONGEST, 500 * 2 ** tries++));
    show();
  }
  function resume() {
    if (document.hidden) return;
    missed = 0;
    title();
    tries = 0;
    if (socket?.readyState === WebSocket.OPEN) read(); else connect();
    show();
  }
  setInterval(() => {
    if (socket && Date.now() - heard > SILENCE) lose();
    // The tries of a delivery are no events, or each of them would be delivered: a part that waits for one says so.
    const waits = slow || document.querySelector("[data-waits]");
    if (waits && !document.hidden && Date.now() - settledAt > POLL) read();
    show();
  }, 1000);
  addEventListener("beforeunload", () => { leaving = Date.now(); });
  addEventListener("online", resume);
  addEventListener("offline", () => lose());
  addEventListener("pageshow", (event) => event.persisted && resume());
  document.addEventListener("visibilitychange", resume);

  /* ── menus, and forms that are sent once ── */
  ["click", "focusin"].forEach((kind) => document.addEventListener(kind, (event) => {
    document.querySelectorAll("details.menu[open]").forEach((menu) => menu.contains(event.target) || menu.removeAttribute("open"));
  }));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") document.querySelectorAll("details.menu[open]").forEach((menu) => { menu.open = false; menu.firstElementChild.focus(); });
  });
  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!event.target.matches("[data-once]") || !button) return;
    if (event.target.dataset.sent) { event.preventDefault(); return; }
    event.target.dataset.sent = "yes";
    button.setAttribute("aria-busy", "true");
    button.textContent = button.dataset.busy ?? button.textContent;
  });

  // Registered after htmx, which initialises the page at the same event.
  document.addEventListener("DOMContentLoaded", () => { show(); connect(); });
})();
