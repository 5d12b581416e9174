// @ts-check
/* Copies what `data-copy` holds, or the text of the element that `data-copy-from` names. */
addEventListener("click", (event) => {
  const button = /** @type {Element} */ (event.target).closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const from = button.getAttribute("data-copy-from");
  const text = from ? document.getElementById(from)?.textContent : button.getAttribute("data-copy");
  navigator.clipboard?.writeText(text ?? "").then(
    () => dispatchEvent(new CustomEvent("toast", { detail: { kind: "ok", text: "Copied" } })),
    () =>
      dispatchEvent(
        new CustomEvent("toast", { detail: { kind: "bad", text: "Not copied: the browser does not allow it here" } }),
      ),
  );
});
