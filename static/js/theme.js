// @ts-check
/* The theme: follows the system until someone switches; the server stores the choice and renders it, so nothing flashes. */
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const notify = () => dispatchEvent(new Event("theme"));

  /** @param {string} theme */
  const store = (theme) => {
    const url = document.querySelector("[data-theme-toggle][data-url]")?.getAttribute("data-url");
    const headers = JSON.parse(document.body.getAttribute("hx-headers") || "{}");
    if (url)
      fetch(url, { method: "POST", headers, body: new URLSearchParams({ theme }), redirect: "manual" }).catch(() => {});
    else sessionStorage.setItem("theme", theme);
  };

  const kept = sessionStorage.getItem("theme");
  if (!root.dataset.theme && kept && !document.querySelector("[data-theme-toggle][data-url]"))
    root.dataset.theme = kept;

  addEventListener("click", (event) => {
    if (!(event.target instanceof Element) || !event.target.closest("[data-theme-toggle]")) return;
    root.dataset.theme = isDark() ? "light" : "dark";
    store(root.dataset.theme);
    notify();
  });
  system.addEventListener("change", notify);
})();
