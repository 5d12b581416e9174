// @ts-check
/* Dialogs: `commandfor` + `command` where the browser does not know them yet; typed confirmation; closing after a good answer; keys after closing. */
(() => {
  const native = "commandForElement" in HTMLButtonElement.prototype;

  addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    const button = target.closest("[commandfor]");
    if (button && !native && button.getAttribute("aria-disabled") !== "true") {
      const dialog = /** @type {HTMLDialogElement | null} */ (
        document.getElementById(button.getAttribute("commandfor") || "")
      );
      if (button.getAttribute("command") === "show-modal" && !dialog?.open) dialog?.showModal();
      if (button.getAttribute("command") === "close") dialog?.close();
    }
    if (target instanceof HTMLDialogElement && target.matches(".palette")) target.close(); // a click on the backdrop
  });

  // Where nothing had the focus before, what had it in the dialog keeps it until the next frame, in which "close" comes too, and a key pressed
  // by then would be lost.
  new MutationObserver((changes) => {
    const focused = document.activeElement;
    if (
      focused instanceof HTMLElement &&
      changes.some(({ target }) => target instanceof HTMLDialogElement && !target.open && target.contains(focused))
    )
      focused.blur();
  }).observe(document, { subtree: true, attributeFilter: ["open"] });

  /** @param {HTMLInputElement} input */
  const lock = (input) => {
    const sure = /** @type {HTMLButtonElement | null} */ (input.form?.querySelector(".sure") ?? null);
    if (sure) sure.disabled = input.value.trim() !== input.dataset.match;
  };
  addEventListener("input", (event) => {
    if (event.target instanceof HTMLInputElement && event.target.dataset.match !== undefined) lock(event.target);
  });
  /** @param {ParentNode} root */
  const lockAll = (root) =>
    root.querySelectorAll("input[data-match]").forEach((input) => lock(/** @type {HTMLInputElement} */ (input)));
  addEventListener("DOMContentLoaded", () => lockAll(document));
  document.addEventListener("htmx:load", (event) => lockAll(/** @type {CustomEvent} */ (event).detail.elt));

  document.addEventListener("htmx:afterRequest", (event) => {
    const { elt, successful, xhr } = /** @type {CustomEvent} */ (event).detail;
    const dialog = elt instanceof Element && elt.matches("form") ? elt.closest("dialog") : null;
    if (dialog && successful && xhr.status < 300) dialog.close();
  });
})();
