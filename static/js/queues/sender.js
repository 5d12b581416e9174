// @ts-check
/* Sends answers one after the other. What fails is kept, reported, and sent again on demand; after 3 unsaved answers nothing more is taken. */
(() => {
  const LIMIT = 3;

  /** Stays the same when it is sent again, so that a double submit makes one row. */
  const key = () =>
    crypto.randomUUID?.() ??
    "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (c) =>
      (+c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (+c / 4)))).toString(16),
    );

  const token = () => JSON.parse(document.body.getAttribute("hx-headers") || "{}");

  /** @param {string} url @param {Record<string, string>} fields */
  const post = async (url, fields) => {
    const response = await fetch(url, {
      method: "POST",
      headers: { ...token(), Accept: "application/json" },
      body: new URLSearchParams(fields),
      redirect: "manual",
    });
    if (response.type === "opaqueredirect")
      throw Object.assign(new Error("You are signed out. Sign in in another tab, then try again."), { again: true });
    const body = await response.json().catch(() => ({}));
    if (response.ok) return body;
    throw Object.assign(new Error(body.message || "The server failed."), {
      again: response.status >= 500 || response.status === 429,
      status: response.status,
    });
  };

  /** @param {{ saved: (body: any) => void, refused: (job: any, error: Error) => void, changed: () => void }} hooks */
  const sender = (hooks) => {
    /** @type {{ url: string, fields: Record<string, string>, what: any }[]} */
    const waiting = [];
    let busy = false;
    let stuck = false;

    const run = async () => {
      if (busy || stuck) return;
      busy = true;
      while (waiting.length && !stuck) {
        const job = waiting[0];
        try {
          const body = await post(job.url, { ...job.fields, ...held() });
          waiting.shift();
          hooks.saved(body);
        } catch (error) {
          if (error instanceof TypeError || /** @type {any} */ (error).again) {
            stuck = true;
            offer(/** @type {Error} */ (error));
          } else {
            waiting.shift();
            hooks.refused(job, /** @type {Error} */ (error));
          }
        }
        hooks.changed();
      }
      busy = false;
    };

    /** The page's state, sent with every request. @type {() => Record<string, string>} */
    let held = () => ({});

    const again = () => {
      stuck = false;
      document.getElementById("unsaved")?.remove();
      run();
    };

    /** @param {Error} error */
    const offer = (error) => {
      document.getElementById("unsaved")?.remove();
      const { element } = /** @type {any} */ (window).words;
      const why = error instanceof TypeError ? "No connection" : error.message;
      const button = element("button", { class: "btn small", type: "button", id: "try-again" }, "Try again");
      button.addEventListener("click", again);
      document
        .getElementById("toasts")
        ?.append(
          element(
            "div",
            { class: "toast", role: "alert", id: "unsaved" },
            element("span", { class: "st bad" }, `Not saved (${waiting.length}). ${why}`),
            button,
          ),
        );
    };

    addEventListener("online", () => stuck && again());
    addEventListener("beforeunload", (event) => {
      if (waiting.length) event.preventDefault();
    });

    return {
      key,
      post,
      get unsaved() {
        return waiting.length;
      },
      get labels() {
        return waiting.filter((job) => job.what?.words !== undefined).length;
      },
      get stuck() {
        return stuck;
      },
      get full() {
        return stuck && waiting.length >= LIMIT;
      },
      get slots() {
        return waiting.map((job) => job.fields.slot);
      },
      again,
      /** @param {() => Record<string, string>} state */
      holding: (state) => {
        held = state;
      },
      /** @param {string} url @param {Record<string, string>} fields @param {any} what */
      send: (url, fields, what) => {
        waiting.push({ url, fields: { ...fields, client_key: key() }, what });
        hooks.changed();
        if (stuck) offer(new TypeError());
        run();
      },
      /** Takes back the newest answer that was not sent yet. @returns {any} */
      unsend: () => (waiting.length > (busy ? 1 : 0) ? waiting.pop()?.what : undefined),
      idle: async () => {
        while (busy) await new Promise((done) => setTimeout(done, 20));
      },
    };
  };

  Object.assign(window, { sender });
})();
