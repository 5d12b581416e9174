// @ts-check
/* A text that is written, and a dialogue whose answers are mended. Ctrl+Enter saves; Esc leaves the text, so that capitals act. */
(() => {
  const { inert, element, cut } = /** @type {any} */ (window).words;
  const page = /** @type {any} */ (window);
  /** @type {any} */
  const modes = (page.modes ??= {});
  const MOST = 1_500; // words of either side up to which the difference is shown

  /** What was kept, taken out and put in, word by word: the longest common subsequence. @param {string} before @param {string} after */
  const difference = (before, after) => {
    const [a, b] = [before.match(/\s+|\S+/gu) ?? [], after.match(/\s+|\S+/gu) ?? []];
    if (a.length > MOST || b.length > MOST) return null;
    const width = b.length + 1;
    const table = new Uint16Array((a.length + 1) * width);
    for (let i = a.length - 1; i >= 0; i -= 1)
      for (let j = b.length - 1; j >= 0; j -= 1)
        table[i * width + j] =
          a[i] === b[j]
            ? table[(i + 1) * width + j + 1] + 1
            : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    const pieces = [];
    for (let i = 0, j = 0; i < a.length || j < b.length; ) {
      if (i < a.length && j < b.length && a[i] === b[j]) {
        pieces.push(inert(a[i]));
        i += 1;
        j += 1;
      } else if (j < b.length && (i === a.length || table[i * width + j + 1] >= table[(i + 1) * width + j])) {
        pieces.push(element("ins", {}, inert(b[j])));
        j += 1;
      } else {
        pieces.push(element("del", {}, inert(a[i])));
        i += 1;
      }
    }
    return pieces;
  };

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
  const short = (text) => cut(text, 60);

  /** @param {any} bench */
  modes.free_text = ({ find, item, send, lack }) => {
    const area = /** @type {HTMLTextAreaElement} */ (document.getElementById("write"));
    const diff = /** @type {HTMLElement} */ (document.getElementById("diff"));
    let draft = "";
    const compare = () => {
      const pieces = draft && area.value !== draft ? difference(draft, area.value) : null;
      diff.hidden = !pieces;
      if (pieces) diff.replaceChildren(element("span", { class: "muted small" }, "Against the draft: "), ...pieces);
    };
    const save = () => {
      if (!item()) return;
      if (!area.value.trim()) {
        lack("Your text is empty. Write it, or skip the item.", area);
        return;
      }
      send({ text: area.value }, short(area.value.trim()));
    };
    keys(area, save, find);
    area.addEventListener("input", compare);
    const button = /** @type {HTMLElement} */ (document.getElementById("save-text"));
    button.textContent = "Save";
    return {
      field: area,
      value: () => ({ text: area.value }),
      dirty: () => area.value.trim() !== "" && area.value !== draft,
      show: (it) => {
        draft = it.proposed?.text ?? "";
        area.value = it.said?.text ?? draft;
        compare();
        return false;
      },
      choose: () => {},
      save,
      dress: () => {},
    };
  };

  /** @param {any} bench */
  modes.chat = ({ find, item, send, lack }) => {
    const box = /** @type {HTMLElement} */ (document.getElementById("utter"));
    /** @type {any[]} */
    let turns = [];
    const areas = () => /** @type {HTMLTextAreaElement[]} */ ([...box.querySelectorAll("textarea")]);
    /** The dialogue as it stands. */
    const value = () => {
      const written = new Map(areas().map((area) => [Number(area.dataset.turn), area.value]));
      return { messages: turns.map((turn, at) => (written.has(at) ? { ...turn, content: written.get(at) } : turn)) };
    };
    const save = () => {
      if (!item()) return;
      const empty = areas().find((area) => !area.value.trim());
      if (empty) {
        lack("An assistant turn is empty. Fill it in or skip the item.", empty);
        return;
      }
      send(value(), short(areas().at(-1)?.value.trim() ?? ""));
    };
    const button = /** @type {HTMLElement} */ (document.getElementById("save-text"));
    button.textContent = "Save";
    const mode = {
      /** @type {HTMLElement | undefined} */
      field: undefined,
      value,
      dirty: () => areas().some((area) => area.value !== turns[Number(area.dataset.turn)].content),
      show: (it) => {
        turns = it.said?.messages ?? it.proposed?.messages ?? it.content.messages ?? [];
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
              "aria-label": `Turn ${at + 1}, the assistant's`,
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
