// The contact card's form: a field that was just left says what is wrong with it, and shows what was pasted, cleaned.
(() => {
  const sent = new WeakMap();

  document.addEventListener("htmx:beforeRequest", ({ detail }) => {
    const place = detail.target;
    const input = place?.dataset?.saidOf && document.getElementById(place.dataset.saidOf);
    if (input) sent.set(input, input.value);
  });

  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    const place = detail.target;
    const input = place?.dataset?.saidOf && document.getElementById(place.dataset.saidOf);
    if (!input) return;
    const errors = place.querySelector(".field-errors");
    const described = (input.getAttribute("aria-describedby") || "").split(" ").filter((id) => id && !id.endsWith("_error"));
    if (errors) described.push(errors.id);
    if (described.length) input.setAttribute("aria-describedby", described.join(" "));
    else input.removeAttribute("aria-describedby");
    if (errors) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    input.classList.toggle("is-invalid", Boolean(errors));
    const tidy = place.querySelector("data");
    // Whoever has typed on meanwhile is not interrupted.
    if (tidy && input.value === sent.get(input) && document.activeElement !== input) input.value = tidy.value;
    tidy?.remove();
  });
})();
