// @ts-check
/* Marked parts of a text. Left and right move by word, Shift extends, digits set the class, Tab goes to the next span, Backspace removes,
   Enter saves; the mouse drags over words and clicks spans. Offsets count Unicode code points, as the server does; the page has UTF-16. */
(() => {
  const { inert, element, named, graphemes } = /** @type {any} */ (window).words;
  /** @typedef {{start: number, end: number, label: string, origin: string, score?: number}} Span offsets in UTF-16 units */
  /** @typedef {{start: number, end: number}} Word */

  const UNSPACED =
    /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

  /** The words of a text: runs without blanks, the punctuation around them apart; by dictionary where a script writes no blanks.
   * @param {string} text @returns {Word[]} */
  const wordsOf = (text) => {
    /** @type {Word[]} */
    const found = [];
    for (const run of text.matchAll(/\S+/gu)) {
      const start = run.index ?? 0;
      if (UNSPACED.test(run[0]) && Intl.Segmenter) {
        for (const part of new Intl.Segmenter(undefined, { granularity: "word" }).segment(run[0]))
          found.push({ start: start + part.index, end: start + part.index + part.segment.length });
        continue;
      }
      const [, before, , after] = /** @type {RegExpExecArray} */ (
        /^((?:\p{P}(?!\p{M}))*)(.*?)((?:\p{P}(?!\p{M}))*)$/su.exec(run[0])
      ); // "#️⃣" is no punctuation
      const marks = (piece, at) => {
        for (const one of graphemes(piece)) {
          found.push({ start: at, end: at + one.length });
          at += one.length;
        }
      };
      const inner = run[0].length - before.length - after.length;
      marks(before, start);
      if (inner) found.push({ start: start + before.length, end: start + before.length + inner });
      marks(after, start + before.length + inner);
    }
    return found;
  };

  /** @param {string} text */
  const offsets = (text) => {
    const toPoints = new Map();
    const toUnits = [];
    let units = 0;
    for (const character of text) {
      toPoints.set(units, toUnits.length);
      toUnits.push(units);
      units += character.length;
    }
    toPoints.set(units, toUnits.length);
    toUnits.push(units);
    return { points: (at) => toPoints.get(at), units: (at) => toUnits[at] };
  };

  const page = /** @type {any} */ (window);
  /** @type {any} */
  const widgets = (page.widgets ??= {});

  /** @param {any} bench */
  widgets.spans = ({ byId, classes, find, item, send, announce }) => {
    const $ = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
    const box = $("utter");
    const colour = new Map(classes.map((each, at) => [each.id, `k${(at % 8) + 1}`]));
    const name = (id) => byId.get(id)?.name ?? "";
    let text = "";
    /** @type {ReturnType<typeof offsets>} */
    let map = offsets("");
    /** @type {Word[]} */
    let words = [];
    /** @type {Span[]} */
    let spans = [];
    let from = 0; // the words under the cursor: from the one where it began …
    let to = 0; // … to the one where it is
    let held = -1; // the span that keys act on, or -1
    /** What was selected to the character, until the cursor moves. @type {Word | null} */
    let exact = null;

    const inOrder = (a, b) => a.start - b.start || b.end - a.end || name(a.label).localeCompare(name(b.label));
    const range = () => {
      const [a, b] = from <= to ? [from, to] : [to, from];
      return words.length ? { start: words[a].start, end: words[b].end } : null;
    };
    const quoted = (part) => text.slice(part.start, part.end);
    const kept = () => spans.filter((span) => span.origin !== "suggested");

    /** Where words and spans begin and end: between two neighbours everything looks the same. */
    const edges = () =>
      [
        ...new Set([
          0,
          text.length,
          ...words.flatMap((word) => [word.start, word.end]),
          ...spans.flatMap((span) => [span.start, span.end]),
        ]),
      ].sort((a, b) => a - b);

    const paint = () => {
      const cursor = held < 0 ? range() : null;
      const cuts = edges();
      const pieces = [];
      for (let at = 0; at + 1 < cuts.length; at += 1) {
        const [start, end] = [cuts[at], cuts[at + 1]];
        const over = spans
          .map((span, index) => ({ span, index }))
          .filter(({ span }) => span.start <= start && end <= span.end)
          .sort((a, b) => a.span.end - a.span.start - (b.span.end - b.span.start));
        const here = cursor && cursor.start <= start && end <= cursor.end;
        const piece = element(
          over.length ? "mark" : "span",
          { "data-start": String(start), "data-end": String(end) },
          inert(text.slice(start, end)),
        );
        if (here) piece.classList.add("cursor");
        if (over.length) {
          const { span, index } = over.find((each) => each.index === held) ?? over[0];
          piece.classList.add(String(colour.get(span.label)));
          piece.dataset.span = String(index);
          piece.classList.toggle("sugg", span.origin === "suggested");
          piece.classList.toggle("more", over.length > 1);
          if (index === held) piece.setAttribute("aria-selected", "true");
          const heads = over
            .filter((each) => each.span.start === start)
            .map(
              (each) =>
                name(each.span.label) +
                (each.span.origin === "suggested" && each.span.score != null ? ` ${each.span.score.toFixed(2)}` : ""),
            );
          if (heads.length) piece.dataset.t = heads.join(" · ");
          piece.classList.toggle("goes-on", start > span.start);
          piece.classList.toggle("to-come", end < span.end);
        }
        pieces.push(piece);
      }
      box.replaceChildren(...pieces);
      list();
      const count = kept().length;
      $("save-text").textContent = count ? `Save ${count} ${count === 1 ? "span" : "spans"}` : "Save without spans";
    };

    const list = () => {
      const rows = spans.map((span, index) => {
        const origin =
          span.origin === "suggested"
            ? element(
                "span",
                { class: "st wait" },
                `pre-labeled${span.score == null ? "" : ` ${span.score.toFixed(2)}`}`,
              )
            : span.origin;
        const remove = element(
          "button",
          {
            class: "btn quiet small",
            type: "button",
            "data-remove": String(index),
            "aria-label": `Remove ${name(span.label)} ${quoted(span)}`,
            title: "Remove",
          },
          "✕",
        );
        const row = element(
          "tr",
          { "data-span": String(index), "aria-selected": String(index === held) },
          element("td", {}, element("i", { class: `swatch ${colour.get(span.label)}` }), named(name(span.label))),
          element("th", { scope: "row", dir: "auto" }, inert(quoted(span))),
          element("td", { class: "num muted" }, `${map.points(span.start)}–${map.points(span.end)}`),
          element("td", {}, origin),
          element("td", { class: "end" }, remove),
        );
        return row;
      });
      $("marked").replaceChildren(...rows);
      $("marks").hidden = !rows.length;
    };

    const hold = (index) => {
      held = index;
      exact = null;
      if (held >= 0) {
        const span = spans[held];
        from = words.findIndex((word) => word.end > span.start);
        to = Math.max(
          from,
          words.findLastIndex((word) => word.start < span.end),
        );
        announce(
          `${name(span.label)}: ${quoted(span)}${span.origin === "suggested" ? ", pre-labeled. Enter accepts it, Backspace rejects it" : ""}`,
        );
      }
      paint();
    };

    /** @param {Span} span */
    const add = (span) => {
      const same = spans.findIndex(
        (each) => each.start === span.start && each.end === span.end && each.label === span.label,
      );
      if (same >= 0) {
        spans[same].origin = "yours";
        hold(same);
        return;
      }
      spans.push(span);
      spans.sort(inOrder);
      held = -1;
      announce(`Marked ${quoted(span)} as ${name(span.label)}`);
      paint();
    };

    const remove = (index) => {
      const [gone] = spans.splice(index, 1);
      held = -1;
      if (gone) announce(`Removed ${name(gone.label)} ${quoted(gone)}`);
      paint();
    };

    const move = (step, extend) => {
      if (!words.length) return;
      if (held >= 0 && extend) {
        resize(step);
        return;
      }
      to = Math.min(words.length - 1, Math.max(0, to + step));
      if (!extend) from = to;
      held = -1;
      const now = range();
      if (now) announce(quoted(now));
      paint();
      box.querySelector(".cursor")?.scrollIntoView?.({ block: "nearest" });
    };

    /** The held span ends one word later or earlier; it keeps at least one. */
    const resize = (step) => {
      const span = spans[held];
      const last = words.findLastIndex((word) => word.start < span.end);
      const next = words[last + step];
      if (!next || next.end <= span.start) return;
      span.end = next.end;
      span.origin = "yours";
      announce(`${name(span.label)}: ${quoted(span)}`);
      paint();
    };

    const next = (step) => {
      if (!spans.length) return false;
      const now = range();
      const at =
        held >= 0
          ? held + step
          : step > 0
            ? spans.findIndex((span) => !now || span.start >= now.start)
            : spans.findLastIndex((span) => !now || span.start <= now.start);
      if (at < 0 || at >= spans.length) {
        if (held >= 0) hold(-1);
        return false;
      }
      hold(at);
      return true;
    };

    /** Marks what is selected with the mouse, in whole words; with Alt exactly. @param {MouseEvent} event */
    const selected = (event) => {
      const selection = getSelection();
      if (
        !selection ||
        selection.isCollapsed ||
        !box.contains(selection.anchorNode) ||
        !box.contains(selection.focusNode)
      )
        return false;
      const chosen = selection.getRangeAt(0);
      const at = (node, offset) => {
        const piece = /** @type {HTMLElement | null} */ (
          (node.nodeType === 3 ? node.parentElement : node)?.closest?.("[data-start]")
        );
        if (!piece) return offset === 0 ? 0 : text.length;
        return (
          Number(piece.dataset.start) +
          (node.nodeType === 3 && !piece.querySelector(".unseen")
            ? offset
            : offset
              ? Number(piece.dataset.end) - Number(piece.dataset.start)
              : 0)
        );
      };
      const [start, end] = [at(chosen.startContainer, chosen.startOffset), at(chosen.endContainer, chosen.endOffset)];
      selection.removeAllRanges();
      const first = words.findIndex((word) => word.end > start);
      const last = words.findLastIndex((word) => word.start < end);
      if (first < 0 || last < first) return true;
      held = -1;
      [from, to] = [first, last];
      exact = event.altKey ? trimmed(start, end) : null;
      const now = range();
      if (now) announce(quoted(now));
      paint();
      return true;
    };
    const trimmed = (start, end) => {
      while (start < end && /\s/u.test(text[start])) start += 1;
      while (end > start && /\s/u.test(text[end - 1])) end -= 1;
      return start < end ? whole(start, end) : null;
    };
    /** A selection that begins or ends within a character as people see it takes all of it. */
    const whole = (start, end) => {
      let at = 0;
      const exactly = { start, end };
      for (const character of graphemes(text)) {
        const next = at + character.length;
        if (at < start && start < next) exactly.start = at;
        if (at < end && end < next) exactly.end = next;
        at = next;
      }
      return exactly;
    };

    box.addEventListener("mouseup", (event) => {
      setTimeout(() => find.focus({ preventScroll: true })); // the keys go on from where the mouse was
      if (selected(event)) return;
      const piece = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest("[data-start]"));
      if (!piece) return;
      if (piece.dataset.span !== undefined && !event.shiftKey) {
        hold(Number(piece.dataset.span));
        return;
      }
      const at = words.findIndex((word) => word.end > Number(piece.dataset.start));
      if (at < 0) return;
      to = at;
      if (!event.shiftKey) from = at;
      [held, exact] = [-1, null];
      paint();
    });
    $("marks").addEventListener("click", (event) => {
      const target = /** @type {Element} */ (event.target);
      const button = /** @type {HTMLElement | null} */ (target.closest("[data-remove]"));
      if (button) {
        const at = Number(button.dataset.remove);
        remove(at);
        const next =
          event.detail === 0 ? $("marks").querySelector(`[data-remove="${Math.min(at, spans.length - 1)}"]`) : null; // by a key: on to the next row
        if (next instanceof HTMLElement) {
          next.focus();
          return;
        }
      } else if (target.closest("tr[data-span]"))
        hold(Number(/** @type {HTMLElement} */ (target.closest("tr[data-span]")).dataset.span));
      find.focus({ preventScroll: true });
    });

    /** What is marked now, as it is saved. */
    const value = () => ({
      spans: kept().map((span) => ({ start: map.points(span.start), end: map.points(span.end), label: span.label })),
    });

    return {
      value,
      show: (it) => {
        text = it.text;
        map = offsets(text);
        words = wordsOf(text);
        const previous = (it.previous?.spans ?? []).map((span) => ({
          start: map.units(span.start),
          end: map.units(span.end),
          label: span.label,
          origin: "yours",
        }));
        const taken = new Set(previous.map((span) => `${span.start} ${span.end} ${span.label}`));
        const offered = (it.prelabeled?.spans ?? []).map((span) => ({
          start: map.units(span.start),
          end: map.units(span.end),
          label: span.label,
          origin: "suggested",
          score: span.score,
        }));
        spans = [...previous, ...offered.filter((span) => !taken.has(`${span.start} ${span.end} ${span.label}`))].sort(
          inOrder,
        );
        [from, to, held, exact] = [0, 0, -1, null];
        paint();
        return true;
      },
      choose: (id) => {
        if (held >= 0) {
          spans[held].label = id;
          spans[held].origin = "yours";
          announce(`Now ${name(id)}: ${quoted(spans[held])}`);
          paint();
          return;
        }
        const now = exact ?? range();
        exact = null;
        if (now) add({ ...now, label: id, origin: "yours" });
      },
      save: () => {
        if (!item()) return;
        if (held >= 0 && spans[held].origin === "suggested") {
          spans[held].origin = "accepted";
          const rest = spans.findIndex((span, index) => index > held && span.origin === "suggested");
          hold(rest);
          return;
        }
        const current = value();
        const count = current.spans.length;
        send(current, count ? `${count} ${count === 1 ? "span" : "spans"}` : "no spans");
      },
      dress: (node, id) => node.classList.add(String(colour.get(id))),
      /** @param {KeyboardEvent} event @returns {boolean} whether it was taken */
      key: (event) => {
        if (find.value) return false;
        if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
          const onwards = getComputedStyle(box).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
          exact = null;
          move(event.key === onwards ? 1 : -1, event.shiftKey);
          return true;
        }
        if (event.key === "Home" || event.key === "End") {
          exact = null;
          move(event.key === "End" ? words.length : -words.length, event.shiftKey);
          return true;
        }
        if (event.key === "Tab") return next(event.shiftKey ? -1 : 1);
        if (event.key === "Escape" && held >= 0) {
          hold(-1);
          return true;
        }
        if (event.key === "Backspace" || event.key === "Delete") {
          const now = range();
          const under =
            held >= 0 ? held : spans.findLastIndex((span) => now && span.start < now.end && now.start < span.end);
          if (under >= 0) remove(under);
          return true;
        }
        return false;
      },
    };
  };
})();
