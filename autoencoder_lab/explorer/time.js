// Time: scrub through the snapshots of a training, and steer one that is running.

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
	const step = (by) => app.showMoment(Math.max(0, Math.min(last(), app.moment + by)));
	const start = () => {
		if (app.moment === last()) app.showMoment(0);
		play.textContent = "Halt";
		timer = setInterval(() => (app.moment < last() ? step(1) : stop()), app.reducedMotion ? 1500 : 400);
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
	const row = element("div", { class: "row" }, button("Earlier", () => step(-1)), play, button("Later", () => step(1)));
	const ask = (action) => {
		app.steer(action);
		clearTimeout(asked);
		asked = setTimeout(() => {
			status.textContent =
				"The kernel takes no command while it computes. The toolbar’s stop button ■ works: fit keeps what was learnt.";
		}, ANSWER_WITHIN);
	};
	const pause = button("Pause training", () => ask(app.training.paused ? "continue" : "pause"));
	const live = element("div", { class: "row" }, pause);
	live.append(button("One epoch", () => ask("step")), button("Stop training", () => ask("stop")));
	const empty = element("p", {}, "One moment so far. Every stage of lab.fit(model, data, callbacks=[explorer]) appears here.");
	const status = element("p", { role: "status" });

	app.onChange(() => {
		empty.hidden = last() > 0;
		scrub.element.hidden = row.hidden = !empty.hidden;
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
	return { title: "Time", element: element("div", {}, empty, scrub.element, row, live, status), hide: stop };
}
