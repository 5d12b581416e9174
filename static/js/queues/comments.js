// @ts-check
/* Comments: sent without leaving the page, so that what was refused stays in the field; about a passage that is marked in the text; answered
   in the dialog of the bench and the review. On the page of comments A answers and E resolves the conversation that has the focus. */
(() => {
  /** @param {HTMLFormElement} form @param {string} name */
  const input = (form, name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name));
  const token = () => JSON.parse(document.body.getAttribute("hx-headers") || "{}");

  /** Says beside the field why nothing was saved, or takes that back. @param {HTMLFormElement} form @param {string} text */
  const complain = (form, text) => {
    form.querySelector(".err")?.remove();
    if (!text) return;
    const error = document.createElement("span");
    error.className = "err";
    error.setAttribute("role", "alert");
    error.textContent = text;
    form.querySelector(".field")?.append(error);
    form.querySelector("textarea")?.focus();
  };

  /** @param {HTMLFormElement} form */
  const send = async (form) => {
    complain(form, "");
    form.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(form.action, {
        method: "POST",
        headers: { ...token(), Accept: "application/json" },
        body: new URLSearchParams(/** @type {any} */ (new FormData(form))),
        redirect: "manual",
      });
      const body =
        response.type === "opaqueredirect"
          ? { message: "You are signed out. Sign in in another tab, then try again." }
          : await response.json().catch(() => ({}));
      if (!response.ok) {
        complain(form, body.message || "The server failed. Nothing was saved; try again.");
        return;
      }
      form.dispatchEvent(new CustomEvent("commented", { bubbles: true, detail: body.comment }));
    } catch {
      complain(form, "No connection. Nothing was saved.");
    } finally {
      form.removeAttribute("aria-busy");
    }
  };

  addEventListener(
    "submit",
    (event) => {
      const form = /** @type {HTMLFormElement} */ (event.target);
      if (!form.matches("[data-comment]")) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (form.getAttribute("aria-busy") !== "true") send(form);
    },
    true,
  );
  addEventListener("keydown", (event) => {
    const form = /** @type {Element} */ (event.target).closest("form[data-comment]");
    if (form instanceof HTMLFormElement && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit();
    }
  });

  dialogs();
  page();

  /** The dialog of the bench and the review. */
  function dialogs() {
    const dialog = /** @type {HTMLDialogElement | null} */ (document.getElementById("comment-dialog"));
    const form = /** @type {HTMLFormElement | null} */ (document.getElementById("comment-form"));
    if (!dialog || !form) return;
    const quoted = /** @type {HTMLElement} */ (form.querySelector("[data-quoted]"));
    const answering = /** @type {HTMLElement} */ (form.querySelector("[data-answering]"));
    /** What was marked in the text before the dialog opened. @type {{start: number, end: number, quote: string} | null} */
    let marked = null;

    const look = () => {
      const chosen = getSelection();
      const text = document.querySelector("[data-passages]");
      if (
        !chosen ||
        chosen.isCollapsed ||
        !text ||
        text.querySelector(".unseen") ||
        !text.contains(chosen.anchorNode) ||
        !text.contains(chosen.focusNode)
      )
        return;
      const range = chosen.getRangeAt(0);
      const before = document.createRange();
      before.selectNodeContents(text);
      before.setEnd(range.startContainer, range.startOffset);
      const quote = range.toString();
      const start = [...before.toString()].length; // in code points
      marked = { start, end: start + [...quote].length, quote };
    };
    document.addEventListener("selectionchange", look);
    addEventListener("pointerdown", (event) => {
      if (!(/** @type {Element} */ (event.target).closest("button, dialog"))) marked = null;
    });

    const dress = () => {
      const text = document.querySelector("[data-passages]")?.textContent ?? "";
      if (marked && [...text].slice(marked.start, marked.end).join("") !== marked.quote) marked = null; // another item is shown by now
      for (const name of /** @type {const} */ (["start", "end", "quote"]))
        input(form, name).value = marked ? String(marked[name]) : "";
      quoted.hidden = !marked;
      if (quoted.firstElementChild)
        quoted.firstElementChild.textContent = marked ? /** @type {any} */ (window).words.cut(marked.quote, 200) : "";
    };
    /** @param {string} id @param {string} who */
    const answer = (id, who) => {
      input(form, "reply_to").value = id;
      answering.hidden = !id;
      answering.textContent = id ? `Reply to ${who === "You" ? "your comment" : who}.` : "";
      const title = dialog.querySelector("h2");
      if (title) title.textContent = id ? "Reply" : "Comment on this text";
    };
    new MutationObserver(() => {
      if (dialog.open) dress();
    }).observe(dialog, { attributes: true, attributeFilter: ["open"] });
    quoted.querySelector("[data-unquote]")?.addEventListener("click", () => {
      marked = null;
      dress();
      form.querySelector("textarea")?.focus();
    });
    dialog.addEventListener("close", () => {
      answer("", "");
      complain(form, "");
    });
    form.addEventListener("commented", () => {
      form.reset();
      marked = null;
      dialog.close();
    });
    addEventListener("click", (event) => {
      const link = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest("[data-answer]"));
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      marked = null;
      answer(link.dataset.answer ?? "", link.dataset.who ?? "");
      dialog.showModal();
    });
  }

  /** The page of a queue's comments. */
  function page() {
    if (document.getElementById("comment-dialog")) return;
    addEventListener("commented", (event) => {
      history.replaceState(null, "", `#comment-${/** @type {CustomEvent} */ (event).detail.id}`);
      location.reload();
    });
    for (const details of document.querySelectorAll("[data-thread] details"))
      details.addEventListener("toggle", () => {
        if (/** @type {HTMLDetailsElement} */ (details).open) details.querySelector("textarea")?.focus();
      });
    addEventListener("keydown", (event) => {
      const target = /** @type {Element} */ (event.target);
      const thread = target.closest("[data-thread]");
      if (event.key === "Escape" && target.matches("[data-thread] textarea")) {
        const details = target.closest("details");
        if (details) details.open = false;
        details?.querySelector("summary")?.focus();
        return;
      }
      if (
        !thread ||
        event.defaultPrevented ||
        event.ctrlKey ||
        event.metaKey ||
        event.altKey ||
        document.body.dataset.keys === "off" ||
        target.closest("input, textarea, select")
      )
        return;
      const details = thread.querySelector("details");
      if (event.key === "a" && details) {
        event.preventDefault();
        details.open = true;
        details.querySelector("textarea")?.focus();
      } else if (event.key === "e") {
        const form = /** @type {HTMLFormElement | null} */ (thread.querySelector("form[data-resolve]"));
        if (form) {
          event.preventDefault();
          form.requestSubmit();
        }
      }
    });
    const aim = /^#comment-[0-9a-f-]+$/.test(location.hash) ? document.querySelector(location.hash) : null;
    const first = aim?.closest("[data-thread]")?.querySelector("a, summary, button");
    if (first instanceof HTMLElement) first.focus();
  }
})();
