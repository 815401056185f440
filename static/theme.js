// Runs before the first paint: the theme that this browser remembers, or the system's.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const choice = () => localStorage.getItem("theme") || "auto";
  const apply = () => {
    const theme = choice() === "auto" ? (system.matches ? "dark" : "light") : choice();
    document.documentElement.dataset.bsTheme = theme;
  };
  apply();
  system.addEventListener("change", apply);
  window.theme = {
    choice,
    choose(name) {
      localStorage.setItem("theme", name);
      apply();
    },
  };
})();
