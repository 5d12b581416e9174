// @ts-check
/* Forms: focus goes to the error summary, a form is sent once, and a step that needs a complete form says what is missing. */
(() => {
  /** @param {ParentNode} root */
  const focusSummary = (root) =>
    /** @type {HTMLElement | null} */ (root.querySelector("[data-focus]:not([data-sample] *)"))?.focus();

  const say = () => {
    for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-needs]"))) {
      const ready = button.form?.checkValidity() ?? true;
      const why = ready ? null : button.dataset.needs || "";
      for (const name of ["title", "aria-description"])
        why === null ? button.removeAttribute(name) : button.setAttribute(name, why);
      why === null ? button.removeAttribute("aria-disabled") : button.setAttribute("aria-disabled", "true");
    }
  };
  addEventListener("input", say);
  addEventListener("DOMContentLoaded", () => {
    focusSummary(document);
    say();
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    focusSummary(/** @type {CustomEvent} */ (event).detail.elt);
    say();
  });

  /** Whether a field shows something else than its page came with; what is still being typed says so itself. @param {Element} field */
  const isChosen = (field) => {
    if (field instanceof HTMLSelectElement) {
      const shown = [...field.options].find((each) => each.defaultSelected) ?? field.options[0];
      return !field.multiple && shown && !shown.selected;
    }
    if (!(field instanceof HTMLInputElement)) return false;
    if (["checkbox", "radio"].includes(field.type)) return field.checked !== field.defaultChecked;
    return field.value !== field.defaultValue && field !== document.activeElement;
  };

  /* What was chosen before anything listened counts too: a page is there before its scripts. */
  document.addEventListener("htmx:load", (event) => {
    if (/** @type {CustomEvent} */ (event).target !== document.body) return;
    for (const form of document.querySelectorAll("form[hx-trigger*='change'], [hx-trigger*='change'] form")) {
      const chosen = [.../** @type {HTMLFormElement} */ (form).elements].find(isChosen);
      chosen?.dispatchEvent(new Event("change", { bubbles: true }));
    }
  });

  addEventListener(
    "click",
    (event) => {
      if (/** @type {Element} */ (event.target).closest("[aria-disabled='true']")) event.preventDefault();
    },
    true,
  );

  addEventListener("submit", (event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (event.defaultPrevented || form.method !== "post" || form.matches("[hx-post], [data-hx-post]")) return;
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(() => /** @type {SubmitEvent} */ (event).submitter?.setAttribute("aria-busy", "true"), 300);
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted)
      document.querySelectorAll("form[data-sent]").forEach((form) => form.removeAttribute("data-sent"));
  });
})();
