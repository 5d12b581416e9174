// @ts-check
/* Single keys: / ? t, g and a letter, j and k through rows. Off while text is typed, and off for people who switched them off. */
(() => {
  let waiting = 0;

  /** @param {EventTarget | null} target */
  const typing = (target) =>
    target instanceof Element &&
    target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]") !== null;

  /** @param {number} by */
  const move = (by) => {
    const rows = [...document.querySelectorAll("main .tbl tbody tr:has(a), main [data-row]")];
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const row = rows[Math.min(rows.length - 1, Math.max(0, at + by))];
    rows.forEach((other) => other.removeAttribute("aria-selected"));
    if (row?.matches("tr")) row.setAttribute("aria-selected", "true");
    const link = row?.matches("a, button") ? row : row?.querySelector("a, button");
    if (link instanceof HTMLElement) link.focus();
  };

  /** @type {Record<string, () => void>} */
  const acts = {
    "/": () => dispatchEvent(new Event("open-palette")),
    "?": () => /** @type {HTMLDialogElement | null} */ (document.getElementById("keys"))?.showModal(),
    t: () => /** @type {HTMLElement | null} */ (document.querySelector("[data-theme-toggle]"))?.click(),
    j: () => move(1),
    k: () => move(-1),
    g: () => {
      waiting = Date.now();
    },
  };

  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (document.body.dataset.keys === "off" || document.querySelector("dialog[open]")) return;
    if (Date.now() - waiting < 1500) {
      waiting = 0;
      const link = /** @type {HTMLAnchorElement | null} */ (
        document.querySelector(`[data-go="${CSS.escape(event.key)}"]`)
      );
      if (link) {
        event.preventDefault();
        location.assign(link.href);
        return;
      }
    }
    if (acts[event.key]) {
      event.preventDefault();
      acts[event.key]();
    }
  });

  const own = /** @type {HTMLTemplateElement | null} */ (document.querySelector("template[data-keys-of-page]"));
  if (own) document.querySelector(".keylist")?.append(own.content);
})();
