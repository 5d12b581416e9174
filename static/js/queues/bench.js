// @ts-check
/* Labeling: letters find, digits choose, capitals act. The next items are already in the page, so choosing is a swap in the same frame;
   the answer is sent after it. Other tasks than one class per text put their own way of answering into window.widgets. */
(() => {
  const bench = /** @type {HTMLElement} */ (document.getElementById("bench"));
  if (!bench) return;
  const { inert, named, element, cut } = /** @type {any} */ (window).words;
  /** @param {string} id */
  const $ = (id) => /** @type {any} */ (document.getElementById(id));
  /** @param {string} id */
  const read = (id) => JSON.parse($(id).textContent);

  /** @type {{id: string, name: string, group: string, definition: string, examples: string[], lookalikes: {name: string, note: string}[]}[]} */
  const classes = read("classes");
  const byId = new Map(classes.map((each) => [each.id, each]));
  /** @type {any[]} */
  const hand = read("items");
  const LONG = 280; // characters: longer texts stand smaller, so that the classes stay in sight
  const DIGITS = "1234567890"; // the keys of what is shown, in its order
  const few = bench.dataset.few === "yes";
  const most = Number(bench.dataset.most); // shown while nothing is typed: more where there is no map of them
  const digitsInNames = classes.some((each) => /\d/.test(each.name));
  const questionsInNames = classes.some((each) => each.name.includes("?"));
  const narrow = matchMedia("(max-width: 60rem)");
  const coarse = matchMedia("(pointer: coarse)"); // there the field would open the keyboard over the text
  const map = [...document.querySelectorAll("#map button")].map((button) => /** @type {HTMLButtonElement} */ (button));
  const find = /** @type {HTMLInputElement} */ ($("find"));
  const ranks = $("ranks");
  const say = $("say");
  const announce = element("p", { class: "vh", role: "status" });
  bench.append(announce);
  let active = 0;
  let began = performance.now();
  let undoing = false;
  let filled = ""; // what the bench itself wrote into the field: typing replaces it
  /** @type {string[]} */
  let options = [];
  let count = Number($("bar").value);

  /** What an annotation lacks, beside the button until it is there. */
  const missing = $("missing");
  /** @type {HTMLElement | null} */
  let lacking = null;
  const complete = () => {
    missing.hidden = true;
    lacking?.removeAttribute("aria-invalid");
    lacking?.removeAttribute("aria-describedby");
    lacking = null;
  };
  /** @param {string} text @param {HTMLElement} field where it is to be given */
  const lack = (text, field) => {
    complete();
    lacking = field;
    missing.textContent = text;
    missing.hidden = false;
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", "missing");
    field.focus();
  };
  $("answer").addEventListener("input", complete);

  /** How this task is answered; undefined where a choice is the whole answer. @type {any} */
  const widget = /** @type {any} */ (window).widgets?.[bench.dataset.task ?? ""]?.({
    byId,
    classes,
    find,
    item: () => hand[0],
    send: (value, words, more = {}) => send({ value: JSON.stringify(value), ...more }, words, value),
    draw: () => draw(),
    lack,
    announce: (text) => {
      announce.textContent = text;
    },
  });

  /** If annotators see gold results, the next item waits for the result of this one. */
  const feedback = bench.dataset.feedback === "yes";
  let pausing = false;
  const goOn = () => {
    pausing = false;
    bench.removeAttribute("inert");
    show(true);
    focusField();
  };
  /** @param {{right: boolean, given: string, known: string, explanation: string, text: string}} result */
  const showGold = (result) => {
    $("gold-verdict").replaceChildren(state(result.right ? "ok" : "bad", result.right ? "Correct" : "Wrong"));
    $("gold-text").replaceChildren(inert(result.text));
    $("gold-given").replaceChildren(named(result.given));
    $("gold-known").replaceChildren(named(result.known));
    $("gold-why").replaceChildren(inert(result.explanation));
    $("gold-why").hidden = !result.explanation;
    $("gold-dialog").showModal();
    $("gold-on").focus();
  };
  $("gold-dialog")?.addEventListener("close", goOn);

  /** Keeps what was done to the item on the screen, before another takes its place. */
  const stash = () => {
    if (hand[0] && widget?.value) hand[0].previous = widget.value();
  };
  addEventListener("beforeunload", (event) => {
    if (hand.length && widget?.dirty?.()) event.preventDefault();
  });

  const focusField = () => {
    if (!coarse.matches) (widget?.field ?? find).focus({ preventScroll: true });
  };
  const state = (kind, text) => element("span", { class: `st ${kind}` }, named(text));
  const setStatus = (kind, text) => say.replaceChildren(state(kind, text));

  const post = /** @type {any} */ (window).sender({
    saved: (body) => {
      count = body.done;
      if (String(body.version ?? bench.dataset.version) !== bench.dataset.version) $("changed").hidden = false;
      for (const item of body.items ?? []) if (!holds(item.slot)) hand.push(item);
      progress(body);
      if (body.gold) showGold(body.gold);
      else if (pausing && body.annotation) goOn();
      else if (!pausing && hand.length <= (body.items ?? []).length) show(true);
    },
    refused: (job, error) => {
      if (pausing) goOn();
      dispatchEvent(new CustomEvent("toast", { detail: { kind: "bad", text: error.message } }));
      if (
        (widget?.value || /** @type {any} */ (error).status === 422) &&
        job.what?.item &&
        !holds(job.what.item.slot)
      ) {
        stash();
        hand.unshift(job.what.item);
        show(true);
      }
    },
    changed: () => {
      bench.dataset.unsaved = String(post.unsaved);
      progress(null);
    },
  });
  post.holding(() => ({
    have: [...hand.map((item) => String(item.slot)), ...post.slots].join(","),
    left: String(hand.length),
  }));
  const holds = (slot) => hand.some((item) => item.slot === slot) || post.slots.includes(String(slot));

  const progress = (body) => {
    const total = body?.total ?? Number($("bar").max);
    const done = Math.min(total, count + post.labels);
    $("n").textContent = done.toLocaleString("en");
    $("bar").max = Math.max(1, total);
    $("bar").value = done;
    if (body?.seconds_left !== undefined)
      $("left").textContent = body.seconds_left === null ? "" : `about ${words(body.seconds_left)} left`;
  };
  const words = (seconds) =>
    seconds < 90
      ? `${Math.max(1, Math.round(seconds))} s`
      : seconds < 5400
        ? `${Math.round(seconds / 60)} min`
        : `${Math.round(seconds / 3600)} h`;

  const scores = () => new Map(hand[0]?.ranks ?? []);
  const search = (text) => {
    const parts = text.split(/[\s_]+/).filter(Boolean);
    const score = scores();
    const hits = classes.filter((each) => parts.every((part) => each.name.toLowerCase().includes(part)));
    const starts = (each) => Number(each.name.toLowerCase().startsWith(text));
    return hits
      .sort(
        (a, b) =>
          (score.get(b.id) ?? 0) - (score.get(a.id) ?? 0) || starts(b) - starts(a) || a.name.localeCompare(b.name),
      )
      .map((each) => each.id);
  };
  const shown = () => {
    const text = find.value.trim().toLowerCase();
    if (text) return search(text).slice(0, narrow.matches ? 20 : few ? 9 : most);
    if (few) return classes.map((each) => each.id);
    const score = scores();
    return [...score.keys(), ...classes.map((each) => each.id).filter((id) => !score.has(id))].slice(0, most);
  };

  const bar = (share) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    made.setAttribute("class", "bar");
    made.setAttribute("viewBox", "0 0 100 6");
    made.setAttribute("preserveAspectRatio", "none");
    made.setAttribute("aria-hidden", "true");
    for (const [name, width] of [
      ["all", 100],
      ["part", Math.round(Math.min(1, Math.max(0, share)) * 1000) / 10],
    ]) {
      const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      rect.setAttribute("class", String(name));
      rect.setAttribute("width", String(width));
      rect.setAttribute("height", "6");
      made.append(rect);
    }
    return made;
  };

  const row = (id, at, text) => {
    const score = scores().get(id);
    const each = byId.get(id);
    const name = element("span", { dir: "auto" }, named(each?.name ?? "", text));
    if (few && each?.definition) name.append(element("small", {}, inert(cut(each.definition, 90))));
    const key = at < DIGITS.length ? element("kbd", { "aria-hidden": "true" }, DIGITS[at]) : element("i");
    const made = element(
      "li",
      { role: "option", id: `o${at}`, "aria-selected": String(at === active), "data-label": id },
      key,
      name,
      score == null ? element("i") : bar(score),
      element("span", { class: "num" }, score == null ? "" : score.toFixed(2)),
    );
    widget?.dress(made, id);
    return made;
  };

  /** Draws the ranks, the map and the guideline for what is typed. */
  const draw = () => {
    const text = find.value.trim().toLowerCase();
    options = shown();
    active = Math.min(active, Math.max(0, options.length - 1));
    ranks.replaceChildren(
      ...(options.length
        ? options.map((id, at) => row(id, at, text))
        : [
            element(
              "li",
              { class: "none", role: "option", "aria-disabled": "true" },
              `No label contains “`,
              inert(text),
              `”. `,
              element("kbd", {}, "Esc"),
              " clears.",
            ),
          ]),
    );
    const rest = text || few ? 0 : classes.length - options.length;
    if (rest && most > 5)
      ranks.append(
        element("li", { class: "none muted", role: "option", "aria-disabled": "true" }, `${rest} more: type to find.`),
      );
    const hits = text ? new Set(search(text)) : null;
    for (const button of map) {
      button.disabled = hits !== null && !hits.has(button.value);
      button.classList.toggle("dim", button.disabled);
      button.classList.toggle("on", options[active] === button.value);
      button.replaceChildren(named(byId.get(button.value)?.name ?? "", button.disabled ? "" : text));
      widget?.dress(button, button.value);
    }
    options.length
      ? find.setAttribute("aria-activedescendant", `o${active}`)
      : find.removeAttribute("aria-activedescendant");
    guide(options[active]);
  };

  const guide = (id) => {
    const each = byId.get(id);
    if (!each || !$("guide-name")) return;
    $("guide-name").replaceChildren(named(each.name));
    $("guide-says").replaceChildren(inert(each.definition || "No definition yet."));
    $("guide-like").hidden = !each.examples.length;
    $("guide-like").lastElementChild.replaceChildren(
      ...each.examples.map((text) => element("q", { dir: "auto" }, inert(text))),
    );
    $("guide-close").hidden = !each.lookalikes.length;
    $("guide-close").lastElementChild.replaceChildren(
      ...each.lookalikes.map((close) =>
        element("p", {}, element("b", {}, named(close.name)), " ", element("bdi", {}, inert(close.note ?? ""))),
      ),
    );
  };

  /** What was written to this person about the item, and their own comments. */
  const talk = (item) => {
    const page = `${$("talk").dataset.page}?item=${item.item}`;
    $("talk").hidden = !item.talk.length;
    $("talk").replaceChildren(
      ...item.talk.map((each) =>
        element(
          "li",
          {},
          element("strong", {}, inert(each.who)),
          " ",
          element("span", { class: "written", dir: "auto" }, inert(each.text)),
          " ",
          element(
            "a",
            { class: "small", href: `${page}#comment-${each.id}`, "data-answer": each.id, "data-who": each.who },
            "Reply",
          ),
        ),
      ),
    );
    $("comment-form").elements.item.value = item.item;
    const propose = new URL($("propose").href);
    propose.searchParams.set("item", item.item);
    $("propose").href = propose.href;
  };

  /** Puts the first item of the hand on the screen. @param {boolean} fresh */
  const show = (fresh) => {
    const item = hand[0];
    bench.toggleAttribute("aria-busy", !item);
    if (!item) {
      wait();
      return;
    }
    if (!widget?.show(item)) {
      $("utter").replaceChildren(inert(item.text));
      $("utter")
        .closest(".utter")
        ?.classList.toggle("long", item.text.length > LONG);
    }
    $("meta").replaceChildren(
      ...item.meta.map((line) => element("span", {}, line)),
      element("span", { class: "mono" }, inert(item.name)),
    );
    $("note").hidden = !item.note;
    $("note").replaceChildren(
      element("strong", {}, "Returned by a reviewer."),
      " ",
      element("bdi", {}, inert(item.note)),
    );
    talk(item);
    $("source").textContent = item.source ? sourceLine(item.source) : "";
    $("flag").setAttribute("aria-pressed", String(item.flagged));
    for (const name of ["slot", "token"]) {
      const field = /** @type {any} */ (document.querySelector(`#answer [name=${name}]`));
      field.value = item[name];
    }
    complete();
    find.value = filled = "";
    options = shown();
    const chosen = item.previous?.label;
    active = Math.max(0, options.indexOf(chosen));
    if (chosen && !options.includes(chosen)) {
      find.value = filled = byId.get(chosen)?.name ?? "";
      find.select();
      active = 0;
    }
    if (fresh) began = performance.now();
    draw();
  };
  const hint = $("source").textContent;
  const sourceLine = (name) =>
    hand[0].prelabeled
      ? `Pre-labeled by ${name}.`
      : hint.startsWith(`Ranked by ${name}.`)
        ? hint
        : `Ranked by ${name}.`;

  const wait = () => {
    if (leaving) return; // a second load would take the first one's place while the server is still at it
    if (post.unsaved) {
      $("utter").textContent = post.full ? "Save these annotations to continue." : "Saving the last annotations…";
      ranks.replaceChildren();
      setTimeout(() => hand.length || show(true), 200);
      return;
    }
    leaving = true;
    location.assign(bench.dataset.reload ?? location.href);
  };

  const seconds = () => ((performance.now() - began) / 1000).toFixed(2);
  const choose = (id) => {
    if (!id) return;
    if (!widget) {
      send({ label: id }, byId.get(id)?.name ?? "", { label: id });
      return;
    }
    const item = hand[0];
    complete();
    if (find.value) {
      find.value = "";
      active = 0;
    }
    widget.choose(id);
    if (hand[0] === item) draw();
    focusField();
  };
  /** @param {Record<string, string>} fields @param {string} words @param {any} value */
  const send = (fields, words, value) => {
    const item = hand[0];
    if (!item || undoing || pausing) return;
    if (post.full) {
      dispatchEvent(
        new CustomEvent("toast", {
          detail: { kind: "bad", text: "3 annotations aren't saved. Try again to continue." },
        }),
      );
      return;
    }
    hand.shift();
    item.previous = value;
    $("last-text").replaceChildren(inert(cut(item.text, 120)));
    setStatus("ok", words);
    announce.textContent = `Saved as ${words}`;
    $("undo").hidden = false;
    post.send(
      bench.dataset.submit,
      {
        slot: String(item.slot),
        token: item.token,
        seconds: seconds(),
        prelabel: item.prelabel == null ? "" : String(item.prelabel),
        ...fields,
      },
      { item, words },
    );
    if (feedback) {
      pausing = true;
      bench.setAttribute("inert", "");
      $("utter").textContent = "Saving…";
      return;
    }
    show(true);
    focusField();
  };

  const back = (item, text) => {
    if (item) {
      stash();
      const at = hand.findIndex((other) => other.slot === item.slot);
      if (at >= 0) hand.splice(at, 1);
      hand.unshift(item);
    }
    setStatus("off", `Undone: ${text}`);
    announce.textContent = `Undone: ${text}`;
    show(true);
    focusField();
  };
  const undo = async () => {
    if (undoing) return;
    const unsent = post.unsend();
    if (unsent) {
      back(unsent.item, unsent.words ?? "skip");
      progress(null);
      return;
    }
    undoing = true;
    try {
      await post.idle();
      const body = await post.post(bench.dataset.undo, { client_key: post.key() });
      count = body.done;
      back(body.item, body.undone);
      progress(body);
    } catch (error) {
      dispatchEvent(
        new CustomEvent("toast", {
          detail: {
            kind: "bad",
            text:
              error instanceof TypeError ? "No connection. Nothing was undone" : /** @type {Error} */ (error).message,
          },
        }),
      );
    }
    undoing = false;
  };

  const skip = (reason) => {
    const item = hand[0];
    if (!item || post.full) return;
    hand.shift();
    item.previous = null;
    setStatus("off", "Skipped");
    announce.textContent = "Skipped";
    $("undo").hidden = false;
    post.send(bench.dataset.skip, { slot: String(item.slot), reason, seconds: seconds() }, { item });
    show(true);
  };

  const flag = async () => {
    const item = hand[0];
    if (!item) return;
    const on = !item.flagged;
    try {
      await post.post(bench.dataset.flag, { item: item.item, on: on ? "yes" : "no" });
      item.flagged = on;
      if (hand[0] === item) $("flag").setAttribute("aria-pressed", String(on));
      announce.textContent = on ? "Flagged for a reviewer" : "Flag removed";
      setStatus(on ? "warn" : "off", announce.textContent);
    } catch (error) {
      dispatchEvent(new CustomEvent("toast", { detail: { kind: "bad", text: /** @type {Error} */ (error).message } }));
    }
  };

  const open = (id) => {
    if (hand[0]) $(id).showModal();
  };
  const toggle = (id) => $(id)?.classList.toggle("shut");
  /** @type {Record<string, () => void>} */
  const acts = {
    S: () => open("skip-dialog"),
    F: flag,
    C: () => open("comment-dialog"),
    U: undo,
    G: () => toggle("guide"),
    P: () => $("propose").click(),
    V: () => {
      if (!$("changed").hidden) $("see-changes").click();
    },
    M: () => toggle("map"),
    "?": () => $("keys")?.showModal(),
  };

  /** Saves, or for a task of its own: takes what was found by typing, and saves once nothing is typed. */
  const enter = () => {
    if (!widget || find.value.trim()) choose(options[active]);
    else widget.save();
  };
  $("save")?.addEventListener("click", () => {
    widget?.save();
    if (!lacking) focusField();
  });

  find.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "z" && (!find.value || find.value === filled)) {
      event.preventDefault();
      undo();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const single = document.body.dataset.keys !== "off";
    if (widget?.key?.(event)) {
      event.preventDefault();
      return;
    }
    const digit = event.key.length === 1 ? DIGITS.indexOf(event.key) : -1;
    if (digit >= 0 && digit < Math.max(9, options.length) && (!digitsInNames || !find.value)) {
      event.preventDefault();
      choose(options[digit]);
    } else if (single && event.key in acts && (event.key === "?" ? !questionsInNames || !find.value : event.shiftKey)) {
      event.preventDefault();
      acts[event.key]();
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (!event.repeat) enter();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (options.length) active = (active + (event.key === "ArrowDown" ? 1 : options.length - 1)) % options.length;
      draw();
    } else if (event.key === "Escape") {
      event.preventDefault();
      find.value = "";
      draw();
    }
  });
  find.addEventListener("input", () => {
    active = 0;
    draw();
  });
  $("answer").addEventListener("submit", (event) => event.preventDefault());
  ranks.addEventListener("click", (event) => choose(event.target.closest("[data-label]")?.dataset.label));
  map.forEach((button) => button.addEventListener("click", () => choose(button.value)));
  for (const [id, act] of /** @type {[string, () => void][]} */ ([
    ["undo", undo],
    ["flag", flag],
  ]))
    $(id).addEventListener("click", (event) => {
      event.preventDefault();
      act();
      focusField();
    });

  $("skip-form").addEventListener("submit", (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    $("skip-dialog").close();
    skip($("skip-reason").value);
    $("skip-form").reset();
  });
  $("comment-form").addEventListener("commented", (event) => {
    const item = hand.find((each) => each.item === $("comment-form").elements.item.value);
    item?.talk.push(event.detail);
    talk(hand[0]);
    setStatus("ok", "Comment added");
    announce.textContent = "Comment added";
  });
  $("known-form")?.addEventListener("submit", async (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    try {
      await post.post($("known-form").action, { version: bench.dataset.version });
      $("changed").hidden = true;
      $("changes-dialog").close();
    } catch (error) {
      dispatchEvent(
        new CustomEvent("toast", {
          detail: {
            kind: "bad",
            text:
              error instanceof TypeError
                ? "No connection. The guideline is shown again next time"
                : /** @type {Error} */ (error).message,
          },
        }),
      );
    }
  });
  for (const id of ["skip-dialog", "comment-dialog", "changes-dialog", "keys"])
    $(id)?.addEventListener("close", focusField);
  document.addEventListener(
    "keydown",
    (event) => {
      // the field is the place for keys, wherever the focus was
      const target = /** @type {Element} */ (event.target);
      if (
        pausing ||
        document.querySelector("dialog[open]") ||
        target.closest("input:not([type=range]), textarea, select, button, a") ||
        event.ctrlKey ||
        event.metaKey ||
        event.altKey ||
        event.key.length > 1
      )
        return;
      focusField();
      find.dispatchEvent(
        new KeyboardEvent("keydown", { key: event.key, shiftKey: event.shiftKey, bubbles: false, cancelable: true }),
      ) &&
      !DIGITS.includes(event.key) &&
      !(event.key in acts)
        ? null
        : event.preventDefault();
    },
    true,
  );

  $("leave").addEventListener("click", async (event) => {
    // what is on its way arrives first; what is stuck is asked about by the browser
    if (!post.unsaved || post.stuck) return;
    event.preventDefault();
    const { href } = $("leave");
    await post.idle();
    if (!post.unsaved) location.assign(href);
  });

  let leaving = false;
  setInterval(() => {
    if (document.visibilityState === "visible") post.post(bench.dataset.heartbeat, {}).catch(() => {});
  }, 60_000);
  addEventListener("pagehide", () => {
    if (leaving || !hand.length) return;
    const body = new FormData();
    body.set("slots", hand.map((item) => item.slot).join(","));
    body.set("tokens", [...new Set(hand.map((item) => item.token))].join(","));
    body.set("csrfmiddlewaretoken", JSON.parse(document.body.getAttribute("hx-headers") || "{}")["X-CSRFToken"] ?? "");
    navigator.sendBeacon(bench.dataset.release ?? "", body);
  });

  find.setAttribute("aria-label", "Find a label");
  ranks.setAttribute("role", "listbox");
  show(true);
  focusField();
})();
