// @ts-check
/* Ticked rows, on a form with [data-pick]: all of a page at once, a range with Shift, `x` on the focused row, and how many there are. */
(() => {
  /** @param {HTMLFormElement} form */
  const boxes = (form) =>
    /** @type {HTMLInputElement[]} */ ([...document.querySelectorAll(`input[type=checkbox][name][form="${form.id}"]`)]);
  const form = () => /** @type {HTMLFormElement | null} */ (document.querySelector("form[data-pick]"));
  /** @type {HTMLInputElement | null} */
  let last = null;

  const say = () => {
    const found = form();
    if (!found) return;
    const all = boxes(found),
      ticked = all.filter((box) => box.checked).length;
    const every = /** @type {HTMLInputElement | null} */ (found.querySelector("[data-pick-all]"));
    const button = found.querySelector("button"),
      status = found.querySelector("[role=status]");
    if (every) {
      every.checked = ticked > 0 && ticked === all.length;
      every.indeterminate = ticked > 0 && ticked < all.length;
    }
    found.querySelector("[data-pick-every]")?.removeAttribute("hidden");
    if (status) status.textContent = ticked ? `${ticked} selected` : "";
    const why = {
      "aria-disabled": "true",
      title: found.dataset.pick || "",
      "aria-description": found.dataset.pick || "",
    };
    for (const [name, value] of Object.entries(why))
      ticked ? button?.removeAttribute(name) : button?.setAttribute(name, value);
  };

  addEventListener("change", (event) => {
    const box = /** @type {HTMLInputElement} */ (event.target),
      found = form();
    if (!found) return;
    if (box.matches("[data-pick-all]")) for (const each of boxes(found)) each.checked = box.checked;
    if (box === found.querySelector("[data-pick-all]") || boxes(found).includes(box)) say();
  });

  addEventListener("click", (event) => {
    const box = /** @type {HTMLInputElement} */ (event.target),
      found = form(),
      all = found ? boxes(found) : [];
    if (!all.includes(box)) return;
    if (event.shiftKey && last && all.includes(last)) {
      const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
      for (const each of all.slice(from, to + 1)) each.checked = box.checked;
    }
    last = box;
    say();
  });

  addEventListener("keydown", (event) => {
    if (event.key !== "x" || event.ctrlKey || event.metaKey || event.altKey || document.body.dataset.keys === "off")
      return;
    const found = form(),
      row = document.activeElement?.closest("tr");
    if (found)
      boxes(found)
        .find((box) => row?.contains(box))
        ?.click();
  });

  addEventListener("DOMContentLoaded", say);
  addEventListener("pageshow", say);
  document.addEventListener("htmx:afterSettle", say);
})();
