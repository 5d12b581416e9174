// @ts-check
/* Review: digits accept, O another class, R returns, G makes gold, C comments, P proposes, J and K move, Enter settles, Shift+U undoes. Each
   key presses a button of the page. */
(() => {
  const form = /** @type {HTMLFormElement} */ (document.getElementById("decide"));
  const confirm = /** @type {HTMLButtonElement} */ (document.getElementById("confirm"));
  const other = /** @type {HTMLInputElement | null} */ (
    document.getElementById("other") ?? document.querySelector("#ticks input[type=checkbox], #find")
  );
  const reason = /** @type {HTMLTextAreaElement} */ (document.getElementById("reason"));
  const page = /** @type {HTMLElement} */ (document.getElementById("review"));
  if (!form || !confirm) return;
  const text = /** @type {HTMLElement} */ (document.getElementById("confirm-text"));
  const accepts = /** @type {NodeListOf<HTMLButtonElement>} */ (form.querySelectorAll("[data-letter]"));
  const proposed = reason.value;
  const own = /** @type {HTMLTextAreaElement | null} */ (document.getElementById("text"));
  /** Shows in the text what an answer marks. @type {(value: any) => void} */
  let display = () => {};

  /** @param {HTMLButtonElement} button */
  const pick = (button) => {
    if (button.getAttribute("aria-disabled") === "true") return;
    const was = confirm.value;
    confirm.value = button.value;
    if (other?.id === "other") other.value = "";
    if (own) own.value = "";
    text.textContent = `Accept ${button.dataset.letter} and continue`;
    if (was !== button.value && reason.value === proposed) reason.value = "";
    display(JSON.parse(button.value));
    mark();
  };
  const mark = () => {
    for (const button of accepts) {
      const chosen = !(other?.id === "other" && other.value) && button.value === confirm.value;
      button.setAttribute("aria-pressed", String(chosen));
      button.closest("article")?.classList.toggle("pick", chosen);
    }
  };
  for (const button of accepts)
    button.addEventListener("click", (event) => {
      event.preventDefault();
      pick(button);
    });
  /** Another answer than those of the annotators is decided. @param {string} value @param {string} caption */
  const decide = (value, caption) => {
    confirm.value = value;
    text.textContent = caption;
    if (reason.value === proposed) reason.value = "";
    mark();
  };
  if (other?.id === "find") edit(other, decide);
  else if (other?.id === "other") typed(other);
  else if (other) {
    const boxes = /** @type {HTMLInputElement[]} */ ([...document.querySelectorAll("#ticks input[type=checkbox]")]);
    const ticked = () =>
      decide(
        JSON.stringify({
          labels: boxes
            .filter((box) => box.checked)
            .map((box) => box.value)
            .sort(),
        }),
        "Use selected labels and continue",
      );
    for (const box of boxes) box.addEventListener("change", ticked);
    const asTicked = /** @type {HTMLElement} */ (document.getElementById("as-ticked"));
    asTicked.hidden = true;
  }
  own?.addEventListener("input", () => {
    if (own.value.trim()) decide(JSON.stringify({ text: own.value }), "Use this text and continue");
  });
  /** A class by its name. @param {HTMLInputElement} other */
  function typed(other) {
    other.addEventListener("input", () => {
      text.textContent = other.value ? "Resolve and continue" : "Accept and continue";
      if (other.value && reason.value === proposed) reason.value = "";
      mark();
    });
    other.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        if (other.value) reason.focus();
      }
      if (event.key === "Escape") {
        other.value = "";
        other.blur();
        mark();
      }
    });
  }
  reason.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      confirm.click();
    }
  });
  mark();

  /** Marks spans in the text, from the likely answer on. @param {HTMLInputElement} other @param {(value: string, caption: string) => void} done */
  function edit(other, done) {
    const { element, named } = /** @type {any} */ (window).words;
    const { text: marked, previous, classes } = JSON.parse(document.getElementById("case")?.textContent ?? "{}");
    const byId = new Map(classes.map((each) => [each.id, each]));
    const ranks = /** @type {HTMLElement} */ (document.getElementById("ranks"));
    const DIGITS = "1234567890";
    const digitsInNames = classes.some((each) => /\d/.test(each.name));
    let options = [];
    let begun = false;
    const draw = () => {
      const typing = other.value.trim().toLowerCase();
      options = classes.filter((each) => each.name.toLowerCase().includes(typing)).slice(0, DIGITS.length);
      ranks.replaceChildren(
        ...options.map((each, at) => {
          const row = element(
            "li",
            { "data-label": each.id },
            element("kbd", { "aria-hidden": "true" }, DIGITS[at]),
            element("span", { dir: "auto" }, named(each.name)),
          );
          widget.dress(row, each.id);
          return row;
        }),
      );
    };
    const item = { text: marked, previous };
    const widget = /** @type {any} */ (window).widgets[page.dataset.task ?? ""]({
      byId,
      classes,
      find: other,
      item: () => item,
      send: (value, words) => {
        done(JSON.stringify(value), `Resolve as ${words} and continue`);
        confirm.focus();
      },
      announce: (caption) => {
        /** @type {HTMLElement} */ (document.getElementById("span-status")).textContent = begun ? caption : "";
      },
    });
    widget.show(item);
    draw();
    begun = true;
    display = (value) => widget.show({ ...item, previous: value });
    /** @param {string} id */
    const take = (id) => {
      widget.choose(id);
      other.value = "";
      draw();
    };
    ranks.addEventListener("click", (event) => {
      const id = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest("[data-label]"))
        ?.dataset.label;
      if (id) take(id);
      other.focus();
    });
    document.getElementById("save")?.addEventListener("click", () => widget.save());
    other.addEventListener("input", draw);
    other.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      if (widget.key(event)) event.preventDefault();
      else if (event.key.length === 1 && options[DIGITS.indexOf(event.key)] && (!digitsInNames || !other.value)) {
        event.preventDefault();
        take(options[DIGITS.indexOf(event.key)].id);
      } else if (event.key === "Enter") {
        event.preventDefault();
        if (other.value && options[0]) take(options[0].id);
        else widget.save();
      } else if (event.key === "Escape") {
        other.value = "";
        draw();
        other.blur();
      }
    });
  }

  document.querySelector(".queue [aria-current]")?.scrollIntoView({ block: "nearest" });
  document
    .querySelector("select[name=order]")
    ?.addEventListener("change", (event) => /** @type {HTMLSelectElement} */ (event.target).form?.requestSubmit());
  const sort = document.getElementById("order-go");
  if (sort) sort.hidden = true;

  document.getElementById("comment-form")?.addEventListener("commented", (event) => {
    const { text } = /** @type {CustomEvent} */ (event).detail;
    const row = document.createElement("li");
    const who = document.createElement("strong");
    who.textContent = "You";
    const content = document.createElement("bdi");
    content.textContent = text;
    row.append(who, " ", content);
    document.getElementById("talk")?.append(row);
    dispatchEvent(new CustomEvent("toast", { detail: { kind: "ok", text: "Comment added" } }));
  });

  const press = (id) => document.getElementById(id)?.click();
  addEventListener(
    "keydown",
    (event) => {
      const target = /** @type {Element} */ (event.target);
      if (
        event.defaultPrevented ||
        event.ctrlKey ||
        event.metaKey ||
        event.altKey ||
        document.body.dataset.keys === "off"
      )
        return;
      if (document.querySelector("dialog[open]") || target.closest("input:not([type=checkbox]), textarea, select"))
        return;
      const digit = [...accepts].find((button) => button.dataset.key === event.key);
      if (digit) pick(digit);
      else if (event.key === "o") other?.focus();
      else if (event.key === "r") press("return");
      else if (event.key === "c") press("comment");
      else if (event.key === "p") press("propose");
      else if (event.key === "g") press("gold");
      else if (event.key === "j") press("next");
      else if (event.key === "k") press("previous");
      else if (event.key === "U") press("undo");
      else if (event.key === "Enter" && !target.closest("a, button")) press("confirm");
      else return;
      event.preventDefault();
      event.stopImmediatePropagation();
    },
    true,
  );
})();
