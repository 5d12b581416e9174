// @ts-check
/* Review: digits accept, O another class, R returns, J and K move, Enter settles, Shift+U undoes. Each key presses a button of the page. */
(() => {
  const form = /** @type {HTMLFormElement} */ (document.getElementById("decide"));
  const confirm = /** @type {HTMLButtonElement} */ (document.getElementById("confirm"));
  const other = /** @type {HTMLInputElement} */ (document.getElementById("other"));
  const reason = /** @type {HTMLTextAreaElement} */ (document.getElementById("reason"));
  if (!form || !confirm || !other) return;
  const text = /** @type {HTMLElement} */ (document.getElementById("confirm-text"));
  const accepts = /** @type {NodeListOf<HTMLButtonElement>} */ (form.querySelectorAll("[data-letter]"));
  const proposed = reason.value;

  /** @param {HTMLButtonElement} button */
  const pick = (button) => {
    if (button.getAttribute("aria-disabled") === "true") return;
    const was = confirm.value;
    confirm.value = button.value;
    other.value = "";
    text.textContent = `Accept ${button.dataset.letter} and go on`;
    if (was !== button.value && reason.value === proposed) reason.value = "";
    mark();
  };
  const mark = () => {
    for (const button of accepts) {
      const chosen = !other.value && button.value === confirm.value;
      button.setAttribute("aria-pressed", String(chosen));
      button.closest("article")?.classList.toggle("pick", chosen);
    }
  };
  for (const button of accepts) button.addEventListener("click", (event) => { event.preventDefault(); pick(button); });
  other.addEventListener("input", () => { text.textContent = other.value ? "Decide and go on" : "Accept and go on"; if (other.value && reason.value === proposed) reason.value = ""; mark(); });
  other.addEventListener("keydown", (event) => {
    if (event.key === "Enter") { event.preventDefault(); if (other.value) reason.focus(); }
    if (event.key === "Escape") { other.value = ""; other.blur(); mark(); }
  });
  reason.addEventListener("keydown", (event) => { if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); confirm.click(); } });
  mark();

  document.querySelector("select[name=order]")?.addEventListener("change", (event) => /** @type {HTMLSelectElement} */ (event.target).form?.requestSubmit());
  const sort = document.getElementById("order-go");
  if (sort) sort.hidden = true;

  const press = (id) => document.getElementById(id)?.click();
  addEventListener("keydown", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.body.dataset.keys === "off") return;
    if (document.querySelector("dialog[open]") || target.closest("input, textarea, select")) return;
    const digit = [...accepts].find((button) => button.dataset.key === event.key);
    if (digit) pick(digit);
    else if (event.key === "o") other.focus();
    else if (event.key === "r") press("return");
    else if (event.key === "j") press("next");
    else if (event.key === "k") press("previous");
    else if (event.key === "U") press("undo");
    else if (event.key === "Enter" && !target.closest("a, button")) press("confirm");
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);
})();
