// @ts-check
/* Text from outside as DOM nodes: nothing is ever parsed as HTML, and control, bidi and invisible characters are shown by their code point. */
(() => {
  const UNSEEN = /[\p{Cc}\p{Cf}\u115f\u1160\u17b4\u17b5\u2028\u2029\u3164\uffa0]/u;

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
    let plain = "";
    const flush = () => { if (plain) piece.append(plain); plain = ""; };
    for (const character of text.replaceAll("\r\n", "\n")) {
      if (character !== "\n" && character !== "\t" && UNSEEN.test(character)) { flush(); piece.append(visible(character)); } else plain += character;
      if (breaks && character === "_") { flush(); piece.append(document.createElement("wbr")); }
    }
    flush();
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

  Object.assign(window, { words: { inert, named, element } });
})();
