// @ts-check
/* What scrolls sideways can be reached and moved by keyboard: it takes the focus while it is wider than its place. */
(() => {
  const look = () => {
    for (const part of document.querySelectorAll(".tw, .code, .diff")) {
      if (part.scrollWidth > part.clientWidth + 1) part.setAttribute("tabindex", "0");
      else part.removeAttribute("tabindex");
    }
  };
  look();
  addEventListener("resize", look);
  document.addEventListener("htmx:afterSettle", look);
  document.addEventListener("toggle", look, true);
})();
