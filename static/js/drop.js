// @ts-check
/* A file field that also takes a dropped file, and says which one it holds and how large it is. */
(() => {
  /** @param {Element} zone */
  const input = (zone) => /** @type {HTMLInputElement} */ (zone.querySelector("input[type=file]"));
  /** @param {Event} event */
  const zoneOf = (event) => /** @type {Element} */ (event.target).closest?.("[data-drop]");

  for (const name of ["dragover", "dragleave", "drop"]) {
    addEventListener(name, (event) => {
      const zone = zoneOf(event);
      if (!zone) return;
      event.preventDefault();
      zone.classList.toggle("over", name === "dragover");
      const files = /** @type {DragEvent} */ (event).dataTransfer?.files;
      if (name !== "drop" || !files?.length) return;
      input(zone).files = files;
      input(zone).dispatchEvent(new Event("change", { bubbles: true }));
    });
  }
  addEventListener("change", (event) => {
    const zone = zoneOf(event),
      say = zone?.querySelector(".drop-say");
    if (!zone || !say) return;
    const file = input(zone).files?.[0];
    say.textContent = file
      ? `${file.name}, ${(file.size / 1e6).toFixed(file.size < 1e6 ? 3 : 1)} MB`
      : "Drop a file here, or choose one.";
  });
})();
