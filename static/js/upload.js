// @ts-check
/* Shows how much of a file has arrived, while htmx sends it. */
(() => {
  document.addEventListener("htmx:xhr:progress", (event) => {
    const { lengthComputable, loaded, total } = /** @type {CustomEvent} */ (event).detail;
    const form = /** @type {Element} */ (event.target).closest?.("[data-upload]");
    const box = /** @type {HTMLElement | null | undefined} */ (form?.querySelector("[data-upload-progress]"));
    const bar = box?.querySelector("progress"),
      say = box?.querySelector("[data-upload-say]");
    if (!box || !bar || !say || !lengthComputable) return;
    const percent = Math.floor((100 * loaded) / total);
    box.hidden = false;
    bar.value = percent;
    say.textContent = percent < 100 ? `${percent} %` : "100 %, looking through it";
  });
})();
