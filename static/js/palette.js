// @ts-check
/* The palette: opens in a dialog, arrows move through the results, Enter goes there. Without script its link leads to the page. */
(() => {
  const dialog = /** @type {HTMLDialogElement | null} */ (document.getElementById("palette"));
  const input = /** @type {HTMLInputElement | null} */ (dialog?.querySelector("input") ?? null);
  const list = document.getElementById("palette-results");
  if (!dialog || !input || !list) return;
  const options = () => [...list.querySelectorAll("a[role=option]")];

  /** @param {number} to */
  const select = (to) => {
    const all = options();
    all.forEach((option, at) => option.setAttribute("aria-selected", String(at === to)));
    if (all[to]) {
      input.setAttribute("aria-activedescendant", all[to].id);
      all[to].scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  };
  const open = () => {
    if (dialog.open) return;
    input.value = "";
    dialog.showModal();
    input.focus();
    input.dispatchEvent(new Event("palette-open"));
  };
  addEventListener("open-palette", open);
  addEventListener("click", (event) => {
    if (/** @type {Element} */ (event.target).closest("[data-palette]")) {
      event.preventDefault();
      open();
    }
  });
  list.addEventListener("htmx:afterSettle", () => select(0));
  input.addEventListener("keydown", (event) => {
    const all = options(),
      at = all.findIndex((option) => option.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      select((at + (event.key === "ArrowDown" ? 1 : all.length - 1)) % Math.max(1, all.length));
    } else if (event.key === "Enter" && all[at]) {
      event.preventDefault();
      location.assign(/** @type {HTMLAnchorElement} */ (all[at]).href);
    }
  });
})();
