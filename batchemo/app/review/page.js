// The page of a review. Names and labels are only ever shown by textContent.
"use strict";

const AHEAD = 5;      // Recordings that are loaded before they are needed.
const RETRY = 1000;   // Milliseconds between two tries to reach the server.
const $ = (id) => document.getElementById(id);
const page = crypto.getRandomValues(new Uint32Array(4)).join("-");

let settings, reviewer, audio, source = null, startedAt = 0, showName = false;
let current = null;         // The clip that is asked about.
let waiting = [];           // Clips that come next, loaded or being loaded.
let answered = [];          // Clips that can be taken back, the last one at the end.
let outbox = [];            // Answers that the server has not confirmed.
let sending = false, filling = false, atEnd = false, failedToFill = false;
let own = 0, all = 0;
// For whoever wants to know whether the page keeps up: milliseconds without a clip to listen to, and
// from a key to the next clip.
window.waited = [];
window.latencies = [];
let waitingSince = null;

async function post(name, sent) {
  const response = await fetch("api/" + name, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ reviewer, page, ...sent }),
  });
  if (!response.ok) {
    const error = new Error(await response.text());
    error.status = response.status;
    throw error;
  }
  return response.json();
}

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// ---- Recordings: fetched, decoded and drawn before they are needed.

async function fill() {
  if (filling || atEnd || waiting.length >= AHEAD) return;
  filling = true;
  try {
    const held = waiting.concat(current || [], outbox.map((item) => item.clip));
    const ids = [...new Set(held.map((clip) => clip.id))].slice(0, 20);
    const got = await post("next", { count: AHEAD - waiting.length, held: ids });
    if (!outbox.length) ({ own, all } = got);
    atEnd = got.clips.length === 0;
    for (const clip of got.clips) {
      clip.loaded = load(clip);
      waiting.push(clip);
    }
    if (failedToFill) say("");
    failedToFill = false;
  } catch (error) {
    failedToFill = true;
    // Answers that are not kept yet are told of already, and matter more.
    if (!outbox.length) {
      say("No new recordings: " + (error.status ? error.message : "the server does not answer."));
    }
    setTimeout(fill, RETRY);
  }
  filling = false;
  showProgress();
  if (!current) advance();
  if (!atEnd && !failedToFill && waiting.length < AHEAD) fill();
}

async function load(clip) {
  for (;;) {
    try {
      const response = await fetch("api/clip/" + clip.id);
      if (response.status === 422) {
        clip.failure = await response.text();
        return;
      }
      if (!response.ok) throw new Error(response.statusText);
      clip.from = Number(response.headers.get("X-Clip-Start"));
      clip.cut = response.headers.get("X-Clip-Cut") === "true";
      clip.sound = await audio.decodeAudioData(await response.arrayBuffer());
      clip.pictures = draw(clip);
      clip.ready = true;
      showProgress();
      return;
    } catch (error) {
      await sleep(RETRY);
    }
  }
}

function advance() {
  stop();
  current = null;
  const clip = waiting[0];
  if (!clip) {
    if (waitingSince === null) waitingSince = performance.now();
    showClip();
    fill();
    return;
  }
  if (clip.failure) {
    waiting.shift();
    say(clip.file + " cannot be played: " + clip.failure);
    outbox.push({ clip, skip: true });
    send();
    advance();
  } else if (!clip.ready) {
    if (waitingSince === null) waitingSince = performance.now();
    showClip();
    clip.loaded.then(() => { if (!current && waiting[0] === clip) advance(); });
  } else {
    if (waitingSince !== null) window.waited.push(performance.now() - waitingSince);
    waitingSince = null;
    current = waiting.shift();
    showClip();
    if ($("autoplay").checked) play();
    fill();
  }
}

// ---- Answers: sent one after another, and kept here until the server has kept them.

function answer(label) {
  if (!current) return;
  const clip = current;
  answered.push(clip);
  outbox.push({ clip, label });
  send();
  advance();
}

function takeBack() {
  const clip = answered.pop();
  if (!clip) return;
  outbox.push({ clip, label: "" });
  send();
  if (current) waiting.unshift(current);
  waiting.unshift(clip);
  atEnd = false;
  advance();
}

async function send() {
  showProgress();
  if (sending) return;
  sending = true;
  while (outbox.length) {
    const { clip, label, skip } = outbox[0];
    try {
      const told = await post(skip ? "skip" : "answer", { id: clip.id, label });
      if (!skip) {
        ({ own, all } = told);
        showLast(label, told);
        say("");
      }
      outbox.shift();
    } catch (error) {
      if (error.status && error.status < 500) {
        say("An answer was refused: " + error.message);
        outbox.shift();
      } else {
        say(outbox.length + " not kept yet, trying again: " +
          (error.status ? error.message : "the server does not answer."));
        await sleep(RETRY);
      }
    }
    showProgress();
  }
  sending = false;
}

// ---- Sound.

function play() {
  stop();
  if (!current) return;
  audio.resume();
  source = audio.createBufferSource();
  source.buffer = current.sound;
  source.connect(audio.destination);
  const mine = source;
  source.onended = () => { if (source === mine) stop(); };
  source.start();
  startedAt = audio.currentTime;
  $("cursor").style.visibility = "visible";
  requestAnimationFrame(moveCursor);
}

function stop() {
  if (source) {
    source.onended = null;
    source.stop();
    source = null;
  }
  $("cursor").style.visibility = "hidden";
}

function moveCursor() {
  if (!source) return;
  const share = (audio.currentTime - startedAt) / source.buffer.duration;
  const x = Math.min(1, share) * $("pictures").clientWidth;
  $("cursor").style.transform = `translateX(${x}px)`;
  requestAnimationFrame(moveCursor);
}

// ---- Pictures.

function draw(clip) {
  const waveform = document.createElement("canvas"), spectrogram = document.createElement("canvas");
  waveform.width = spectrogram.width = 960;
  waveform.height = 120;
  spectrogram.height = 200;
  const samples = clip.sound.getChannelData(0);
  drawWaveform(waveform, samples);
  drawSpectrogram(spectrogram, samples, clip.sound.sampleRate);
  if (clip.end !== null) {
    for (const canvas of [waveform, spectrogram]) shadeContext(canvas, clip);
  }
  return { waveform, spectrogram };
}

function drawWaveform(canvas, samples) {
  const context = canvas.getContext("2d"), { width, height } = canvas;
  let peak = 1e-4;
  for (const value of samples) peak = Math.max(peak, Math.abs(value));
  context.fillStyle = "#5b7fa6";
  for (let x = 0; x < width; x++) {
    const first = Math.floor(x * samples.length / width);
    const last = Math.max(first + 1, Math.floor((x + 1) * samples.length / width));
    let low = Infinity, high = -Infinity;
    for (let i = first; i < last && i < samples.length; i++) {
      low = Math.min(low, samples[i]);
      high = Math.max(high, samples[i]);
    }
    if (high < low) continue;
    const top = (1 - high / peak) * height / 2;
    context.fillRect(x, top, 1, Math.max(1, (high - low) / peak * height / 2));
  }
}

const SIZE = 512;     // Samples of a column of the spectrogram.
const cosines = Float32Array.from({ length: SIZE }, (_, i) => Math.cos(2 * Math.PI * i / SIZE));
const sines = Float32Array.from({ length: SIZE }, (_, i) => Math.sin(2 * Math.PI * i / SIZE));

function drawSpectrogram(canvas, samples, rate) {
  const context = canvas.getContext("2d"), { width, height } = canvas;
  const size = SIZE, columns = Math.min(480, Math.max(1, Math.floor(samples.length / 64)));
  const shown = Math.min(size / 2, Math.floor(size * 8000 / rate));
  const levels = new Float32Array(columns * shown);
  const real = new Float32Array(size), imaginary = new Float32Array(size);
  let loudest = -Infinity;
  for (let column = 0; column < columns; column++) {
    const start = Math.round((column + 0.5) * samples.length / columns - size / 2);
    for (let i = 0; i < size; i++) {
      real[i] = (samples[start + i] || 0) * (0.5 - 0.5 * cosines[i]);
      imaginary[i] = 0;
    }
    transform(real, imaginary);
    for (let bin = 0; bin < shown; bin++) {
      const power = real[bin] ** 2 + imaginary[bin] ** 2;
      const level = 10 * Math.log10(power + 1e-10);
      levels[column * shown + bin] = level;
      loudest = Math.max(loudest, level);
    }
  }
  const image = new ImageData(columns, shown);
  for (let column = 0; column < columns; column++) {
    for (let bin = 0; bin < shown; bin++) {
      const share = Math.max(0, 1 + (levels[column * shown + bin] - loudest) / 70);
      const at = 4 * ((shown - 1 - bin) * columns + column);
      image.data[at] = 255 * Math.min(1, 1.6 * share);
      image.data[at + 1] = 255 * Math.max(0, 1.7 * share - 0.7);
      image.data[at + 2] = 255 * Math.max(0, Math.min(0.6, 0.9 * share, 4 * share - 3 + 0.6));
      image.data[at + 3] = 255;
    }
  }
  const small = document.createElement("canvas");
  small.width = columns;
  small.height = shown;
  small.getContext("2d").putImageData(image, 0, 0);
  context.drawImage(small, 0, 0, width, height);
}

function transform(real, imaginary) {
  // The fast Fourier transform, in place.
  const size = SIZE;
  for (let i = 1, j = 0; i < size; i++) {
    let bit = size >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j], real[i]];
      [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
    }
  }
  for (let half = 1; half < size; half *= 2) {
    for (let k = 0; k < half; k++) {
      const cosine = cosines[k * SIZE / (2 * half)], sine = -sines[k * SIZE / (2 * half)];
      for (let i = k; i < size; i += 2 * half) {
        const j = i + half;
        const x = real[j] * cosine - imaginary[j] * sine, y = real[j] * sine + imaginary[j] * cosine;
        real[j] = real[i] - x;
        imaginary[j] = imaginary[i] - y;
        real[i] += x;
        imaginary[i] += y;
      }
    }
  }
}

function shadeContext(canvas, clip) {
  const context = canvas.getContext("2d"), scale = canvas.width / clip.sound.duration;
  const before = ((clip.start || 0) - clip.from) * scale, after = (clip.end - clip.from) * scale;
  context.fillStyle = "rgba(110, 118, 130, 0.6)";
  context.fillRect(0, 0, before, canvas.height);
  context.fillRect(after, 0, canvas.width - after, canvas.height);
}

// ---- What is shown.

function say(text) { $("message").textContent = text; }

function percent(share) { return Math.round(100 * share) + " %"; }

function showClip() {
  for (const name of ["waveform", "spectrogram"]) {
    const context = $(name).getContext("2d");
    context.clearRect(0, 0, 960, 200);
    if (current) context.drawImage(current.pictures[name], 0, 0);
  }
  // Nothing more will come, and nothing is being loaded.
  const ended = atEnd && !waiting.length;
  const parts = [];
  if (current) {
    if (showName || !settings.blind) parts.push(current.file);
    if (current.end !== null) parts.push(`${current.start} to ${current.end} s`);
    if (current.cut) parts.push("only its first two minutes");
    if (!settings.blind) parts.push(`predicted: ${current.prediction}, ${percent(current.confidence)}`);
  } else {
    parts.push(ended ? "Nothing is left to listen to. Thank you." : "Loading…");
  }
  $("clip").textContent = parts.join(" · ");
  document.body.dataset.clip = current ? current.id : "";
  document.body.dataset.state = current ? "asking" : ended ? "end" : "loading";
  for (const button of $("labels").children) {
    const predicted = !settings.blind && current && button.dataset.label === current.prediction;
    button.classList.toggle("predicted", Boolean(predicted));
  }
}

function showLast(label, told) {
  const line = $("last");
  line.textContent = "";
  if (!label) {
    line.textContent = "Taken back: " + told.file;
    return;
  }
  const said = document.createElement("b");
  said.textContent = label;
  const verdict = document.createElement("span");
  verdict.textContent = `${told.prediction}, ${percent(told.confidence)}`;
  verdict.className = told.prediction === label ? "same" : "other";
  line.append("You said ", said, " · predicted: ", verdict, " · " + told.file);
}

function showProgress() {
  const goal = settings.limit === null ? settings.total : settings.limit;
  const unsent = outbox.length ? ` · ${outbox.length} being sent` : "";
  $("progress").textContent = `${own} by you · ${all} by all · ${goal} to review${unsent}`;
  document.body.dataset.own = own;
  document.body.dataset.unsent = outbox.length;
  document.body.dataset.loaded = waiting.filter((clip) => clip.ready).length;
}

async function toggleFigures() {
  const section = $("figures");
  section.hidden = !section.hidden;
  if (section.hidden) return;
  section.textContent = "Loading…";
  try {
    const response = await fetch("api/figures");
    if (!response.ok) throw new Error(await response.text());
    section.replaceChildren(...(await response.json()).flatMap(shownTable));
  } catch (error) {
    section.textContent = "No figures: " + error.message;
  }
}

function shownTable({ title, columns, rows }) {
  const heading = document.createElement("h2"), table = document.createElement("table");
  heading.textContent = title;
  for (const [tag, cells] of [["th", columns], ...rows.map((row) => ["td", row])]) {
    const line = table.insertRow();
    for (const text of cells) {
      const cell = document.createElement(tag);
      cell.textContent = text === null ? "" : text;
      line.append(cell);
    }
  }
  return [heading, table];
}

// ---- Keys.

function keysOf(labels) {
  const keys = labels.map((label, index) => [String(index + 1), label, label]);
  return [...keys, ["u", "unsure", "unsure"], ["n", "no speech", "no_speech"]];
}

function onKey(event) {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if ($("review").hidden) return;
  const key = event.key.toLowerCase();
  const found = keysOf(settings.labels).find(([name]) => name === key);
  if (found) {
    answer(found[2]);
    window.latencies.push(performance.now() - event.timeStamp);
  }
  else if (key === " ") source ? stop() : play();
  else if (key === "z") takeBack();
  else if (key === "a") toggleAutoplay();
  else if (key === "i") { showName = !showName; showClip(); }
  else if (key === "f") toggleFigures();
  else return;
  event.preventDefault();
}

function toggleAutoplay() { $("autoplay").checked = !$("autoplay").checked; }

async function begin(event) {
  event.preventDefault();
  const name = $("reviewer").value.trim();
  if (!name) return;
  reviewer = name;
  localStorage.setItem("reviewer", reviewer);
  audio = new AudioContext();
  $("start").hidden = true;
  $("review").hidden = false;
  document.activeElement.blur();
  showProgress();
  advance();
}

async function open() {
  const response = await fetch("api/start", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: "{}",
  });
  settings = await response.json();
  $("table").textContent = settings.title;
  $("blindness").textContent = settings.blind ? "after your answer" : "at once";
  $("reviewer").value = localStorage.getItem("reviewer") || settings.reviewer;
  $("reviewer").select();
  for (const [key, text, label] of keysOf(settings.labels)) {
    const button = document.createElement("button"), hint = document.createElement("kbd");
    hint.textContent = key.toUpperCase();
    button.append(hint, " " + text);
    button.dataset.label = label;
    // Keys answer, and not the button that was clicked last.
    button.addEventListener("click", () => { button.blur(); answer(label); });
    $("labels").append(button);
  }
  $("start").addEventListener("submit", begin);
  document.addEventListener("keydown", onKey);
  $("autoplay").addEventListener("change", () => $("autoplay").blur());
  addEventListener("beforeunload", (event) => { if (outbox.length) event.preventDefault(); });
  addEventListener("pagehide", () => {
    const body = JSON.stringify({ reviewer, page });
    navigator.sendBeacon("api/close", new Blob([body], { type: "application/json" }));
  });
  document.body.dataset.state = "start";
}

open();
