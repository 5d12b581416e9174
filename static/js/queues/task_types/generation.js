// @ts-check
/* A text that is written. */
(() => {
  const { inert, element } = /** @type {any} */ (window).words;
  const page = /** @type {any} */ (window);
  /** @type {any} */
  const widgets = (page.widgets ??= {});
  const { keys, short } = page.writing;
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

  /** @param {any} bench */
  widgets.generation = ({ find, item, send, lack }) => {
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
      send({ text: area.value }, short(area.value));
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
        draft = it.prelabeled?.text ?? "";
        area.value = it.previous?.text ?? draft;
        compare();
        return false;
      },
      choose: () => {},
      save,
      dress: () => {},
    };
  };
})();
