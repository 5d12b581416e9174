// @ts-check
/* What is common to all that is written: Ctrl+Enter saves; Esc leaves the text, so that capitals act. */
/** @type {any} */ (window).writing = (() => {
  const { cut } = /** @type {any} */ (window).words;

  /** @param {HTMLTextAreaElement} area @param {() => void} save @param {HTMLElement} out */
  const keys = (area, save, out) =>
    area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        if (!event.repeat) save();
      }
      if (event.key === "Escape") {
        event.preventDefault();
        out.focus({ preventScroll: true });
      }
    });

  /** What was written, as a line. @param {string} text */
  const short = (text) => cut(text.trim(), 60);
  return { keys, short };
})();
