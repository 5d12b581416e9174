// @ts-check
/* Text from outside as DOM nodes: nothing is ever parsed as HTML, and control, bidi and invisible characters are shown by their code point. */
(() => {
  /** Kept as they are: what joins emoji or letters and is a flag's tag, since it shows by what it does; else it is shown. */
  const UNSEEN = new RegExp(
    [
      String.raw`(?<kept>(?<=\p{Extended_Pictographic}[\p{Emoji_Modifier}\ufe0f]?)\u200d(?=\p{Extended_Pictographic})`,
      String.raw`(?<=\u{1f3f4})[\u{e0030}-\u{e0039}\u{e0061}-\u{e007a}]{3,6}\u{e007f}`,
      String.raw`(?<=[\p{Script=Arabic}\p{Script=Syriac}]\p{M}*)[\u200c\u200d](?=[\p{Script=Arabic}\p{Script=Syriac}])`,
      String.raw`(?<=[\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca])[\u200c\u200d](?=\p{L}))`,
      String.raw`[\p{Cc}\p{Cf}\u115f\u1160\u17b4\u17b5\u2028\u2029\u3164\uffa0]`,
    ].join("|"),
    "gu",
  );
  const segmenter = Intl.Segmenter ? new Intl.Segmenter(undefined, { granularity: "grapheme" }) : null;

  /** The characters as people see them: an emoji of many parts, or a letter with its marks, is one. @param {string} text @returns {string[]} */
  const graphemes = (text) => (segmenter ? Array.from(segmenter.segment(text), (each) => each.segment) : [...text]);

  /** The text, or its first characters and three dots. @param {string} text @param {number} most */
  const cut = (text, most) => {
    if (text.length <= most) return text;
    const seen = graphemes(text.slice(0, most * 16));
    return seen.length > most ? `${seen.slice(0, most).join("")}…` : text;
  };

  /** @param {string} character */
  const visible = (character) => {
    const mark = document.createElement("span");
    mark.className = "unseen";
    mark.textContent = `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
    return mark;
  };

  /** @param {string} text @param {boolean} breaks whether lines may break after underscores */
  const inert = (text, breaks = false) => {
    const piece = document.createDocumentFragment();
    const clean = text.replaceAll("\r\n", "\n");
    /** @param {string} plain */
    const add = (plain) => {
      for (const [at, part] of (breaks ? plain.split(/(?<=_)/u) : [plain]).entries()) {
        if (at) piece.append(document.createElement("wbr"));
        if (part) piece.append(part);
      }
    };
    let plain = "";
    let at = 0;
    for (const found of clean.matchAll(UNSEEN)) {
      plain += clean.slice(at, found.index);
      at = found.index + found[0].length;
      if (found.groups?.kept || found[0] === "\n" || found[0] === "\t") {
        plain += found[0];
        continue;
      }
      add(plain);
      plain = "";
      piece.append(visible(found[0]));
    }
    add(plain + clean.slice(at));
    if (breaks && clean.endsWith("_")) piece.append(document.createElement("wbr"));
    return piece;
  };

  /** The name of a class, the found part underlined. @param {string} name @param {string} found */
  const named = (name, found = "") => {
    const at = found ? name.toLowerCase().indexOf(found) : -1;
    if (at < 0) return inert(name, true);
    const piece = document.createDocumentFragment();
    const mark = document.createElement("u");
    mark.append(inert(name.slice(at, at + found.length), true));
    piece.append(inert(name.slice(0, at), true), mark, inert(name.slice(at + found.length), true));
    return piece;
  };

  /** @param {string} tag @param {Record<string, string>} attributes @param {...(Node | string)} children */
  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };

  Object.assign(window, { words: { inert, named, element, graphemes, cut } });
})();
