// @ts-check
/* Two responses of which one is better, or two to five in order. They stand in an order by chance, which goes back with the answer; what
   is saved names them as the file does. */
(() => {
  const { inert, element } = /** @type {any} */ (window).words;
  const page = /** @type {any} */ (window);
  /** @type {any} */
  const modes = (page.modes ??= {});
  const written = (text) => element("div", { dir: "auto" }, inert(text));
  const letter = (at) => String.fromCharCode(65 + at);

  /** The prompt, a text or a dialogue, and the responses side by side. @param {any} content @param {(at: number) => string} title */
  const stage = (content, title) => {
    const said = (what) =>
      typeof what === "string"
        ? [element("article", {}, element("h2", {}, "Prompt"), written(what))]
        : what.map((turn) =>
            element("article", { class: turn.role }, element("h2", {}, turn.role), written(String(turn.content ?? ""))),
          );
    const answer = (what) => (typeof what === "string" ? what : what.map((turn) => turn.content).join("\n\n"));
    const sides = content.responses.map((what, at) =>
      element(
        "article",
        { class: "assistant", "data-at": String(at) },
        element("h2", {}, title(at)),
        written(answer(what)),
      ),
    );
    document
      .getElementById("utter")
      ?.replaceChildren(...(content.prompt ? said(content.prompt) : []), element("div", { class: "sides" }, ...sides));
  };

  /** @param {any} bench */
  modes.preference = ({ item, send, byId }) => ({
    show: (it) => {
      stage(it.content, (at) => (at ? "Right" : "Left"));
      return true;
    },
    choose: (id) => {
      const { order } = item().content;
      const file = (at) => (order[at] === 0 ? "first" : "second");
      const choice = id === "left" ? file(0) : id === "right" ? file(1) : id;
      send({ choice }, byId.get(id).name, { shown: order.join(",") });
    },
    save: () => {},
    dress: () => {},
  });

  /** @param {any} bench */
  modes.ranking = ({ find, item, send, draw, lack, announce }) => {
    /** @type {number[]} places on the screen, the best first */
    let ranked = [];
    const count = () => item()?.content.responses.length ?? 0;
    const tell = () => {
      const left = count() - ranked.length;
      const button = /** @type {HTMLElement} */ (document.getElementById("save-text"));
      button.textContent = left ? `${left} to rank` : `Save ${ranked.map(letter).join(" > ")}`;
    };
    return {
      show: (it) => {
        const back = it.said?.ranking ?? [];
        ranked = back.map((number) => it.content.order.indexOf(number));
        stage(it.content, (at) => `Response ${letter(at)}`);
        tell();
        return true;
      },
      choose: (id) => {
        const at = Number(id);
        if (at >= count()) return;
        ranked = ranked.includes(at) ? ranked.filter((each) => each !== at) : [...ranked, at];
        if (ranked.length === count() - 1)
          ranked.push([...Array(count()).keys()].find((each) => !ranked.includes(each)) ?? 0);
        announce(ranked.length ? `In order: ${ranked.map(letter).join(", ")}` : "Nothing is ranked");
        tell();
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
        tell();
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
