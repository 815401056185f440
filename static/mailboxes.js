// Choosing users in the list of mailboxes: all at once, and no button that has nothing to work on.
(() => {
  const form = document.getElementById("set-up");
  if (!form) return;
  const all = form.querySelector("[data-choose-all]");
  const each = [...form.querySelectorAll("[name=user]")];
  const button = form.querySelector("[data-needs-choice]");

  function show() {
    const chosen = each.filter((box) => box.checked).length;
    all.checked = chosen > 0 && chosen === each.length;
    all.indeterminate = chosen > 0 && chosen < each.length;
    button.disabled = chosen === 0;
  }

  all.hidden = each.length === 0;
  all.addEventListener("change", () => {
    for (const box of each) box.checked = all.checked;
    show();
  });
  form.addEventListener("change", show);
  addEventListener("pageshow", show);
  show();
})();
