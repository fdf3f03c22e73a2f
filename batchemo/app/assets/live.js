// Sends the last seconds of the microphone to the server, again and again, and shows the label.
// The next request is sent when the last one is answered, and once a second at most.

const EVERY = 1000;
const MOST_LINES = 8;
const COLLECTOR = `registerProcessor("collector", class extends AudioWorkletProcessor {
  process([input]) {
    if (input.length) this.port.postMessage(input[0].slice());
    return true;
  }
});`;
const mounted = new WeakMap();

export default function (component) {
  const { parentElement, data } = component;
  const known = mounted.get(parentElement);
  if (known) {
    known.data = data;
    return known.stop;
  }
  const find = (selector) => parentElement.querySelector(selector);
  const page = { data, find, button: find("button") };
  page.stop = () => stop(page);
  page.button.onclick = () => (page.context ? stop(page) : start(page));
  mounted.set(parentElement, page);
  return page.stop;
}

async function start(page) {
  page.find(".problem").textContent = "";
  if (!navigator.mediaDevices) {
    page.find(".problem").textContent =
      "Browsers give a page the microphone only on localhost or over https.";
    return;
  }
  try {
    page.stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    page.find(".problem").textContent = `The microphone cannot be used: ${error.message}.`;
    return;
  }
  const context = (page.context = new AudioContext());
  const url = URL.createObjectURL(new Blob([COLLECTOR], { type: "text/javascript" }));
  await context.audioWorklet.addModule(url);
  URL.revokeObjectURL(url);
  const collector = new AudioWorkletNode(context, "collector", { numberOfOutputs: 0 });
  page.pieces = [];
  collector.port.onmessage = ({ data }) => {
    page.pieces.push(data);
    const most = Math.ceil((page.data.seconds * context.sampleRate) / data.length);
    page.pieces.splice(0, page.pieces.length - most);
  };
  context.createMediaStreamSource(page.stream).connect(collector);
  page.button.textContent = "Stop";
  page.begun = Date.now();
  listen(page, context);
}

function stop(page) {
  page.stream?.getTracks().forEach((track) => track.stop());
  page.context?.close();
  page.context = page.stream = undefined;
  page.button.textContent = "Start listening";
}

async function listen(page, context) {
  while (page.context === context) {
    await new Promise((resolve) => setTimeout(resolve, EVERY));
    const samples = page.pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (page.context !== context || samples < context.sampleRate) continue;
    try {
      const answer = await fetch(page.data.url, {
        method: "POST",
        headers: { "Content-Type": "audio/wav" },
        body: wav(page.pieces, samples, context.sampleRate),
      });
      if (!answer.ok) throw new Error(await answer.text());
      if (page.context === context) show(page, await answer.json());
    } catch (error) {
      page.find(".problem").textContent = `The last seconds were not analysed: ${error.message}`;
      stop(page);
    }
  }
}

function show(page, { label, confidence, probabilities, problem }) {
  const sounds = problem ?? `${label}, ${percent(confidence)}`;
  page.find(".now").textContent = sounds;
  page.find(".classes").replaceChildren(
    ...Object.entries(probabilities ?? {}).map(([name, probability]) => {
      const [line, bar, number] = ["li", "i", "b"].map((tag) => document.createElement(tag));
      bar.style.width = percent(probability);
      bar.style.background = page.data.colours[name];
      number.textContent = percent(probability);
      line.append(name, bar, number);
      return line;
    }),
  );
  const line = document.createElement("li");
  const seconds = Math.round((Date.now() - page.begun) / 1000);
  line.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}  ${sounds}`;
  const heard = page.find(".heard");
  heard.prepend(line);
  while (heard.children.length > MOST_LINES) heard.lastChild.remove();
}

const percent = (share) => `${Math.round(100 * share)}%`;

function wav(pieces, samples, rate) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples));
  const text = (at, letters) =>
    [...letters].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * samples, true);
  let at = 44;
  for (const piece of pieces) {
    for (const sample of piece) {
      view.setInt16(at, Math.max(-1, Math.min(1, sample)) * 32767, true);
      at += 2;
    }
  }
  return view.buffer;
}
