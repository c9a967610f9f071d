// Time: scrub through the snapshots of a training, and steer one that is running.

import { button, element, slider } from "./parts.js";

const ANSWER_WITHIN = 2000; // ms

export function timeView(app) {
  const content = element("div");
  const view = { title: "Time", element: content };
  const status = element("p", { role: "status" });
  const empty = element(
    "p",
    {},
    "There is one moment only so far. Pass this explorer to the training, lab.fit(model, data, callbacks=[explorer]), " +
      "and every stage of it appears here.",
  );
  const scrub = slider("Moment", {
    min: 0,
    max: 0,
    step: 1,
    value: 0,
    say: (value) => label(Math.round(value)),
    input: (value) => {
      app.counters.inputs += 1;
      app.following = value === last();
      app.showMoment(Math.round(value));
    },
  });
  let [timer, asked, told] = [0, 0, app.training];
  const play = button("Play", () => (timer ? stop() : start()), { "aria-pressed": "false" });
  const step = (by) => app.showMoment(Math.max(0, Math.min(last(), app.moment + by)));
  const row = element("div", { class: "row" }, button("Earlier", () => step(-1)), play, button("Later", () => step(1)));

  const ask = (action) => {
    app.steer(action);
    clearTimeout(asked);
    asked = setTimeout(() => {
      status.textContent = "The kernel does not take the command while it computes. The stop button ■ of the toolbar works: fit keeps what was learnt.";
    }, ANSWER_WITHIN);
  };
  const pause = button("Pause training", () => ask(app.training.paused ? "continue" : "pause"));
  const once = button("One epoch", () => ask("step"));
  const end = button("Stop training", () => ask("stop"));
  const live = element("div", { class: "row" }, pause, once, end);
  content.append(empty, scrub.element, row, live, status);

  function last() {
    return Math.max(...app.models.map((model) => model.snapshots.length)) - 1;
  }
  function label(moment) {
    return app.models
      .filter((model) => model.snapshots.length > 1 || app.models.length === 1)
      .map((model) => {
        const { step: steps, mse } = model.snapshots[Math.min(moment, model.snapshots.length - 1)];
        return `step ${steps}${mse !== null ? `, squared error ${mse.toFixed(4)}` : ""}`;
      })
      .join(" · ");
  }
  function start() {
    if (app.moment === last()) app.showMoment(0);
    play.textContent = "Halt";
    play.setAttribute("aria-pressed", "true");
    timer = setInterval(() => (app.moment < last() ? step(1) : stop()), app.reducedMotion ? 1500 : 400);
  }
  function stop() {
    clearInterval(timer);
    timer = 0;
    play.textContent = "Play";
    play.setAttribute("aria-pressed", "false");
  }

  const update = () => {
    const several = last() > 0;
    empty.hidden = several;
    scrub.element.hidden = row.hidden = !several;
    scrub.range.max = String(last());
    scrub.value = app.moment;
    scrub.refresh();
    const { running, paused, step: steps, total } = app.training;
    live.hidden = !running;
    pause.textContent = paused ? "Go on training" : "Pause training";
    if (app.training === told) return;
    told = app.training;
    clearTimeout(asked);
    if (running) status.textContent = `${paused ? "Paused" : "Training"}: step ${steps} of ${total}.`;
    else if (total) status.textContent = `Training ended at step ${steps}.`;
  };
  app.onChange(update);
  return { ...view, hide: stop };
}
