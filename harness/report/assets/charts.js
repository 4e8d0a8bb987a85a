// Draws each chart in the colours of the reader's scheme, and again when that changes.
"use strict";
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  const drawn = new Map();
  let turn = Promise.resolve();

  async function drawOne(name, spec) {
    const element = document.getElementById(`drawing-${name}`);
    try {
      const before = drawn.get(name);
      if (before) before.view.finalize();
      drawn.set(name, await window.drawChart(element, spec, scheme.matches));
      // What the chart says stands in the figure's own label, so nothing inside is read out again.
      element.firstElementChild?.setAttribute("aria-hidden", "true");
    } catch (error) {
      element.textContent = `This chart could not be drawn (${error.message}); the tables have its figures.`;
      console.error(`chart ${name}: ${error.message}`);
    }
  }

  async function drawAll() {
    document.documentElement.dataset.charts = "drawing";
    for (const [name, spec] of Object.entries(charts)) await drawOne(name, spec);
    document.documentElement.dataset.charts = scheme.matches ? "dark" : "light";
  }

  const draw = () => { turn = turn.then(drawAll); };
  scheme.addEventListener("change", draw);
  draw();
})();
