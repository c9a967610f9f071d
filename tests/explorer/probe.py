"""What a user sees, counted and timed in the page: input events, and the frames in which a picture was painted."""

import math
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

Point = tuple[float, float]

# Runs in a page before its own scripts. `probe.inputs` and `probe.paints` hold times in milliseconds, one entry an
# event and one a frame. A drawn canvas is on the screen after the frame it belongs to: the present one if it is drawn
# in an animation frame's callback, else the next; a message posted in a callback arrives when the frame is painted.
# `changed` tells whether the pixels are others than before; `counts` is the selector of the pictures that count.
SCRIPT = """(() => {
  const probe = (window.probe = { inputs: [], paints: [], counts: "canvas, img" });
  let inFrame = false;
  let waiting = null;
  const request = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (callback) => request((time) => {
    inFrame = true;
    try { callback(time); } finally { inFrame = false; }
  });
  const afterFrame = (then) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = then;
    channel.port2.postMessage(0);
  };
  const note = (changed) => {
    if (waiting) return void (waiting.changed ||= changed);
    const paint = (waiting = { changed });
    const end = () => {
      waiting = null;
      probe.paints.push({ ...paint, time: performance.now() });
    };
    if (inFrame) afterFrame(end);
    else request(() => afterFrame(end));
  };
  const last = new WeakMap();
  const put = CanvasRenderingContext2D.prototype.putImageData;
  CanvasRenderingContext2D.prototype.putImageData = function (image, ...rest) {
    put.call(this, image, ...rest);
    if (!this.canvas.matches?.(probe.counts)) return;
    const before = last.get(this.canvas);
    const changed = !before || before.some((value, i) => value !== image.data[i]);
    if (changed) last.set(this.canvas, image.data.slice());
    note(changed);
  };
  document.addEventListener("load", ({ target }) => {
    if (target.matches?.("img") && target.matches(probe.counts)) note(true);
  }, true);
  for (const type of ["keydown", "pointerdown", "pointermove"]) {
    document.addEventListener(type, (event) => {
      if (type !== "pointermove" || event.buttons) probe.inputs.push({ type, time: event.timeStamp });
    }, true);
  }
})()"""
QUIET = """(ms) => {
  const times = [...probe.inputs, ...probe.paints].map((one) => one.time);
  return performance.now() - Math.max(0, ...times) > ms;
}"""


class Record(NamedTuple):
    """Times in milliseconds since the page began, in order."""

    inputs: list[float]
    paints: list[float]
    changes: list[float]  # those paints that showed another picture than before

    @property
    def share(self) -> float:
        """Paints for each input."""
        return len(self.paints) / len(self.inputs)

    @property
    def input_rate(self) -> float:
        """Inputs a second: a page that is busy, or a busy machine, gets fewer of them than the hand makes."""
        return (len(self.inputs) - 1) / (self.inputs[-1] - self.inputs[0]) * 1000

    @property
    def rate(self) -> float:
        """Paints a second from the first input to the last."""
        first, last = self.inputs[0], self.inputs[-1]
        return sum(first < time <= last for time in self.paints) / (last - first) * 1000

    @property
    def settled(self) -> float:
        """Milliseconds from the last input to the last change of the picture; 0 if that came first."""
        return max(0.0, self.changes[-1] - self.inputs[-1]) if self.changes else math.inf


def clear(page: "Page", pictures: str) -> None:
    """Forget what was recorded; from now on the pictures that this selector names count."""
    page.evaluate("(counts) => Object.assign(probe, { inputs: [], paints: [], counts })", pictures)


def record(page: "Page", quiet: float = 500) -> Record:
    """What was recorded, once nothing has happened for `quiet` milliseconds."""
    page.wait_for_function(QUIET, arg=quiet)
    taken: dict[str, list[dict[str, Any]]] = page.evaluate("() => ({ inputs: probe.inputs, paints: probe.paints })")
    paints = taken["paints"]
    return Record(
        [one["time"] for one in taken["inputs"]],
        [one["time"] for one in paints],
        [one["time"] for one in paints if one["changed"]],
    )


def circle(target: "Locator", turns: float = 2, points: int = 120, radius: float = 0.3) -> list[Point]:
    """Places on a circle round the middle of an element, `radius` of its shorter side; it ends where it began."""
    box = target.bounding_box()
    assert box is not None, "the element is not in the page"
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    r = radius * min(box["width"], box["height"])
    angles = [2 * math.pi * turns * i / (points - 1) for i in range(points)]
    return [(x + r * math.cos(angle), y + r * math.sin(angle)) for angle in angles]


def drag(page: "Page", points: Sequence[Point], rate: float = 60) -> None:
    """Press the mouse button at the first place, go through all of them, `rate` a second, and let it go at the last."""
    page.mouse.move(*points[0])
    page.mouse.down()
    for x, y in paced(points[1:], rate):
        page.mouse.move(x, y)
    page.mouse.up()


def paced(points: Sequence[Point], rate: float) -> Iterator[Point]:
    """The points, no more than `rate` of them a second: a hand's speed. Time lost is not made up for in a burst."""
    due = time.perf_counter()
    for point in points:
        due = max(due + 1 / rate, time.perf_counter())
        time.sleep(max(0.0, due - time.perf_counter()))
        yield point
