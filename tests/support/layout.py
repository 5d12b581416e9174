"""What a page's boxes say of its layout: words that are broken or cut, texts that lie over each other."""

from __future__ import annotations

from playwright.sync_api import Page

MEASURE = r"""() => {
  const UNREAD = ".vh, .skip, noscript, script, style, svg, .unseen, option, textarea, .plot, .utter";
  const shown = (node) => node.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
  const scrolls = (style) => /auto|scroll/.test(style.overflowX + style.overflowY);
  const named = (node) => node.tagName.toLowerCase() + (node.id ? `#${node.id}` : "")
    + (typeof node.className === "string" && node.className ? `.${node.className.trim().split(/\s+/).join(".")}` : "");
  const above = (node) => { const up = []; for (let at = node; at && at !== document.body; at = at.parentElement) up.push(at); return up; };
  const path = (node) => above(node).slice(0, 4).reverse().map(named).join(" > ");
  const quote = (text) => text.trim().replace(/\s+/g, " ").slice(0, 40);
  const found = [], texts = [], range = document.createRange(), top = document.querySelector("dialog[open]") ?? document.body;

  const broken = (node, owner) => { // a word of letters alone that goes on in the next line
    for (const word of node.data.matchAll(/[\p{L}\p{M}]{4,14}/gu)) {
      const around = /\S*$/u.exec(node.data.slice(0, word.index))[0].length + /^\S*/u.exec(node.data.slice(word.index))[0].length;
      if (around > 24 || "_" === node.data[word.index - 1]) continue; // an id, an address or the name of a setting
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].filter((each) => each.width > 0.5).map((each) => Math.round(each.top / 4)));
      if (lines.size > 1 && getComputedStyle(owner).writingMode[0] === "h") return found.push(`broken: ${word[0]} in ${path(owner)}`);
    }
  };

  const walker = document.createTreeWalker(top, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const owner = node.parentElement;
    if (!node.data.trim() || !owner || owner.closest(UNREAD) || !shown(owner)) continue;
    if (above(owner).some((at) => getComputedStyle(at).clipPath !== "none")) continue;
    broken(node, owner);
    range.selectNodeContents(node);
    const rects = [...range.getClientRects()].filter((each) => each.width > 1 && each.height > 1);
    let counts = true;
    for (const at of above(owner)) {
      const style = getComputedStyle(at), box = at.getBoundingClientRect();
      if (scrolls(style) || /fixed|sticky/.test(style.position) && at !== top) { counts = false; break; }
      if (style.overflowX === "visible") continue;
      const marked = style.textOverflow === "ellipsis" || style.webkitLineClamp !== "none"; // shows that text is cut off
      const beyond = rects.some((each) => each.right > box.right + 1 || each.left < box.left - 1);
      if (beyond && !marked) found.push(`cut: ${quote(node.data)} in ${path(at)}`);
      counts = !beyond && !marked;
      if (!counts) break;
    }
    if (counts) for (const rect of rects) texts.push({ rect, owner, text: quote(node.data) });
  }

  for (const box of top.querySelectorAll(":not(.bell, .vh, .plot, .plot *, svg, svg *, :has(.figs))")) {
    const style = getComputedStyle(box), over = box.scrollWidth - box.clientWidth;
    if (over < 2 || box.clientWidth < 3 || style.display === "inline" || scrolls(style) || !shown(box)) continue;
    if (style.textOverflow === "ellipsis" || style.webkitLineClamp !== "none" || box.closest(".vh")) continue;
    found.push(`overflows by ${over} px: ${quote(box.textContent)} in ${path(box)}`);
  }

  texts.sort((a, b) => a.rect.top - b.rect.top);
  texts.forEach(({ rect, text }, at) => {
    for (let next = at + 1; next < texts.length && texts[next].rect.top < rect.bottom; next += 1) {
      const other = texts[next].rect;
      const wide = Math.min(rect.right, other.right) - Math.max(rect.left, other.left);
      const high = Math.min(rect.bottom, other.bottom) - Math.max(rect.top, other.top);
      if (wide > 2 && high > 5) found.push(`over each other: ${text} | ${texts[next].text} in ${path(texts[next].owner)}`);
    }
  });
  return [...new Set(found)];
}"""  # noqa: E501


def flaws(page: Page) -> list[str]:
    """Words that are broken or cut off, boxes that overflow and texts over each other in what the page shows
    now, or its open dialog.
    """
    found: list[str] = page.evaluate(MEASURE)
    return found
