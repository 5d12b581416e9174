// @ts-check
/* Responses to a prompt. They are in an order by chance, which goes back with the answer; what is saved names them as the file does. */
/** @type {any} */ (window).responses = (() => {
  const { inert, element } = /** @type {any} */ (window).words;
  const written = (text) => element("div", { dir: "auto" }, inert(text));

  /** The prompt, a text or a dialogue, and the responses side by side. @param {any} content @param {(at: number) => string} title */
  const stage = (content, title) => {
    const prompt = (what) =>
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
      ?.replaceChildren(
        ...(content.prompt ? prompt(content.prompt) : []),
        element("div", { class: "sides" }, ...sides),
      );
  };
  return { stage };
})();
