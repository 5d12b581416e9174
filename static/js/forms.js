// @ts-check
/* Forms: focus goes to the error summary, a form is sent once, and a step that needs a complete form says what is missing. */
(() => {
  /** @param {ParentNode} root */
  const focusSummary = (root) => /** @type {HTMLElement | null} */ (root.querySelector("[data-focus]:not([data-sample] *)"))?.focus();

  const say = () => {
    for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-needs]"))) {
      const ready = button.form?.checkValidity() ?? true;
      const why = ready ? null : button.dataset.needs || "";
      for (const name of ["title", "aria-description"]) why === null ? button.removeAttribute(name) : button.setAttribute(name, why);
      why === null ? button.removeAttribute("aria-disabled") : button.setAttribute("aria-disabled", "true");
    }
  };
  addEventListener("input", say);
  addEventListener("DOMContentLoaded", () => { focusSummary(document); say(); });
  document.addEventListener("htmx:afterSettle", (event) => { focusSummary(/** @type {CustomEvent} */ (event).detail.elt); say(); });

  /* What was chosen before anything listened counts too: a page is there before its scripts. */
  document.addEventListener("htmx:load", (event) => {
    if (/** @type {CustomEvent} */ (event).target !== document.body) return;
    for (const select of /** @type {NodeListOf<HTMLSelectElement>} */ (document.querySelectorAll("[hx-trigger*='change'] select"))) {
      const shown = [...select.options].find((each) => each.defaultSelected) ?? select.options[0];
      if (!select.multiple && shown && !shown.selected) select.dispatchEvent(new Event("change", { bubbles: true }));
    }
  });

  addEventListener("click", (event) => {
    if (/** @type {Element} */ (event.target).closest("[aria-disabled='true']")) event.preventDefault();
  }, true);

  addEventListener("submit", (event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (event.defaultPrevented || form.method !== "post" || form.matches("[hx-post], [data-hx-post]")) return;
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(() => /** @type {SubmitEvent} */ (event).submitter?.setAttribute("aria-busy", "true"), 300);
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) document.querySelectorAll("form[data-sent]").forEach((form) => form.removeAttribute("data-sent"));
  });
})();
