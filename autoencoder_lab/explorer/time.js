// Time: scrub through the snapshots of a training, and steer one that is running.

import { row } from "./morph.js";
import { button, element, slider } from "./parts.js";

const ANSWER_WITHIN = 2000; // ms

export function timeView(app) {
	let [timer, asked, told] = [0, 0, app.training];
	const last = () => Math.max(...app.models.map(({ snapshots }) => snapshots.length)) - 1;
	const label = (moment) =>
		app.models.map(({ snapshots }) => {
			const { step, mse } = snapshots[Math.min(moment, snapshots.length - 1)];
			return `step ${step}, squared error ${mse?.toFixed(4) ?? "unknown"}`;
		}).join(" · ");
	const stop = () => {
		timer = clearInterval(timer);
		play.textContent = "Play";
	};
	const start = () => {
		if (app.moment === last()) app.showMoment(0);
		play.textContent = "Halt";
		timer = setInterval(() => (app.moment < last() ? app.showMoment(app.moment + 1) : stop()), app.reducedMotion ? 1500 : 400);
	};
	const scrub = slider("Moment", {
		max: 0,
		say: label,
		input: (value) => {
			app.following = value === last();
			app.showMoment(value);
		},
	});
	const play = button("Play", () => (timer ? stop() : start()));
	const ask = (action) => {
		app.steer(action);
		clearTimeout(asked);
		asked = setTimeout(() => {
			status.textContent =
				"The kernel takes no command now; the toolbar’s stop button ■ works.";
		}, ANSWER_WITHIN);
	};
	const pause = button("Pause training", () => ask(app.training.paused ? "continue" : "pause"));
	const live = row(pause, button("One epoch", () => ask("step")), button("Stop training", () => ask("stop")));
	const empty = element("p", {}, "Stages of lab.fit(model, data, callbacks=[explorer]) appear here.");
	const status = element("p", { role: "status" });

	app.onChange(() => {
		empty.hidden = last() > 0;
		scrub.element.hidden = play.hidden = !empty.hidden;
		scrub.range.max = last();
		scrub.value = app.moment;
		const { running, paused, step: steps, total } = app.training;
		live.hidden = !running;
		pause.textContent = paused ? "Go on training" : "Pause training";
		if (app.training === told) return;
		told = app.training;
		clearTimeout(asked);
		const state = running ? (paused ? "Paused" : "Training") : "Training ended";
		status.textContent = total ? `${state}: step ${steps} of ${total}.` : "";
	});
	return { title: "Time", element: element("div", {}, empty, scrub.element, play, live, status), hide: stop };
}
