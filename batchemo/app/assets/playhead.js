// Moves a line over all charts whose time axis is that of the recording, while it is played.

const running = new WeakMap();

export default function (component) {
  const { parentElement, data } = component;
  const state = running.get(parentElement) ?? { lines: new Map(), frame: 0 };
  Object.assign(state, data);
  if (!running.has(parentElement)) {
    running.set(parentElement, state);
    const step = () => {
      draw(state);
      state.frame = requestAnimationFrame(step);
    };
    step();
  }
  return () => {
    cancelAnimationFrame(state.frame);
    state.lines.forEach((line) => line.remove());
    running.delete(parentElement);
  };
}

function draw(state) {
  const player = document.querySelector('[data-testid="stAudio"]');
  if (player && !player.hasAttribute("aria-label")) {
    player.setAttribute("aria-label", "The recording");
  }
  const charts = new Set(
    document.querySelectorAll(`${state.charts} [data-testid="stVegaLiteChart"]`),
  );
  for (const [chart, line] of state.lines) {
    if (!charts.has(chart)) {
      line.remove();
      state.lines.delete(chart);
    }
  }
  const share = player ? Math.min(1, player.currentTime / state.seconds) : 0;
  for (const chart of charts) {
    // The plot without its axes and legend.
    const plot = chart.querySelector(".background");
    if (!plot) continue;
    let line = state.lines.get(chart);
    if (!line || !line.isConnected) {
      line = document.createElement("div");
      line.className = "batchemo-playhead";
      line.setAttribute("aria-hidden", "true");
      Object.assign(line.style, {
        position: "absolute", width: "2px", pointerEvents: "none", background: "#e5484d",
      });
      chart.style.position = "relative";
      chart.append(line);
      state.lines.set(chart, line);
    }
    const box = plot.getBoundingClientRect();
    const origin = line.parentElement.getBoundingClientRect();
    line.style.left = `${box.left - origin.left + share * box.width - 1}px`;
    line.style.top = `${box.top - origin.top}px`;
    line.style.height = `${box.height}px`;
    line.hidden = share === 0;
  }
}
