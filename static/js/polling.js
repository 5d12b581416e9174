// @ts-check
/* Live parts ask again only while the page is seen, and every 10 s instead of 2 s once it has been open for 10 minutes. */
(() => {
  const opened = Date.now();
  /** @type {Map<string, number>} */
  const last = new Map();
  document.addEventListener("htmx:beforeRequest", (event) => {
    const { elt, requestConfig, pathInfo } = /** @type {CustomEvent} */ (event).detail;
    if (!elt.getAttribute("hx-trigger")?.startsWith("every") || requestConfig.triggeringEvent) return;
    const key = elt.id || pathInfo.requestPath;
    const now = Date.now();
    const slow = now - opened > 600_000 && now - (last.get(key) ?? 0) < 10_000;
    if (document.hidden || slow) event.preventDefault();
    else last.set(key, now);
  });
})();
