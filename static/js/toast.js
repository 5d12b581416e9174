// @ts-check
/* Toasts go after 6 s, not while they are hovered or focused; errors stay. Lost connections and failed responses are reported here. */
(() => {
  const corner = document.getElementById("toasts");
  if (!corner) return;

  /** @param {HTMLElement} toast */
  const age = (toast) => {
    if (toast.dataset.aged || toast.getAttribute("role") === "alert") return;
    toast.dataset.aged = "yes";
    const go = () => (toast.matches(":hover, :focus-within") ? setTimeout(go, 2000) : toast.remove());
    setTimeout(go, 6000);
  };
  const ageAll = () =>
    corner.querySelectorAll("[data-toast]").forEach((toast) => age(/** @type {HTMLElement} */ (toast)));
  new MutationObserver(ageAll).observe(corner, { childList: true, subtree: true });
  ageAll();

  /** @param {string} kind @param {string} text */
  const say = (kind, text) => {
    const toast = document.createElement("div");
    const state = document.createElement("span");
    const close = document.createElement("button");
    toast.className = "toast";
    toast.dataset.toast = "";
    toast.setAttribute("role", kind === "bad" ? "alert" : "status");
    state.className = `st ${kind}`;
    state.textContent = text;
    close.className = "btn small";
    close.type = "button";
    close.dataset.close = "";
    close.textContent = "Close";
    toast.append(state, close);
    if (![...corner.querySelectorAll(".st")].some((other) => other.textContent === text)) corner.append(toast);
  };
  addEventListener("toast", (event) =>
    say(/** @type {CustomEvent} */ (event).detail.kind, /** @type {CustomEvent} */ (event).detail.text),
  );

  addEventListener("click", (event) =>
    /** @type {Element} */ (event.target)
      .closest("[data-toast] [data-close]")
      ?.closest("[data-toast]")
      ?.remove(),
  );

  document.addEventListener("htmx:sendError", () => say("bad", "No connection. What you see may be old"));
  document.addEventListener("htmx:responseError", (event) => {
    const status = /** @type {CustomEvent} */ (event).detail.xhr.status;
    say(
      "bad",
      status === 404
        ? "It is no longer there. Reload the page"
        : status >= 500
          ? "The server failed to answer. Nothing on this page was changed"
          : `The server refused (${status}). Reload the page`,
    );
  });
})();
