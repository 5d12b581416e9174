// @ts-check
/* The navigation as a drawer on narrow screens: opens with the button, closes with Escape or a click beside it. */
(() => {
  const toggle = /** @type {HTMLElement | null} */ (document.querySelector(".navtoggle"));
  const nav = document.getElementById("nav");
  if (!toggle || !nav) return;

  /** @param {boolean} open */
  const set = (open) => {
    document.body.classList.toggle("navopen", open);
    toggle.setAttribute("aria-expanded", String(open));
    if (open) nav.querySelector("a")?.focus();
  };
  addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (target.closest(".navtoggle")) set(!document.body.classList.contains("navopen"));
    else if (document.body.classList.contains("navopen") && !target.closest(".nav")) set(false);
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !document.body.classList.contains("navopen") || nav.querySelector(":popover-open"))
      return;
    set(false);
    toggle.focus();
  });
})();
