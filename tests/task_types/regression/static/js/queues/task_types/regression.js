// @ts-check
/* A number on a slider; the field beside it shows the same number, and takes an exact one. */
(() => {
  const page = /** @type {any} */ (window);
  /** @type {any} */
  const widgets = (page.widgets ??= {});

  /** @param {any} bench */
  widgets.regression = ({ item, send, lack }) => {
    const slider = /** @type {HTMLInputElement} */ (document.getElementById("slider"));
    const exact = /** @type {HTMLInputElement} */ (document.getElementById("number"));
    const [low, high] = [Number(slider.min), Number(slider.max)];
    let begun = ""; // the number that the item came with
    const number = () => Number(exact.value.trim().replace(",", "."));
    const isNumber = () => exact.value.trim() !== "" && number() >= low && number() <= high;
    const follow = () => {
      exact.value = slider.value;
    };
    const save = () => {
      if (!item()) return;
      if (!isNumber()) {
        lack(`Give a number from ${low} to ${high}, or skip the item.`, exact);
        return;
      }
      send({ number: number() }, String(number()));
    };
    slider.addEventListener("input", follow);
    exact.addEventListener("input", () => {
      if (isNumber()) slider.value = String(number());
    });
    for (const field of [slider, exact])
      field.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        if (event.key === "Enter") {
          event.preventDefault();
          if (!event.repeat) save();
        } else if (field === slider && /^\d$/.test(event.key)) {
          event.preventDefault();
          slider.value = event.key;
          follow();
        } else if (field === exact && event.key === "Escape") {
          event.preventDefault();
          slider.focus({ preventScroll: true });
        }
      });
    return {
      field: slider,
      value: () => (isNumber() ? { number: number() } : null),
      dirty: () => exact.value !== begun,
      show: (it) => {
        const known = it.previous?.number ?? it.prelabeled?.number;
        slider.value = String(known ?? (low + high) / 2);
        exact.value = begun = known == null ? "" : String(known);
        return false;
      },
      choose: () => {},
      save,
      dress: () => {},
    };
  };
})();
