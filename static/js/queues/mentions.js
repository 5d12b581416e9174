// @ts-check
/* Names behind an @: what is typed is completed from the people who may read it, by arrow keys and Enter. Typing alone does as well. */
(() => {
  const LATER = 120; // ms without a key before people are asked for
  let serial = 0;

  /** @param {HTMLTextAreaElement} field */
  const attach = (field) => {
    const list = document.createElement("ul");
    list.className = "people";
    list.id = `people-${++serial}`;
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "People");
    list.hidden = true;
    const status = document.createElement("span");
    status.className = "vh";
    status.setAttribute("role", "status");
    field.after(list, status);
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", list.id);
    let active = 0;
    let asked = 0;
    let timer = 0;

    /** The name that is being typed: where its @ stands, and what follows. */
    const typed = () => {
      const before = field.value.slice(0, field.selectionStart);
      const found = /(^|[^\w`.+-])@([\w.+-]*)$/.exec(before);
      return found && field.selectionStart === field.selectionEnd
        ? { at: before.length - found[2].length, word: found[2] }
        : null;
    };
    const rows = () => /** @type {HTMLElement[]} */ ([...list.children]);
    const close = () => {
      asked += 1;
      clearTimeout(timer);
      list.hidden = true;
      list.replaceChildren();
      field.removeAttribute("aria-activedescendant");
    };
    const mark = () => {
      rows().forEach((row, at) => row.setAttribute("aria-selected", String(at === active)));
      field.setAttribute("aria-activedescendant", rows()[active].id);
      rows()[active].scrollIntoView({ block: "nearest" });
    };
    /** @param {string} name */
    const take = (name) => {
      const place = typed();
      if (place) field.setRangeText(`${name} `, place.at, field.selectionStart, "end");
      close();
      field.focus();
    };
    const ask = async () => {
      const place = typed();
      if (!place) {
        close();
        return;
      }
      const turn = ++asked;
      try {
        const response = await fetch(`${field.dataset.people}?q=${encodeURIComponent(place.word)}`, {
          headers: { Accept: "application/json" },
          redirect: "error",
        });
        const { people } = response.ok ? await response.json() : { people: [] };
        if (turn !== asked) return;
        active = 0;
        list.replaceChildren(
          ...people.map((/** @type {{name: string, shown: string}} */ each, /** @type {number} */ at) => {
            const row = document.createElement("li");
            row.id = `${list.id}-${at}`;
            row.setAttribute("role", "option");
            row.dataset.name = each.name;
            const name = document.createElement("b");
            name.textContent = `@${each.name}`;
            row.append(name, ` ${each.shown}`);
            return row;
          }),
        );
        list.hidden = !people.length;
        status.textContent = people.length
          ? `${people.length} ${people.length === 1 ? "person" : "people"}: arrow keys select, Enter inserts`
          : "No one with access has this name";
        people.length ? mark() : field.removeAttribute("aria-activedescendant");
      } catch {
        close();
      } // the server checks the names that are sent in any case
    };

    field.addEventListener("input", () => {
      clearTimeout(timer);
      if (typed()) timer = setTimeout(ask, LATER);
      else close();
    });
    field.addEventListener("keydown", (event) => {
      if (list.hidden || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
      const count = rows().length;
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        active = (active + (event.key === "ArrowDown" ? 1 : count - 1)) % count;
        mark();
      } else if (event.key === "Enter" || (event.key === "Tab" && !event.shiftKey))
        take(rows()[active].dataset.name ?? "");
      else if (event.key === "Escape") close();
      else return;
      event.preventDefault();
      event.stopImmediatePropagation();
    });
    list.addEventListener("pointerdown", (event) => {
      const row = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest("[data-name]"));
      if (row) {
        event.preventDefault();
        take(row.dataset.name ?? "");
      }
    });
    field.addEventListener("blur", close);
  };

  for (const field of /** @type {NodeListOf<HTMLTextAreaElement>} */ (
    document.querySelectorAll("textarea[data-people]")
  ))
    attach(field);
})();
