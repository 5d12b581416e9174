// @ts-check
/* A button with `data-print` prints the page. */
addEventListener("click", (event) => {
  if (/** @type {Element} */ (event.target).closest("[data-print]")) print();
});
