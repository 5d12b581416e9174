// @ts-check
/* Any number of classes per text: choosing ticks, Enter with an empty field saves. What is suggested is never ticked for anybody. */
(() => {
  const { element, named } = /** @type {any} */ (window).words;
  const page = /** @type {any} */ (window);
  /** @type {any} */
  const widgets = (page.widgets ??= {});

  /** @param {any} bench */
  widgets.multi_label = ({ byId, item, send, announce }) => {
    /** @type {Set<string>} */
    let ticked = new Set();
    let sure = false; // that no class fits: asked for by a second Enter
    const save = /** @type {HTMLElement} */ (document.getElementById("save-text"));
    const name = (id) => byId.get(id)?.name ?? "";
    const names = () => [...ticked].map(name).sort().join(", ");

    const report = () => {
      /** @type {HTMLElement} */ (document.getElementById("ticked")).replaceChildren(
        ...[...ticked]
          .sort((a, b) => name(a).localeCompare(name(b)))
          .flatMap((id) => [element("span", { class: "tag" }, named(name(id))), " "]),
      );
      save.textContent = ticked.size
        ? `Save ${ticked.size} ${ticked.size === 1 ? "label" : "labels"}`
        : sure
          ? "Save without labels"
          : "No label applies";
    };

    return {
      value: () => ({ labels: [...ticked] }),
      show: (it) => {
        ticked = new Set(it.previous?.labels ?? []);
        sure = false;
        report();
        return false;
      },
      choose: (id) => {
        sure = false;
        ticked.has(id) ? ticked.delete(id) : ticked.add(id);
        announce(`${name(id)} ${ticked.has(id) ? "selected" : "not selected"}, ${ticked.size} selected`);
        report();
      },
      save: () => {
        if (!item()) return;
        if (!ticked.size && !sure) {
          sure = true;
          report();
          announce("No label is selected. Press Enter again to save that no label applies.");
          return;
        }
        send({ labels: [...ticked] }, names() || "no label");
      },
      dress: (node, id) => {
        const on = ticked.has(id);
        node.classList.toggle("ticked", on);
        if (node.tagName === "BUTTON") {
          node.setAttribute("aria-pressed", String(on));
          return;
        }
        node.setAttribute("aria-checked", String(on));
      },
    };
  };
})();
