// @ts-check
/* Two responses of which one is better. */
(() => {
  const page = /** @type {any} */ (window);
  const { stage } = page.responses;
  /** @type {any} */
  const widgets = (page.widgets ??= {});

  /** @param {any} bench */
  widgets.preference = ({ item, send, byId }) => ({
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
})();
