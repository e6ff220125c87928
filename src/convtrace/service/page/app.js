"use strict";

// The page at /: pictures in, verdicts out. Nothing is fetched from anywhere but this service.

const byId = (id) => document.getElementById(id);
const AT_ONCE = 2;
const WORDS = {
  real: "Real photograph",
  generated: "Generated",
  unsure: "Unsure",
};
const state = { limit: 50_000_000, token: "", ready: false, waiting: [], running: 0, cards: [] };

// ------------------------------------------------------------------ talking to the service

class Refusal extends Error {
  constructor(status, detail, retryAfter) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

function post(path, file, { type = "json", accept = "application/json", progress } = {}) {
  // fetch() cannot tell how much of an upload has gone.
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.responseType = type;
    request.timeout = 180_000;
    request.setRequestHeader("Accept", accept);
    if (state.token) request.setRequestHeader("Authorization", `Bearer ${state.token}`);
    if (progress) {
      request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    }
    request.onload = async () => {
      if (request.status === 200) {
        resolve(request.response);
        return;
      }
      let body = request.response;
      if (body instanceof Blob) body = await body.text().then(JSON.parse).catch(() => null);
      const detail = (body && body.detail) || `The service answered with status ${request.status}.`;
      reject(new Refusal(request.status, detail, Number(request.getResponseHeader("Retry-After")) || 0));
    };
    request.onerror = () => reject(new Refusal(0, "The service does not answer. Is it still running? Start it again with: convtrace serve"));
    request.ontimeout = () => reject(new Refusal(0, "The service took too long to answer."));
    const form = new FormData();
    form.append("files", file, file.name || "pasted picture");
    request.send(form);
  });
}

async function patiently(send, tell) {
  // A service that is full, or starting, says when it is worth while to ask again.
  for (let tries = 0; ; tries += 1) {
    try {
      return await send();
    } catch (error) {
      const busy = error.status === 429 || error.status === 503;
      if (!busy || tries >= 20) throw error;
      tell("The service is busy; waiting…");
      await new Promise((wake) => setTimeout(wake, 1000 * Math.min(error.retryAfter || 2, 30)));
    }
  }
}

async function look() {
  const notice = byId("service");
  let answer;
  try {
    answer = await fetch("readyz", { cache: "no-store" });
  } catch {
    notice.textContent = "The service does not answer. Is it still running? Start it again with: convtrace serve";
    notice.classList.add("bad");
    notice.hidden = false;
    setTimeout(look, 3000);
    return;
  }
  const body = await answer.json().catch(() => ({}));
  state.limit = body.max_upload_bytes || state.limit;
  byId("token-form").hidden = !body.token_needed || Boolean(state.token);
  state.ready = answer.ok;
  notice.classList.toggle("bad", !answer.ok && answer.status !== 503);
  notice.hidden = answer.ok;
  if (answer.ok) {
    work();
    limits();
  } else {
    notice.textContent = body.detail || "The service is starting…";
    setTimeout(look, 2000);
  }
}

// ------------------------------------------------------------------ pictures in

function add(files) {
  for (const file of files) {
    const card = makeCard(file);
    state.cards.push(card);
    byId("list").append(card.root);
    if (file.size > state.limit) {
      fail(card, `${megabytes(file.size)} are more than the ${megabytes(state.limit)} that this service takes. Judge it with the command: convtrace scan`);
    } else if (file.size === 0) {
      fail(card, "The file is empty.");
    } else {
      state.waiting.push(card);
    }
  }
  filled();
  tally();
  work();
}

function filled() {
  const some = state.cards.length > 0;
  byId("results").hidden = !some;
  document.body.classList.toggle("some", some);
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

function work() {
  if (!state.ready) return;
  while (state.running < AT_ONCE && state.waiting.length) {
    state.running += 1;
    judge(state.waiting.shift()).finally(() => {
      state.running -= 1;
      work();
    });
  }
}

async function judge(card) {
  const tell = (words) => (card.busyWords.textContent = words);
  const bar = card.root.querySelector("progress");
  card.busy.hidden = false;
  card.failed.hidden = true;
  tell("Sending…");
  const progress = (share) => {
    if (share < 1) bar.value = 100 * share;
    else bar.removeAttribute("value");
    tell(share < 1 ? `Sending, ${Math.round(100 * share)} %` : "Measuring the trace…");
  };
  try {
    const [verdict] = await patiently(() => post("v1/scan", card.file, { progress }), tell);
    show(card, verdict);
  } catch (error) {
    if (error.status === 401) askToken();
    fail(card, error.message, error.status === 0 || error.status === 401 || error.status >= 429);
    if (error.status === 0) look();
  }
}

function askToken() {
  state.token = "";
  byId("token-form").hidden = false;
  byId("token").focus();
}

// ------------------------------------------------------------------ cards

function makeCard(file) {
  const root = byId("card").content.firstElementChild.cloneNode(true);
  const find = (selector) => root.querySelector(selector);
  const card = {
    root, file, find, label: null, explanation: null, url: URL.createObjectURL(file),
    busy: find(".busy"), busyWords: find(".busy-words"), failed: find(".failed"),
  };
  find(".name").textContent = file.name || "pasted picture";
  find(".busy-words").textContent = "Waiting…";
  const image = find(".thumb img");
  image.onload = () => {
    image.hidden = false;
    find(".no-thumb").hidden = true;
  };
  image.src = card.url;
  find(".retry").onclick = () => {
    card.label = null;
    state.waiting.push(card);
    card.failed.hidden = true;
    card.busy.hidden = false;
    card.busyWords.textContent = "Waiting…";
    look();
  };
  find(".open").onclick = () => toggle(card);
  find(".report").onclick = () => download(card, "html");
  find(".data").onclick = () => download(card, "json");
  return card;
}

function fail(card, message, again = false) {
  card.label = "failed";
  card.busy.hidden = true;
  card.failed.hidden = false;
  // The name stands above already.
  const name = `${card.file.name}: `;
  const words = message.startsWith(name) ? message.slice(name.length) : message;
  card.failed.querySelector(".plain").textContent = sentence(words);
  card.find(".retry").hidden = !again;
  say(`${card.file.name}: no verdict. ${words}`);
  tally();
}

const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? "" : ".");
const percent = (share) => (share > 0.995 ? "over 99" : share < 0.005 ? "under 1" : String(Math.round(100 * share)));

function plainly(verdict) {
  const p = verdict.probability;
  if (verdict.label === "unsure") return "This tool cannot say whether a camera took it or a generator made it.";
  const sure = (verdict.label === "generated" ? p : 1 - p) > 0.97 ? "Very likely" : "Likely";
  if (verdict.label === "real") return `${sure} taken by a camera.`;
  const known = verdict.generator && verdict.generator !== "unknown";
  return known ? `${sure} made by a generator, most like ${verdict.generator}.` : `${sure} made by a generator.`;
}

function show(card, verdict) {
  card.label = verdict.label;
  card.verdict = verdict;
  card.busy.hidden = true;
  card.root.classList.add(verdict.label);
  card.find(".verdict").hidden = false;
  card.find(".verdict use").setAttribute("href", `static/icons.svg#${verdict.label}`);
  card.find(".verdict .word span").textContent = WORDS[verdict.label];
  card.find(".verdict .plain").textContent = plainly(verdict);
  const number = `${percent(verdict.probability)} % likely to be generated`;
  card.find(".scale").hidden = false;
  card.find(".number").textContent = number;
  card.find(".bar").setAttribute("aria-label", `On a scale from camera photograph to generated: ${number}`);
  card.find(".marker").style.left = `${100 * verdict.probability}%`;
  card.find(".why").hidden = false;
  reasons(card, verdict.reasons);
  const origin = (verdict.provenance || { summary: [] }).summary;
  card.find(".origin").hidden = !origin.length;
  card.find(".origin ul").replaceChildren(...origin.map((sentence) => element("li", sentence)));
  card.find(".actions").hidden = false;
  say(`${card.file.name}: ${WORDS[verdict.label]}, ${number}.`);
  tally();
  if (state.cards.length === 1) toggle(card);
}

function reasons(card, all) {
  const items = all.map((reason) => element("li", reason));
  card.find(".why ul").replaceChildren(...items);
  // Among several pictures the first reason, which decides, is enough at first sight.
  const rest = state.cards.length > 1 ? items.slice(1) : [];
  const more = card.find(".more");
  const unfold = (open) => {
    rest.forEach((item) => (item.hidden = !open));
    more.setAttribute("aria-expanded", String(open));
    more.textContent = open ? "Fewer reasons" : `${rest.length} more reason${rest.length === 1 ? "" : "s"}`;
  };
  more.hidden = rest.length === 0;
  more.onclick = () => unfold(rest[0].hidden);
  unfold(false);
}

function zones(card, scale) {
  // Where the verdict turns depends on the compression; the explanation tells the limits.
  card.find(".bar").classList.add("known");
  card.find(".zone-real").style.width = `${100 * Math.max(0, scale.real_at_or_below)}%`;
  card.find(".zone-generated").style.width = `${100 * Math.max(0, 1 - scale.generated_at_or_above)}%`;
}

// ------------------------------------------------------------------ evidence

async function explanationOf(card) {
  if (card.explanation === null) {
    const tell = (words) => (card.find(".action-words").textContent = words);
    tell("Looking closer…");
    try {
      card.explanation = await patiently(() => post("v1/explain?format=json", card.file), tell);
      tell("");
    } catch (error) {
      tell(error.message);
      if (error.status === 401) askToken();
      if (error.status === 0) look();
    }
  }
  return card.explanation;
}

async function toggle(card) {
  const button = card.find(".open");
  const panel = card.find(".evidence");
  if (!panel.hidden) {
    panel.hidden = true;
    button.setAttribute("aria-expanded", "false");
    button.textContent = "Show the evidence";
    return;
  }
  button.disabled = true;
  const found = await explanationOf(card);
  button.disabled = false;
  if (found === null) return;
  if (!panel.childElementCount) fill(card, panel, found);
  panel.hidden = false;
  button.setAttribute("aria-expanded", "true");
  button.textContent = "Hide the evidence";
}

function fill(card, panel, found) {
  panel.append(byId("evidence").content.cloneNode(true));
  const find = (selector) => panel.querySelector(selector);
  const picture = (selector, source, words) => {
    find(selector).src = source;
    find(selector).alt = words;
  };
  picture(".overlay", found.images.overlay, "Heat map over the picture: how likely each part is to be generated");
  picture(".map", found.images.map, "Posterior map: bright where pixels follow their neighbours by the trace");
  picture(".misfit", found.images.misfit, "Posterior map, pale, with parts in purple that the kernels foretell worse than their texture explains");
  picture(".kernels", found.images.kernels, "The kernels of the red, green and blue channel as heat maps");
  picture(".spectrum", found.images.spectrum, "Spectrum of the posterior map, its peaks marked");
  const under = find(".under");
  under.onerror = () => under.remove();
  under.src = card.url;
  const overlay = find(".overlay");
  const range = find(".slider input");
  range.setAttribute("aria-label", "Strength of the overlay");
  const blend = () => (overlay.style.opacity = String(range.value / 100));
  range.oninput = blend;
  blend();
  zones(card, found.scale);
  const judged = found.windows.tops.length > 0;
  find(".slider").hidden = overlay.hidden = !judged;
  find(".parts-words").textContent = judged
    ? `Windows of ${found.windows.side} pixels, each judged by itself: a rough guide, since a window tells less than the whole picture, and ${found.windows.own_scale ? "is judged by limits of its own" : "errs more often"}.`
    : found.windows.reason || "";
  find(".misfit-words").textContent = misfitWords(found);
  find(".map-words").textContent = `Bright pixels follow from their neighbours (on average ${percent(found.map.mean)} of 100). Flat places are bright in both kinds of picture; a regular pattern is what generators leave.${found.picture.orientation > 1 ? " The map lies as the file stores the picture: turned or mirrored." : ""}`;
  const peaks = (found.spectrum.peaks || []).length;
  find(".spectrum-words").textContent = [
    peaks ? `${peaks} peak${peaks === 1 ? "" : "s"} marked: something repeats at a fixed distance, as up-sampling and JPEG blocks do.` : "No peak stands out.",
    found.spectrum.note || "",
  ].join(" ");
  find(".generator").textContent = generator(card.verdict);
  facts(find(".file"), found.picture);
  facts(find(".compression"), found.compression);
  statements(find(".metadata"), found.verdict.provenance);
  facts(find(".repeat"), { model: found.model, settings: found.settings, versions: found.versions, created: found.created });
}

function misfitWords(found) {
  // Every map lacks a border of half a kernel; that of a large picture is of its middle only.
  const part = found.picture.width - found.map.width > 32 || found.picture.height - found.map.height > 32;
  // Like the heat map it is drawn upright; sizes are those of the stored picture.
  const upright = [found.map.width, found.map.height];
  if (found.picture.orientation > 4) upright.reverse();
  return [
    "Purple parts are foretold by the kernels worse than others as rich in texture. A part pasted from a picture of another size or history can look so, whether photograph or generated; so can sharp foregrounds, text, sky and clipped areas, and most pictures have some purple.",
    "A place to look, not a finding: the map cannot say what is there, nor that anything was changed, and the verdict makes no use of it.",
    part ? `It covers the central ${upright.join(" by ")} pixels.` : "",
  ].filter(Boolean).join(" ");
}

function generator(verdict) {
  if (verdict.label !== "generated") return "Only asked of pictures that are held to be generated.";
  const about = verdict.reasons.find((reason) => reason.includes("generators that the detector knows"));
  return about || (verdict.generator ? `Most like ${verdict.generator}.` : "This detector knows no generators.");
}

function facts(list, value) {
  const rows = [];
  const walk = (name, one) => {
    if (one === null || one === undefined || one === "") return;
    if (Array.isArray(one)) {
      if (one.some((each) => each !== null && typeof each === "object")) one.forEach((each) => walk(name, each));
      else if (one.length) rows.push([name, one.join(", ")]);
    } else if (typeof one === "object") {
      for (const [key, each] of Object.entries(one)) walk(name && typeof each !== "object" ? `${name}: ${spaced(key)}` : spaced(key), each);
    } else {
      rows.push([name, typeof one === "number" && !Number.isInteger(one) ? one.toPrecision(4) : one === true ? "yes" : one === false ? "no" : String(one)]);
    }
  };
  walk("", value);
  if (!rows.length) rows.push(["", "none found"]);
  list.replaceChildren(...rows.flatMap(([name, text]) => [element("dt", name), element("dd", text.length > 300 ? `${text.slice(0, 300)}…` : text)]));
}

function statements(list, provenance) {
  const rows = provenance ? provenance.statements : [];
  const told = rows.map((one) => [`${one.source}: ${one.name}`, one.value, one.kind === "generator"]);
  if (!told.length) told.push(["", "none found", false]);
  list.replaceChildren(...told.flatMap(([name, text, telling]) => {
    const made = [element("dt", name), element("dd", text.length > 300 ? `${text.slice(0, 300)}…` : text)];
    if (telling) made[1].className = "telling";
    return made;
  }));
}

const spaced = (key) => key.replaceAll("_", " ");

async function download(card, kind) {
  const button = card.find(kind === "html" ? ".report" : ".data");
  const words = card.find(".action-words");
  button.disabled = true;
  try {
    let blob;
    if (kind === "json") {
      const found = await explanationOf(card);
      if (found === null) return;
      blob = new Blob([JSON.stringify(found, null, 1)], { type: "application/json" });
    } else {
      words.textContent = "Writing the report…";
      const tell = (text) => (words.textContent = text);
      blob = await patiently(() => post("v1/explain?format=html", card.file, { type: "blob", accept: "text/html" }), tell);
      words.textContent = "";
    }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${(card.file.name || "picture").replace(/\.[^.]*$/, "")}-convtrace.${kind}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  } catch (error) {
    words.textContent = error.message;
    if (error.status === 401) askToken();
  } finally {
    button.disabled = false;
  }
}

// ------------------------------------------------------------------ words on the page

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function say(words) {
  byId("live").textContent = words;
}

function tally() {
  const count = { real: 0, generated: 0, unsure: 0, failed: 0, waiting: 0 };
  for (const card of state.cards) count[card.label || "waiting"] += 1;
  const parts = ["real", "generated", "unsure"].filter((label) => count[label]).map((label) => `${count[label]} ${label}`);
  if (count.failed) parts.push(`${count.failed} without a verdict`);
  if (count.waiting) parts.push(`${count.waiting} to go`);
  byId("tally").textContent = parts.join(", ");
}

async function limits() {
  const headers = state.token ? { Authorization: `Bearer ${state.token}` } : {};
  const answer = await fetch("v1/models", { headers }).catch(() => null);
  if (!answer || !answer.ok) return;
  const [model] = await answer.json();
  const body = byId("limits-body");
  const list = document.createElement("ul");
  list.append(...model.limits.map((limit) => element("li", limit)));
  body.replaceChildren(list, ...model.card.results.map(table), element("p", `Detector ${model.name}, made ${model.created}, SHA-256 ${model.sha256}`));
  body.lastElementChild.className = "small";
}

function table(result) {
  const cell = (value) => {
    const number = (one) => (typeof one === "number" && !Number.isInteger(one) ? one.toFixed(3) : String(one));
    if (value === null) return "";
    return Array.isArray(value) ? `${number(value[0])} (${number(value[1])} to ${number(value[2])})` : number(value);
  };
  const box = document.createElement("div");
  box.className = "table";
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", result.title);
  const made = document.createElement("table");
  made.append(element("caption", result.title));
  const head = made.createTHead().insertRow();
  for (const column of result.columns) {
    const heading = element("th", column);
    heading.scope = "col";
    head.append(heading);
  }
  const rows = made.createTBody();
  for (const values of result.rows) {
    const row = rows.insertRow();
    for (const value of values) row.insertCell().textContent = cell(value);
  }
  box.append(made);
  return box;
}

// ------------------------------------------------------------------ ways in

byId("pick").onclick = () => byId("files").click();
byId("files").onchange = (event) => {
  add([...event.target.files]);
  event.target.value = "";
};
byId("clear").onclick = () => {
  state.waiting = [];
  for (const card of state.cards) URL.revokeObjectURL(card.url);
  state.cards = [];
  byId("list").replaceChildren();
  filled();
  byId("pick").focus();
};
byId("token-form").onsubmit = (event) => {
  event.preventDefault();
  state.token = byId("token").value.trim();
  byId("token").value = "";
  look();
  for (const card of state.cards) if (card.label === "failed" && !card.find(".retry").hidden) card.find(".retry").click();
};
const hasFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
let depth = 0;
addEventListener("dragenter", (event) => {
  if (!hasFiles(event)) return;
  depth += 1;
  byId("drop").classList.add("over");
});
addEventListener("dragleave", (event) => {
  if (!hasFiles(event)) return;
  depth -= 1;
  if (depth <= 0) byId("drop").classList.remove("over");
});
addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
addEventListener("drop", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  depth = 0;
  byId("drop").classList.remove("over");
  add([...event.dataTransfer.files]);
});
addEventListener("paste", (event) => {
  const files = [...((event.clipboardData && event.clipboardData.files) || [])];
  if (files.length) add(files);
});

const local = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
byId("where").textContent = local
  ? "Your pictures stay on this computer, and are not kept."
  : `Your pictures are sent to ${location.host} only, judged in memory, and not kept.`;
byId("origin").textContent = new URL("./", location.href).href;
fetch("healthz").then((answer) => answer.json()).then((body) => (byId("version").textContent = body.version)).catch(() => {});
look();
