// @ts-check
/* A dialogue whose answers are edited. */
(() => {
  const { inert, element } = /** @type {any} */ (window).words;
  const page = /** @type {any} */ (window);
  /** @type {any} */
  const widgets = (page.widgets ??= {});
  const { keys, short } = page.writing;

  /** @param {any} bench */
  widgets.chat = ({ find, item, send, lack }) => {
    const box = /** @type {HTMLElement} */ (document.getElementById("utter"));
    /** @type {any[]} */
    let turns = [];
    const areas = () => /** @type {HTMLTextAreaElement[]} */ ([...box.querySelectorAll("textarea")]);
    /** The current dialogue. */
    const value = () => {
      const written = new Map(areas().map((area) => [Number(area.dataset.turn), area.value]));
      return { messages: turns.map((turn, at) => (written.has(at) ? { ...turn, content: written.get(at) } : turn)) };
    };
    const save = () => {
      if (!item()) return;
      const empty = areas().find((area) => !area.value.trim());
      if (empty) {
        lack("An assistant turn is empty. Fill it in, or skip the item.", empty);
        return;
      }
      send(value(), short(areas().at(-1)?.value ?? ""));
    };
    const button = /** @type {HTMLElement} */ (document.getElementById("save-text"));
    button.textContent = "Save";
    const mode = {
      /** @type {HTMLElement | undefined} */
      field: undefined,
      value,
      dirty: () => areas().some((area) => area.value !== turns[Number(area.dataset.turn)].content),
      show: (it) => {
        turns = it.previous?.messages ?? it.prelabeled?.messages ?? it.content.messages ?? [];
        if (turns.at(-1)?.role !== "assistant") turns = [...turns, { role: "assistant", content: "" }];
        box.replaceChildren(
          ...turns.map((turn, at) => {
            const made = element("article", { class: turn.role }, element("h2", {}, turn.role));
            if (turn.role !== "assistant" || turn.tool_calls) {
              made.append(element("div", { dir: "auto" }, inert(String(turn.content ?? "") || "a tool call")));
              return made;
            }
            const area = element("textarea", {
              class: "in",
              dir: "auto",
              "data-turn": String(at),
              rows: String(Math.min(12, 2 + Math.ceil(String(turn.content).length / 80))),
              "aria-label": `Turn ${at + 1}, assistant`,
            });
            area.value = turn.content;
            keys(area, save, find);
            made.append(area);
            return made;
          }),
        );
        mode.field = areas().at(-1);
        return true;
      },
      choose: () => {},
      save,
      dress: () => {},
    };
    return mode;
  };
})();
