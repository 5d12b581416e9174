// @ts-check
/* Two to five responses in order. */
(() => {
  const page = /** @type {any} */ (window);
  const { stage } = page.responses;
  /** @type {any} */
  const widgets = (page.widgets ??= {});
  const letter = (at) => String.fromCharCode(65 + at);

  /** @param {any} bench */
  widgets.ranking = ({ find, item, send, draw, lack, announce }) => {
    /** @type {number[]} places on the screen, the best first */
    let ranked = [];
    const count = () => item()?.content.responses.length ?? 0;
    const report = () => {
      const left = count() - ranked.length;
      const button = /** @type {HTMLElement} */ (document.getElementById("save-text"));
      button.textContent = left ? `${left} to rank` : `Save ${ranked.map(letter).join(" > ")}`;
    };
    return {
      show: (it) => {
        const back = it.previous?.ranking ?? [];
        ranked = back.map((number) => it.content.order.indexOf(number));
        stage(it.content, (at) => `Response ${letter(at)}`);
        report();
        return true;
      },
      choose: (id) => {
        const at = Number(id);
        if (at >= count()) return;
        ranked = ranked.includes(at) ? ranked.filter((each) => each !== at) : [...ranked, at];
        if (ranked.length === count() - 1)
          ranked.push([...Array(count()).keys()].find((each) => !ranked.includes(each)) ?? 0);
        announce(ranked.length ? `Ranking: ${ranked.map(letter).join(", ")}` : "Nothing ranked");
        report();
      },
      save: () => {
        if (!item() || ranked.length < count()) {
          lack("Rank every response first.", find);
          return;
        }
        const { order } = item().content;
        send({ ranking: ranked.map((at) => order[at]) }, ranked.map(letter).join(" > "), { shown: order.join(",") });
      },
      key: (event) => {
        if (event.key !== "Backspace" || !ranked.length) return false;
        ranked = ranked.length === count() ? ranked.slice(0, -2) : ranked.slice(0, -1);
        report();
        draw();
        return true;
      },
      dress: (node, id) => {
        const at = Number(id);
        node.hidden = at >= count();
        const place = ranked.indexOf(at);
        node.classList.toggle("ticked", place >= 0);
        node.querySelector(".num").textContent = place < 0 ? "" : `${place + 1}.`;
      },
    };
  };
})();
